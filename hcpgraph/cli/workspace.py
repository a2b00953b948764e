"""The folders of a workspace that people put things into, with a line of help in each."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

HELP = {
    "data": """Your pictures: a folder of them each set, or a link to one. A graph calls data/cats "data:cats".
Captions lie beside the pictures under their names (1.png, 1.txt). What would be trained: hcpgraph check GRAPH

您的图片：每个数据集一个文件夹，或指向它的链接。在工作流中，data/cats 写作 "data:cats"。
描述文本与图片同名，放在一起（1.png、1.txt）。查看将要训练的内容：hcpgraph check GRAPH
""",
    "models": """Models: diffusers folders, .safetensors and .gguf files, LoRAs, or links to them.
A graph calls models/sd15 "models:sd15". Graphs that train look for models:model: call yours so, or a link to it, or run
them with --set model=models:sd15.
Where they come from: huggingface.co and civitai.com. Stable Diffusion 1.5 as a diffusers folder, into this one:

    hf download stable-diffusion-v1-5/stable-diffusion-v1-5 --local-dir sd15 \\
        --include "*.json" --include "*.txt" --include "*/*.fp16.safetensors"

hcpgraph itself never downloads a model; builtin:emoji, which ships, needs none.

模型：diffusers 文件夹、.safetensors 和 .gguf 文件、LoRA，或指向它们的链接。在工作流中，models/sd15 写作 "models:sd15"。
训练工作流默认使用 models:model：把模型（或指向它的链接）命名为 model，或在运行时加上 --set model=models:sd15。
模型可从 huggingface.co 和 civitai.com 获取，命令见上。hcpgraph 本身从不下载模型；随附的 builtin:emoji 不需要下载。
""",
}
"""Root -> the text of its README.txt."""


def welcome(workspace: Path | None, roots: Mapping[str, Path]) -> None:
    """Make the folders for pictures and models where they are missing; those that lie elsewhere are left alone."""
    from ..atomic import write_text

    for name, text in HELP.items():
        folder = Path(workspace or "workspace") / name
        if name in roots or folder.exists():
            continue
        with suppress(OSError):  # a workspace that cannot be written to is told by what has to write there
            folder.mkdir(parents=True)
            write_text(folder / "README.txt", text)
