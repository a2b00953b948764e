"""What mkdocs adds to the pages of the docs: those that are made of the code, and one navigation and search a language.

The two languages are one site: a page has menus in its language, leads to its counterpart, and searches its own.
"""

import json
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation, Section
from mkdocs.structure.pages import Page

from docs.generate import nodes

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = {"en": ("English", "en"), "zh-CN": ("中文", "zh")}
"""Language -> its own name, and what the theme calls it."""
FROM_ROOT = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
CHINESE = "zh-CN/"

navigations: dict[str, Navigation] = {}


def on_config(config: MkDocsConfig) -> None:
    """Put lists of pages where the navigation says `reference/` and `adr/`."""
    decisions = ["adr/README.md", *sorted(f"adr/{path.name}" for path in (ROOT / "docs/adr").glob("[0-9]*.md"))]
    for group in config.nav or []:
        for language, entries in group.items():
            lists = {"adr/": decisions, "reference/": [_prefix(language) + path for path in nodes.pages(language)]}
            _filled(entries, lists)


def _filled(entries: list[Any], lists: dict[str, list[str]]) -> None:
    for entry in entries:
        for title, value in entry.items() if isinstance(entry, dict) else ():
            if isinstance(value, list):
                _filled(value, lists)
            else:
                entry[title] = lists.get(value, value)


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the pages that stand nowhere in this folder."""
    for language in LANGUAGES:
        for path, text in nodes.pages(language).items():
            files.append(File.generated(config, _prefix(language) + path, content=text))
    for path, name in FROM_ROOT.items():
        text = (ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](")
        for page, other in FROM_ROOT.items():
            text = text.replace(f"]({other})", f"]({page})")
        files.append(File.generated(config, path, content=text))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leave out the line that leads to the other language, and links to files that are no pages of the site."""
    if page.file.src_uri.endswith("errors.md"):
        page.meta["hide"] = ["toc"]
    markdown = re.sub(r"^\[(中文|English)\]\([^)\s]+\)\n", "", markdown, count=1, flags=re.MULTILINE)
    out = "../" * (page.file.src_uri.count("/") + 1)
    markdown = markdown.replace(f"]({out}CONTRIBUTING.md)", f"]({out.removeprefix('../')}contributing.md)")
    return re.sub(rf"\[([^]]+)\]\({out}([^).\s][^)\s]*)\)", r"\1 (`\2`)", markdown)


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    """Make each group of the navigation a navigation of its own."""
    for section in nav.items:
        assert isinstance(section, Section)
        pages = [page for page in nav.pages if _language(page) == section.title]
        for item in section.children:
            item.parent = None
        pages[0].previous_page = pages[-1].next_page = None
        navigations[section.title] = Navigation(section.children, pages)
        navigations[section.title].homepage = pages[0]
    return nav


def on_page_context(context: dict[str, Any], page: Page, config: MkDocsConfig, nav: Navigation) -> dict[str, Any]:
    """Menus in the language of the page, and the way to the same page in the other one."""
    language = _language(page)
    config.theme["language"] = LANGUAGES[language][1]
    config.extra["alternate"] = [
        {"name": name, "lang": code, "link": _counterpart(page, other).url} for other, (name, code) in LANGUAGES.items()
    ]
    return {**context, "nav": navigations[language]}


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """A Chinese page takes the index of its search from its own language."""
    if _language(page) == "en":
        return output
    depth = page.file.dest_uri.count("/") - 1
    base = "/".join([".."] * depth) or "."
    return re.sub(r'(<script id="__config".*?"base": )"[^"]*"', rf'\1"{base}"', output)


@event_priority(-200)
def on_post_build(config: MkDocsConfig) -> None:
    """Part the index of the search by language, after the plugins have written it."""
    site = Path(config.site_dir)
    index = json.loads((site / "search/search_index.json").read_text(encoding="utf-8"))
    for prefix, lang in (("", "en"), (CHINESE, "zh")):
        docs = [
            {**one, "location": one["location"].removeprefix(prefix)}
            for one in index["docs"]
            if one["location"].startswith(CHINESE) == bool(prefix)
        ]
        # Both languages: Chinese pages are full of Latin names, and people search for these too.
        own = {**index, "config": {**index["config"], "lang": ["en", "zh"] if prefix else [lang]}, "docs": docs}
        text = json.dumps(own, ensure_ascii=False, separators=(",", ":"))
        folder = site / prefix / "search"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "search_index.json").write_text(text, encoding="utf-8")
        (folder / "search_index.js").write_text(f"var __index = {text}", encoding="utf-8")


def _prefix(language: str) -> str:
    return CHINESE if language == "zh-CN" else ""


def _language(page: Page) -> str:
    return "zh-CN" if page.file.src_uri.startswith(CHINESE) else "en"


def _counterpart(page: Page, language: str) -> Page:
    """The same page in a language, the first one of that language where there is none."""
    path = _prefix(language) + page.file.src_uri.removeprefix(CHINESE)
    pages = {other.file.src_uri: other for other in navigations[language].pages}
    return pages.get(path, navigations[language].pages[0])
