"""`errors.md`: every error code, made of the tables of the engine and of the node library.

What stands above the first heading of second order is written by hand and stays.
"""

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

from hcpgraph.error_codes import ErrorCode, error_codes

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "nodes/hcpgraph_nodes"
PAGES = {"en": ROOT / "docs/errors.md", "zh-CN": ROOT / "docs/zh-CN/errors.md"}
TITLES = {
    "en": ("Engine, command line, server and editor", "Node library", "What to do:"),
    "zh-CN": ("引擎、命令行、服务器与编辑器", "节点库", "处理方法："),
}


def page(language: str) -> str:
    """The whole page in a language."""
    head = PAGES[language].read_text(encoding="utf-8").partition("\n## ")[0].rstrip()
    engine_title, library_title, remedy = TITLES[language]
    engine, _ = error_codes((), language)
    both, _ = error_codes([LIBRARY], language)
    library = {code: one for code, one in both.items() if code not in engine}
    parts = [head, *_section(engine_title, engine, remedy), *_section(library_title, library, remedy)]
    return "\n\n".join(parts) + "\n"


def _section(title: str, codes: Mapping[str, ErrorCode], remedy: str) -> Iterator[str]:
    yield f"## {title}"
    for code, one in sorted(codes.items()):
        yield f"### {code}"
        yield escape(one.meaning, quote=False)
        yield f"**{remedy}** {escape(one.remedy, quote=False)}"


def write() -> None:
    """Write the pages into the docs."""
    for language, path in PAGES.items():
        path.write_text(page(language), encoding="utf-8")
