"""Every graph that ships: canonical, without problems, and run with few steps on small models."""

from pathlib import Path

import pytest
from PIL import Image

import hcpgraph
from hcpgraph.checking.analyse import analyse, default_roots
from hcpgraph.document.overrides import with_settings
from hcpgraph.document.shipped import MOVED, names
from hcpgraph.document.templates import find

GRAPHS = Path(__file__).resolve().parents[2] / "graphs"
FILES = list(names(GRAPHS).values())
COUNT = 29
FEWER = {"steps": 50, "before.count": 2, "after.count": 2, "prompts.texts": ["grinning cat", "cat"]}


def name(path: Path) -> str:
    return path.relative_to(GRAPHS).with_suffix("").as_posix()


def events():
    """A listener and what it heard."""
    heard: list[dict] = []
    return heard, heard.append


def validation(heard: list[dict], node: str) -> list[float]:
    return [e["values"]["validation"] for e in heard if e["kind"] == "metric" and e["node"] == node]


def test_no_graph_is_left_out_of_this_file():
    assert len(FILES) == COUNT


def test_the_name_of_a_graph_that_is_gone_finds_what_took_its_place():
    assert set(MOVED.values()) <= set(names(GRAPHS)) and not set(MOVED) & set(names(GRAPHS))
    for old, new in MOVED.items():
        found = find(old)
        assert found.name == new and old in found.notice and new in found.notice
    assert find("lora_sdxl").name == "train/lora" and find("train/lora").notice == ""


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_shipped_graph_is_canonical_and_has_no_problems(path, workspace):
    graph = hcpgraph.load(path)
    assert graph.dump() == path.read_text(encoding="utf-8")
    assert hcpgraph.validate(graph, workspace=workspace) == []
    assert graph.meta.title and graph.meta.description and graph.meta.license
    for where, body in graph.bodies():
        assert set(body.view.nodes) == set(body.nodes), where
        for id, node in body.nodes.items():
            spec = hcpgraph.default_registry().find(node.type)
            assert spec is None or set(node.settings) == set(spec.settings), f"{id}: fmt writes every setting out"


@pytest.mark.parametrize("steps", [1, 3, 100])
@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_shipped_graph_trains_for_as_few_steps_as_one_likes(path, steps, workspace):
    """A curve follows the loop; what cannot fit, such as a preview every 250 steps, is told and stops nothing."""
    registry = hcpgraph.default_registry()
    graph = hcpgraph.load(path)
    if not any(node.type == "train.loop" for node in graph.nodes.values()):
        pytest.skip("trains nothing")
    key = "steps" if "steps" in graph.interface.inputs else "train.steps"
    found = analyse(with_settings(graph, {key: steps}, registry), registry, default_roots(workspace))
    assert {problem.severity for problem in found.problems} <= {"warning"}
    assert all(length.steps == steps for length in found.lengths) and found.lengths


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory):
    """The quickstart with fewer steps, trained once for the tests of this module."""
    workspace = tmp_path_factory.mktemp("quickstart")
    heard, listen = events()
    result = hcpgraph.run(GRAPHS / "quickstart/train_lora.json", settings=FEWER, workspace=workspace, on_event=listen)
    assert result.status == "done", result.failed
    return workspace, heard, result


@pytest.mark.slow
def test_the_quickstart_learns_what_the_base_model_does_not_know(quickstart):
    _, heard, _ = quickstart
    measured = validation(heard, "check")
    assert measured[-1] <= 0.6 * measured[0], measured


@pytest.mark.slow
def test_the_quickstart_leaves_pictures_and_a_lora(quickstart):
    workspace, _, result = quickstart
    written = {entry["uri"] for entry in result.artifacts}
    assert written == {
        "out:quickstart/before_after.png",
        "out:quickstart/loss.png",
        "out:quickstart/cats.safetensors",
    }
    with Image.open(workspace / "out/quickstart/before_after.png") as picture:
        pixels = picture.convert("RGB")
    assert len(pixels.getcolors(1 << 20) or ()) > 500
    again = hcpgraph.run(GRAPHS / "quickstart/train_lora.json", settings=FEWER, workspace=workspace)
    assert again.status == "done" and again.ran == [] and len(again.artifacts) == 3


@pytest.mark.slow
def test_generate_draws_what_the_quickstart_saved_and_its_picture_runs_again(quickstart):
    workspace, _, _ = quickstart
    first = hcpgraph.run(GRAPHS / "quickstart/generate.json", workspace=workspace)
    assert first.status == "done", first.failed
    picture = workspace / "out/quickstart/generated.png"
    second = hcpgraph.run(picture, workspace=workspace, disk_cache=False)
    assert second.status == "done", second.failed
    copy = workspace / "out/quickstart/generated-2.png"
    with Image.open(picture) as one, Image.open(copy) as two:
        assert one.tobytes() == two.tobytes()
    plain = hcpgraph.run(
        GRAPHS / "quickstart/generate.json", workspace=workspace, settings={"strength": 0.0}, disk_cache=False
    )
    with Image.open(picture) as one, Image.open(workspace / "out/quickstart/generated-3.png") as other:
        assert plain.status == "done" and one.tobytes() != other.tobytes()


@pytest.mark.slow
def test_generate_takes_one_prompt_for_all_pictures_as_the_readme_shows(quickstart):
    workspace, _, _ = quickstart
    called = {"prompts": ["black cat"], "strength": 0.5, "save.path": "out:quickstart/black.png"}
    result = hcpgraph.run(GRAPHS / "quickstart/generate.json", workspace=workspace, settings=called)
    assert result.status == "done", result.failed


@pytest.mark.slow
def test_a_model_from_nothing(workspace):
    small = {
        "new.channels": [8, 16],
        "new.layers": 1,
        "new.attention": [1],
        "new.text_width": 16,
        "new.text_layers": 1,
        "pictures.include": ["panda", "frog"],
        "preview.steps": 2,
        "watch.steps": 2,
        "final.steps": 2,
    }
    result = hcpgraph.run(
        GRAPHS / "train/scratch.json", settings={"steps": 4, "batch_size": 2, **small}, workspace=workspace
    )
    assert result.status == "done", result.failed
    written = {path.relative_to(workspace / "out/scratch").as_posix() for path in (workspace / "out/scratch").iterdir()}
    assert written == {"preview-000002.png", "preview-000004.png", "final.png", "loss.png", "model"}


@pytest.mark.slow
def test_a_lora_on_a_folder_of_pictures(tmp_path):
    """SD 1.5's graph on the model that ships, and pictures with captions in a folder."""
    pictures = tmp_path / "data/pictures"
    pictures.mkdir(parents=True)
    for index, color in enumerate(["red", "green", "blue"]):
        Image.new("RGB", (40 + 8 * index, 40), color).save(pictures / f"{index}.png")
        (pictures / f"{index}.txt").write_text(f"a {color} square")
    small = {
        "buckets.target_area": 1024,
        "buckets.step_size": 8,
        "watch.width": 32,
        "watch.height": 32,
        "watch.steps": 2,
        "preview.steps": 2,
        "model": "builtin:emoji",
        "steps": 3,
        "batch_size": 1,
    }
    result = hcpgraph.run(GRAPHS / "train/lora.json", settings=small, workspace=tmp_path)
    assert result.status == "done", result.failed
    assert (tmp_path / "out/lora/lora.safetensors").exists()
