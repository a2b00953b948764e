"""The report as one HTML file to keep: no scripts, nothing from elsewhere, light and dark."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from .rows import Pair, facts, training
from .words import Texts

if TYPE_CHECKING:
    from hcpgraph.data_report import DataReport, DataTile, LoaderReport

STYLE = Path(__file__).with_name("page.css")
IDS = 40
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(report: DataReport) -> str:
    """A complete HTML document."""
    words = Texts(report["lang"])
    title = escape(words("title"))
    parts = [f"<h1>{title}</h1>", f"<p>{escape(report['title'] or '')}</p>"]
    if report["problems"]:
        parts.append(f"<h2>{escape(words('problems'))}</h2><ul>")
        for problem in report["problems"]:
            place = ".".join(part for part in (problem.get("node"), problem.get("port")) if part)
            hint = f"<br><small>{escape(problem['hint'])}</small>" if problem.get("hint") else ""
            text = f"<code>{escape(problem['code'])}</code> {_code(place)}{escape(problem['message'])}{hint}"
            parts.append(f'<li class="{escape(problem["severity"])}">{text}</li>')
        parts.append("</ul>")
    for loader in report["loaders"]:
        parts += _loader(loader, words)
    if report["notes"]:
        parts.append(f"<h2>{escape(words('notes'))}</h2><ul>")
        parts += [f"<li>{_code(note['node'])}{escape(note['message'])}</li>" for note in report["notes"]]
        parts.append("</ul>")
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="{escape(report["lang"])}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f"<style>\n{STYLE.read_text(encoding='utf-8')}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _loader(loader: LoaderReport, words: Texts) -> Iterable[str]:
    yield f"<h2>{escape(words('loader', node=loader['node']))}</h2>"
    if loader["warnings"]:
        yield "<ul>"
        for warning in loader["warnings"]:
            ids = f"<br><small>{escape(', '.join(warning['ids']))}</small>" if warning["ids"] else ""
            yield f'<li><span class="warning">{escape(warning["message"])}</span>{ids}</li>'
        yield "</ul><br>"
    yield _pairs([*facts(loader, words), *(pair for one in loader["training"] for pair in training(one, words))])
    for texts in loader["texts"]:
        yield f"<h3>{escape(words('encoder', node=texts['node']))}</h3>"
        if "reason" in texts:
            yield f'<p class="warning">{escape(words("reason", reason=texts["reason"]))}</p>'
        yield "<table>"
        for one in texts["captions"]:
            yield f'<tr><td class="ids">{escape(one["id"])}</td><td>{escape(one["text"]) or "∅"}</td></tr>'
        yield "</table>"
    yield from _buckets(loader, words)
    if loader["sheet"]:
        yield f'<h3>{escape(words("sheet"))}</h3><div class="sheet">'
        yield from map(_tile, loader["sheet"])
        yield "</div>"


def _pairs(pairs: Iterable[Pair]) -> str:
    return f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd>{escape(value)}</dd>' for name, value in pairs)}</dl>"


def _buckets(loader: LoaderReport, words: Texts) -> Iterable[str]:
    numbers = ("number", "cropMean", "cropMax", "enlarged", "leftover")
    heads = "".join(f'<th scope="col" class="n">{escape(words(key))}</th>' for key in numbers)
    yield f'<h3>{escape(words("bucket"))}</h3><table><thead><tr><th scope="col">{escape(words("bucket"))}</th><td></td>'
    yield f'{heads}<th scope="col">{escape(words("ids"))}</th></tr></thead><tbody>'
    most = max((row["count"] for row in loader["buckets"]), default=1)
    for row in loader["buckets"]:
        more = f" {words('more', count=row['count'] - IDS)}" if row["count"] > IDS else ""
        cells = (row["count"], f"{row['crop_mean']:.1%}", f"{row['crop_max']:.1%}", row["enlarged"], row["leftover"])
        size = f"{row['width']}x{row['height']}"
        yield f'<tr><th scope="row">{size}</th>'
        yield f'<td><meter min="0" max="{most}" value="{row["count"]}" aria-label="{size}">{row["count"]}</meter></td>'
        yield "".join(f'<td class="n">{cell}</td>' for cell in cells)
        yield f'<td class="ids">{escape(", ".join(row["ids"][:IDS]) + more)}</td></tr>'
    yield "</tbody></table>"


def _tile(tile: DataTile) -> str:
    return (
        f'<figure><img src="{escape(tile["picture"])}" width="{tile["width"]}" height="{tile["height"]}" '
        f'alt="{escape(tile["id"])}"><figcaption>{escape(tile["caption"])}<small>{escape(tile["id"])}</small>'
        "</figcaption></figure>"
    )


def _code(place: str) -> str:
    return f"<code>{escape(place)}</code> " if place else ""
