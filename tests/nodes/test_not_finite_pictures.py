"""Pictures and numbers that are not finite carry a mark, and the run says so and where it began."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from hcpgraph_nodes.editor import tensor_picture
from hcpgraph_nodes.image.grid import grid
from hcpgraph_nodes.image.plot import plot
from hcpgraph_nodes.image.resize import resize
from hcpgraph_nodes.image.save import save as save_image
from hcpgraph_nodes.types import Curve, Images
from PIL import Image
from safetensors.torch import load_file, save_file

import hcpgraph
from hcpgraph import Graph
from hcpgraph.cli import main
from hcpgraph.finite import is_finite
from hcpgraph.testing import context

NAN, INF = math.nan, math.inf
CTX = context(Path("workspace"))


def picture(*values: float) -> Images:
    return Images(torch.tensor(values).view(1, 1, 1, -1).expand(1, 3, 4, -1).clone())


def test_pictures_carry_a_mark(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    both = Images(torch.cat([picture(0.5, 1.0).data, picture(0.5, INF).data]))
    save_image(ctx, both, path="out:a.png")
    with Image.open(tmp_path / "out/a-0.png") as good, Image.open(tmp_path / "out/a-1.png") as bad:
        assert "hcpgraph.not_finite" not in good.text and "infinite" in bad.text["hcpgraph.not_finite"]  # type: ignore[attr-defined]
        assert bad.getpixel((0, 0)) == (128, 128, 128) and bad.getpixel((1, 0)) == (0, 0, 0)
    assert [entry.get("not_finite") for entry in ctx.run.artifacts] == [None, True]
    assert list(ctx.run.not_finite) == ["node"]


def test_what_is_made_of_pictures_keeps_the_mark() -> None:
    wrong = picture(0.5, NAN)
    for made in (grid(CTX, (picture(0.1, 0.2), wrong), upscale=2), resize(wrong, width=8, height=8)):
        assert not is_finite(made.data)
    rows = grid(CTX, (picture(0.1, 0.2), wrong), padding=0)
    assert rows.data.isnan().any(dim=1)[0].nonzero().tolist() == [[y, 1] for y in range(4, 8)]
    shown = tensor_picture(wrong)
    assert shown is not None and shown.getpixel((1, 0)) == (255, 0, 255) != shown.getpixel((0, 0))


def test_a_plot_counts_what_it_cannot_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import ImageDraw

    texts: list[str] = []
    draw = ImageDraw.ImageDraw.text
    monkeypatch.setattr(
        ImageDraw.ImageDraw, "text", lambda self, xy, text, *a, **k: (texts.append(text), draw(self, xy, text, *a, **k))
    )
    plot(CTX, (Curve({"loss": [(1, 0.5), (2, NAN), (3, 0.25)], "other": [(1, INF), (2, NAN)], "good": [(1, 1.0)]}),))
    assert any(text.startswith("loss (1 not finite)") for text in texts)
    assert "other (2 not finite)" in texts and any(text.startswith("good  ") for text in texts)


def test_numbers_are_told(tmp_path: Path) -> None:
    events: list[Any] = []
    ctx = context(tmp_path)
    ctx.run.events.listener = events.append
    ctx.metric(3, loss=1.0, kept=2)
    assert not ctx.run.not_finite
    ctx.metric(4, loss=NAN)
    ctx.metric(5, loss=INF)
    assert ctx.run.not_finite == {"node": "loss of step 4"}
    (told,) = [event for event in events if event["kind"] == "log"]
    assert told["level"] == "warning" and "loss of step 4" in told["message"]


def drawing(path: str = "models:tiny", **settings: Any) -> Graph:
    g = Graph()
    g.add("model.load", "model", path=path, **settings)
    g.add("text.prompt", "prompt", texts=["a cat"])
    g.add("text.encode", "encode")
    g.add("sample.empty_latents", "size", width=16, height=16)
    g.add("sample.denoise", "sample", steps=2, guidance=1.0, sampler="ddim")
    g.add("image.decode", "picture")
    g.add("image.save", "save", path="out:cat.png")
    for target, source in {
        "encode.captions": "prompt.out", "encode.text_encoder": "model.text_encoder", "size.vae": "model.vae",
        "sample.latents": "size.out", "sample.positive": "encode.out", "sample.denoiser": "model.denoiser",
        "sample.schedule": "model.schedule", "picture.latents": "sample.out", "picture.vae": "model.vae",
        "save.images": "picture.out",
    }.items():  # fmt: skip
        g.connect(source, target)
    return g


@pytest.mark.parametrize(
    ("file", "first"),
    [("unet/diffusion_pytorch_model.safetensors", "sample"), ("vae/diffusion_pytorch_model.safetensors", "picture")],
)
def test_the_run_says_so_and_where_it_began(workspace: Path, file: str, first: str) -> None:
    """Weights that are finite and far too large: the picture is written with its mark, and nothing serves it again."""
    path = workspace / "models/tiny" / file
    state = load_file(path)
    save_file({name: value * 1e25 if "conv" in name else value for name, value in state.items()}, path)
    (workspace / "graph.json").write_text(drawing().dump())
    for _ in range(2):
        told = CliRunner().invoke(main, ["run", str(workspace / "graph.json"), "--workspace", str(workspace), "--json"])
        assert told.exit_code == 0, told.stderr
        assert "image (not finite)" in told.stderr and f"first node that gave such values is '{first}'" in told.stderr
        result = json.loads(told.stdout)
        assert [entry.get("not_finite") for entry in result["artifacts"]] == [True]
        (problem,) = result["problems"]
        assert (problem["code"], problem["node"], problem["severity"]) == ("W_NOT_FINITE", "save", "warning")
        assert "save" in result["ran"]
        record = json.loads((Path(result["folder"]) / "run.json").read_text())
        assert record["not_finite"] == [problem]
        log = [json.loads(line) for line in (Path(result["folder"]) / "events.jsonl").read_text().splitlines()]
        warnings = [event["message"] for event in log if event["kind"] == "log" and event["level"] == "warning"]
        assert len(warnings) == 2 and first in warnings[1] and log[-1]["kind"] == "run_done"


def test_a_good_picture_has_no_mark_and_searches_nothing(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hcpgraph.running.origin.first_not_finite", lambda *_: pytest.fail("nothing was hit"))
    result = hcpgraph.run(drawing(), workspace=workspace)
    assert result.status == "done" and result.problems == []
    assert json.loads((result.folder / "run.json").read_text())["not_finite"] == []  # type: ignore[operator]
