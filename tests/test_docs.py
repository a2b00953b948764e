"""What README and docs show works as it stands there."""

import re
from pathlib import Path

import pytest

import hcpgraph

ROOT = Path(__file__).resolve().parents[1]


def blocks(path: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / path).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize(
    ("path", "nodes"), [("README.md", 1), ("docs/nodes.md", 2), ("docs/plugins.md", 1), ("docs/zh-CN/plugins.md", 1)]
)
def test_the_nodes_of_the_docs_work_as_a_pack(path, nodes, tmp_path):
    for number, text in enumerate(blocks(path, "python")):
        (tmp_path / f"part{number}.py").write_text(text, encoding="utf-8")
    registry = hcpgraph.default_registry([tmp_path])
    assert registry.problems == []
    assert sum(spec.id.startswith("my.") for spec in registry.specs.values()) == nodes


def test_the_node_of_the_readme_goes_onto_the_noise_wire_of_a_shipped_graph(tmp_path, workspace):
    (tmp_path / "speckle.py").write_text(blocks("README.md", "python")[0], encoding="utf-8")
    graph = hcpgraph.load(ROOT / "graphs/quickstart/train_lora.json")
    body = graph.graphs["diffusion_step"]
    body.add("my.speckle", "speckle")
    for target in ("noisy.noise", "target.noise"):
        body.connect("speckle.out", target)
    body.connect("noise.out", "speckle.noise")
    assert hcpgraph.validate(graph, packs=[tmp_path], workspace=workspace) == []


def test_the_graph_of_the_tour_is_the_shipped_one_shortened():
    (text,) = blocks("README.md", "json")
    tour, shipped = hcpgraph.loads(text), hcpgraph.load(ROOT / "graphs/quickstart/generate.json")
    for id, node in tour.nodes.items():
        assert node.type == shipped.nodes[id].type
        assert node.settings.items() <= shipped.nodes[id].settings.items(), id
    assert len(text.splitlines()) <= 20


def test_every_file_that_the_readme_links_is_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / link).exists(), link


def test_the_chinese_page_on_plugins_has_the_same_code():
    assert blocks("docs/zh-CN/plugins.md", "python") == blocks("docs/plugins.md", "python")


@pytest.mark.parametrize("page", ["README.md", "docs/training.md", "docs/zh-CN/training.md"])
def test_commands_set_what_their_graphs_have(page):
    commands = re.findall(
        r"^hcpgraph (?:run|check) (graphs/\S+\.json)(.*)$", "\n".join(blocks(page, "sh")), re.MULTILINE
    )
    assert commands
    for path, options in commands:
        known = hcpgraph.load(ROOT / path).interface.inputs
        assert set(re.findall(r"--set (\w+)=", options)) <= set(known), path


def test_the_pages_on_training_name_every_algorithm():
    graphs = {path.stem.removesuffix("_sdxl") for path in (ROOT / "graphs/train").glob("*_sdxl.json")}
    for page in ("docs/training.md", "docs/zh-CN/training.md"):
        table = "\n".join(
            line for line in (ROOT / page).read_text(encoding="utf-8").splitlines() if line.startswith("|")
        )
        assert set(re.findall(r"`(\w+)`", table)) == graphs, page
    assert (
        blocks("docs/training.md", "sh")[0].splitlines()[:3]
        == blocks("docs/zh-CN/training.md", "sh")[0].splitlines()[:3]
    )
