"""Files of ComfyUI, InvokeAI, A1111, kohya and others are named, with what they contain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.torch import save_file

from hcpgraph import GraphErrors
from hcpgraph.document import load, loads

API = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 1, "model": ["4", 0]}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd15.safetensors"}},
    "5": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat"}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": ""}},
}
PAGE = {
    "last_node_id": 9,
    "links": [[1, 4, 0, 3, 0, "MODEL"]],
    "nodes": [{"id": 3, "type": "KSampler"}, {"id": 4, "type": "CheckpointLoaderSimple"}],
    "version": 0.4,
}
INVOKE = {
    "name": "x",
    "nodes": [{"id": "a", "type": "invocation", "data": {"type": "denoise_latents"}}],
    "edges": [{"source": "a", "target": "b"}],
}
INVOKE_GRAPH = {"id": "g", "nodes": {"a": {"id": "a", "type": "l2i"}}, "edges": [{"source": {"node_id": "a"}}]}
A1111 = "a red cat, sitting\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 512x512"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (API, "this is a ComfyUI workflow of 4 nodes: KSampler, CheckpointLoaderSimple, CLIPTextEncode;"),
        ({"prompt": API, "client_id": "x"}, "this is a ComfyUI workflow of 4 nodes"),
        (PAGE, "this is a ComfyUI workflow of 2 nodes: KSampler, CheckpointLoaderSimple;"),
        (INVOKE, "this is an InvokeAI workflow of 1 nodes: denoise_latents;"),
        (INVOKE_GRAPH, "this is an InvokeAI workflow of 1 nodes: l2i;"),
        (
            {"LoRA_type": "Standard", "network_dim": 16, "pretrained_model_name_or_path": "x"},
            "this is a preset of kohya's trainer (LoRA_type Standard, network_dim 16);",
        ),
        (
            {"/a/1.png": {"tags": "1girl"}, "/a/2.png": {"caption": "x"}},
            "this is a caption file of kohya's trainer with 2 pictures;",
        ),
        (
            {"_class_name": "UNet2DConditionModel", "_diffusers_version": "0.42"},
            "configuration of a UNet2DConditionModel",
        ),
        (
            {"training_method": "LORA", "concepts": [], "lora_rank": 16},
            "configuration of OneTrainer (training_method LORA",
        ),
        ({"job": "extension", "config": {"name": "my_lora", "process": []}}, "job of ai-toolkit (name my_lora)"),
    ],
)
def test_json_of_other_programs(value: Any, said: str) -> None:
    with pytest.raises(GraphErrors) as caught:
        loads(json.dumps(value))
    (problem,) = caught.value.problems
    assert problem.code == "E_FOREIGN" and said in problem.message and problem.hint
    assert problem.message.endswith("it is no graph of hcpgraph")


@pytest.mark.parametrize("value", [{}, [], 3, {"nodes": {}, "edges": {}}, {"format": "hcpgraph/1", "nodes": {}}])
def test_what_bears_nobodys_sign_is_read_as_a_graph(value: Any) -> None:
    try:
        loads(json.dumps(value))
    except GraphErrors as errors:
        assert all(problem.code != "E_FOREIGN" for problem in errors.problems)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("chunks", "said"),
    [
        (
            {"prompt": json.dumps(API), "workflow": json.dumps(PAGE)},
            "this picture carries a ComfyUI workflow of 2 nodes",
        ),
        ({"prompt": json.dumps(API)}, "this picture carries a ComfyUI workflow of 4 nodes"),
        (
            {"parameters": A1111},
            "parameters of AUTOMATIC1111's webui: prompt 'a red cat, sitting', Steps: 20, Sampler: Euler a, CFG scale: 7",
        ),
        (
            {"invokeai_metadata": json.dumps({"positive_prompt": "a cat", "steps": 30, "model": {"name": "x"}})},
            "parameters of InvokeAI (positive_prompt a cat, steps 30)",
        ),
        ({"parameters": "nothing known"}, "there is no graph in this picture"),
        ({"prompt": "[" * 100_000}, "there is no graph in this picture"),
    ],
)
def test_pictures_of_other_programs(tmp_path: Path, chunks: dict[str, str], said: str, packed: bool) -> None:
    told = PngInfo()
    for name, text in chunks.items():
        told.add_itxt(name, text, zip=True) if packed else told.add_text(name, text)
    Image.new("RGB", (4, 4)).save(tmp_path / "x.png", pnginfo=told)
    with pytest.raises(GraphErrors) as caught:
        load(tmp_path / "x.png")
    (problem,) = caught.value.problems
    assert said in problem.message and problem.code == ("E_FILE" if "no graph in" in said else "E_FOREIGN")


def test_weights_of_other_programs(tmp_path: Path) -> None:
    kohya = {"ss_network_module": "networks.lora", "ss_network_dim": "16", "ss_network_alpha": "8", "ss_steps": "1200"}
    for metadata, said in (
        (kohya, "kohya's trainer (network_module networks.lora, network_dim 16, network_alpha 8, steps 1200)"),
        ({"prompt": json.dumps(API)}, "this weight file carries a ComfyUI workflow of 4 nodes"),
    ):
        save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors", metadata)
        with pytest.raises(GraphErrors) as caught:
            load(tmp_path / "x.safetensors")
        (problem,) = caught.value.problems
        assert problem.code == "E_FOREIGN" and said in problem.message
    assert "plugin.load" in str(load_hint(kohya))


def load_hint(metadata: dict[str, str]) -> str:
    from hcpgraph.document.foreign import in_weights

    found = in_weights(metadata)
    assert found is not None
    return found[1]
