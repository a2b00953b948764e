"""The site of the docs: built strictly, two languages, nothing from elsewhere, every node with all that it declares."""

import json
import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

import hcpgraph

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[1]
HOME = {"en": "", "zh-CN": "zh-CN/"}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site as `make docs` builds it: a link or an anchor that leads nowhere is an error."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


def pages(site: Path) -> dict[str, str]:
    return {path.relative_to(site).as_posix(): path.read_text(encoding="utf-8") for path in site.rglob("*.html")}


def test_nothing_is_asked_of_another_server(site):
    for name, text in pages(site).items():
        loaded = re.findall(r"<(?:script|img|iframe|source)[^>]+src=\"([^\"]+)", text)
        loaded += re.findall(r"<link[^>]+rel=\"(?:stylesheet|icon|preconnect|preload)\"[^>]+href=\"([^\"]+)", text)
        loaded += re.findall(r"<link[^>]+href=\"([^\"]+)\"[^>]+rel=\"(?:stylesheet|icon|preconnect|preload)\"", text)
        assert loaded, name
        assert [each for each in loaded if re.match(r"(https?:)?//", each)] == [], name


def test_every_page_leads_to_the_other_language_and_has_menus_in_its_own(site):
    for name, text in pages(site).items():
        if name == "404.html":
            continue
        chinese = name.startswith("zh-CN/")
        assert f'<html lang="{"zh" if chinese else "en"}"' in text, name
        others = dict(re.findall(r'<a href="([^"]+)" hreflang="(\w+)"', text))
        for href, lang in others.items():
            target = (site / name).parent / href
            assert target.is_file() and target.resolve().is_relative_to(site / "zh-CN") == (lang == "zh"), (name, href)
        assert sorted(others.values()) == ["en", "zh"], name
        assert ("训练与生成" in text) == chinese, name


@pytest.mark.parametrize(("language", "word"), [("en", "rank"), ("zh-CN", "学习")])
def test_the_search_of_a_language_finds_its_own_pages(site, language, word):
    folder = site / HOME[language]
    index = json.loads((folder / "search/search_index.json").read_text(encoding="utf-8"))
    script = (folder / "search/search_index.js").read_text(encoding="utf-8")
    assert json.loads(script.removeprefix("var __index = ")) == index
    assert any(word in one["text"].split("\u200b") or word in one["text"].split() for one in index["docs"])
    for one in index["docs"]:
        assert (folder / one["location"].partition("#")[0]).is_file() or one["location"] in ("", "./")
        assert not one["location"].startswith("zh-CN/")
    depth = {"index.html": ".", "reference/data.html": ".."}
    for name, base in depth.items():
        assert f'"base": "{base}"' in (folder / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("language", HOME)
def test_every_node_is_there_with_all_that_it_declares(site, language):
    registry = hcpgraph.default_registry()
    for id, spec in registry.specs.items():
        page = (site / HOME[language] / f"reference/{id.partition('.')[0]}.html").read_text(encoding="utf-8")
        _, anchor, rest = page.partition(f'<h2 id="{id}">')
        assert anchor, id
        told = unescape(re.sub(r"<[^>]+>", "", rest.partition("<h2 ")[0]))
        for name in [*(port.name for port in spec.ports()), *spec.settings]:
            assert re.search(rf"^{name} ", told, re.MULTILINE), (id, name)
        for name, default in spec.defaults.items():
            assert json.dumps(default, ensure_ascii=False) in told, (id, name)
        for schema in spec.settings.values():
            assert all(f"≥ {schema[key]}" in told for key in ("minimum",) if key in schema), id
        if language == "en":
            for text in (spec.help, *(port.help for port in spec.ports())):
                assert " ".join(text.replace("`", "").split()) in " ".join(told.split()), id
