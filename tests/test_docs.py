"""What README and docs show works as it stands there."""

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest
import yaml

import hcpgraph
from hcpgraph.cli import COMMANDS, main
from hcpgraph.testing import private_imports

ROOT = Path(__file__).resolve().parents[1]
CHINESE = sorted(path.name for path in (ROOT / "docs/zh-CN").glob("*.md") if path.name != "glossary.md")
PAGES = ["README.md", "CONTRIBUTING.md", *sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "docs").rglob("*.md"))]
LIVING = [page for page in PAGES if not page.startswith("docs/adr/0")]
"""A decision speaks of the day on which it was made."""
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


@pytest.mark.slow
@pytest.mark.parametrize("path", [page for page in PAGES if blocks(page, "python") and "zh-CN" not in page])
def test_the_nodes_of_the_docs_work_as_a_pack(path, tmp_path):
    code = "\n\n".join(blocks(path, "python"))
    (tmp_path / "page.py").write_text(code, encoding="utf-8")
    registry = hcpgraph.default_registry([tmp_path])
    assert registry.problems == []
    declared = set(re.findall(r'^@node\("([^"]+)"', code, re.MULTILINE))
    assert declared == {id for id in registry.specs if id.startswith("my.")}
    assert private_imports(tmp_path) == []


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


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_of_the_docs_leads_to_a_file(page):
    for link in links(page):
        target = link.partition("#")[0]
        assert (ROOT / page).parent.joinpath(target).exists(), link


@pytest.mark.parametrize("page", LIVING)
def test_every_file_that_the_docs_name_is_there(page):
    for name in inline_code(page):
        if re.fullmatch(r"(hcpgraph|nodes|web|tests|graphs|docs)/[\w./-]*", name) and not re.search("[A-Z]{4}", name):
            assert (ROOT / name).exists(), name


def commands(page: str) -> list[tuple[list[str], bool]]:
    """Words of every command of ours that a page shows, and whether it stands in a block, whole."""
    shown = [
        (line, True) for language in ("sh", "bat") for text in blocks(page, language) for line in text.splitlines()
    ]
    found = []
    for text, whole in [*shown, *((text, False) for text in inline_code(page))]:
        for part in re.split(r"&&|;|\|(?!')", text):
            words = shlex.split(part, comments=True) if "hcpgraph " in part else []
            if words and re.fullmatch(r"(?:\S*[/\\])?hcpgraph", words[0]) and len(words) > 1:
                found.append((words[1:], whole))
    return found


@pytest.mark.parametrize("page", LIVING)
def test_the_command_line_takes_every_command_that_the_docs_show(page):
    for words, whole in commands(page):
        if words[0].startswith("-"):
            assert words[0] in ("--help", "--version"), words
            continue
        command = main.get_command(click.Context(main), words[0])
        assert command is not None, words
        arguments = [word for word in words[1:] if word != "…"]
        if whole:
            command.make_context(words[0], arguments)
        else:
            command.make_parser(click.Context(command, info_name=words[0])).parse_args(arguments)


def test_the_scan_for_commands_finds_them():
    assert len({words[0] for page in LIVING for words, _ in commands(page)} & set(COMMANDS)) >= 12


@pytest.mark.parametrize("page", LIVING)
def test_every_option_that_the_docs_name_is_one(page):
    contexts = [click.Context(main), *(click.Context(main.get_command(click.Context(main), name)) for name in COMMANDS)]
    known = {option for context in contexts for one in context.command.get_params(context) for option in one.opts}
    for text in inline_code(page):
        if text.startswith("--"):
            assert text.split()[0].partition("=")[0] in known, text


@pytest.mark.parametrize("page", LIVING)
def test_every_target_of_make_that_the_docs_name_is_one(page):
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    shown = "\n".join([*blocks(page, "sh"), *inline_code(page)])
    assert set(re.findall(r"(?:^|&& )make ([\w-]+)", shown, re.MULTILINE)) <= targets


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "json")])
def test_every_graph_that_the_docs_show_can_be_opened(page):
    for text in blocks(page, "json"):
        if '"format": "hcpgraph/' in text:
            assert hcpgraph.loads(text).nodes


def test_every_decision_is_listed_under_its_number_and_title():
    rows = re.findall(
        r"^\| \[(\d+)\]\((\S+)\) \| (.+) \| .+\. \|$",
        (ROOT / "docs/adr/README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    pages = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
    assert [name for _, name, _ in rows] == [path.name for path in pages]
    assert [int(number) for number, _, _ in rows] == list(range(1, len(pages) + 1))
    for (number, _, title), path in zip(rows, pages, strict=True):
        assert path.read_text(encoding="utf-8").splitlines()[0] == f"# {number}. {title}"


def test_a_release_has_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == hcpgraph.__version__
    assert f"\n## {hcpgraph.__version__}\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_checks_before_a_commit_have_no_versions_of_their_own():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    for repository in config["repos"]:
        assert repository["repo"] == "local"
        for hook in repository["hooks"]:
            assert hook["language"] == "system" and hook["entry"].startswith(".venv/bin/"), hook


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
    own = {"emoji_base", "emoji_more", "emoji_vae", "scratch"}
    graphs = {path.stem for path in (ROOT / "graphs/train").glob("*.json")} - own
    for page in ("docs/training.md", "docs/zh-CN/training.md"):
        table = "\n".join(
            line for line in (ROOT / page).read_text(encoding="utf-8").splitlines() if line.startswith("|")
        )
        assert set(re.findall(r"`(\w+)`", table)) == graphs, page
