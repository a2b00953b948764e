"""What README and docs show works as it stands there."""

import re
from pathlib import Path

import pytest

import hcpgraph

ROOT = Path(__file__).resolve().parents[1]
CHINESE = sorted(path.name for path in (ROOT / "docs/zh-CN").glob("*.md") if path.name != "glossary.md")
CODE = re.compile(r"^```(\w*)\n(.*?)^```$|((?:^ {4}[^\n]+\n)+)", re.DOTALL | re.MULTILINE)
"""Code between fences, or indented by four spaces."""


def blocks(path: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / path).read_text(encoding="utf-8"), re.DOTALL)


def code(path: str) -> list[tuple[str, str]]:
    """Every block of code with its language; of shell commands without the comments behind them."""
    found = []
    for language, fenced, indented in CODE.findall((ROOT / path).read_text(encoding="utf-8")):
        text = fenced or indented
        found.append((language, re.sub(r"[ \t]+# .*", "", text) if language == "sh" else text))
    return found


def prose(path: str) -> str:
    return CODE.sub("", (ROOT / path).read_text(encoding="utf-8"))


def links(path: str) -> list[str]:
    """Targets of the relative links, in their order."""
    text = re.sub(r"`[^`]+`", "", prose(path))
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"[a-z]+:|#", link)]


def inline_code(path: str) -> list[str]:
    return sorted(" ".join(text.split()) for text in re.findall(r"`([^`]+)`", prose(path)))


def levels(path: str) -> list[int]:
    return [len(marks) for marks in re.findall(r"^(#+) ", prose(path), re.MULTILINE)]


def table_widths(path: str) -> list[int]:
    """Columns of every row of the tables."""
    return [line.count(" |") for line in prose(path).splitlines() if line.startswith("| ")]


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


@pytest.mark.parametrize("page", [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))])
def test_every_relative_link_of_the_docs_leads_to_a_file(page):
    for link in links(page):
        target = link.partition("#")[0]
        assert (ROOT / page).parent.joinpath(target).is_file(), link


@pytest.mark.parametrize("name", CHINESE)
def test_a_chinese_page_has_what_its_english_page_has(name):
    english, chinese = f"docs/{name}", f"docs/zh-CN/{name}"
    assert (ROOT / english).is_file()
    assert code(chinese) == code(english)
    assert levels(chinese) == levels(english)
    assert table_widths(chinese) == table_widths(english)
    assert inline_code(chinese) == inline_code(english)


@pytest.mark.parametrize("name", CHINESE)
def test_a_chinese_page_and_its_english_page_link_each_other(name):
    english, chinese = links(f"docs/{name}"), links(f"docs/zh-CN/{name}")
    assert (english[0], chinese[0]) == (f"zh-CN/{name}", f"../{name}")
    detours = {f"../{other}" for other in CHINESE} & {link.partition("#")[0] for link in chinese[1:]}
    assert not detours, "these pages are there in Chinese"


def test_the_chinese_page_on_files_says_of_the_same_adapters_that_they_come_back_equal():
    found = []
    for page, equal in (("docs/adapter-files.md", "equal"), ("docs/zh-CN/adapter-files.md", "相同")):
        rows = [line.split(" | ")[1:] for line in prose(page).splitlines() if line.startswith("| ")]
        found.append([[cell.removesuffix(" |") == equal for cell in row] for row in rows])
    assert any(any(row) for row in found[0])
    assert found[0] == found[1]


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
