"""What is wrong with texts that stand in a graph, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hcpgraph.errors import Problem

from ..families import table
from ..families.image_conditions import ASIDE
from ..words.limits import READ, at_least, lost, shown, weighted

TEXTS = {
    "text.prompt": ("texts",),
    "text.template": ("templates",),
    "text.template_pair": ("templates",),
    "text.affix": ("prefix", "suffix"),
    "data.texts": ("texts",),
}
"""Settings that become texts for an encoder; so does `trigger` of every node."""
PICTURES = ("images", "images_2", "images_3")
"""Ports of `text.encode` for pictures."""
WHOLE = frozenset({"text.prompt", "data.texts"})
"""Nodes whose texts are all that the encoder gets, unless they hold slots or wildcards."""


def constant_texts(view: Any) -> list[Problem]:
    """Texts that are longer than a text encoder reads, and weights that it does not understand."""
    found: list[Problem] = []
    for name, text in _texts(view):
        if view.type in WHOLE and "{" not in text and (count := at_least(text)) > READ:
            message = (
                f"'{shown(text)}' has at least {count} tokens, of which {READ} are read; lost is '{shown(lost(text))}'"
            )
            hint = "make it shorter, the most important words first"
            found.append(Problem("W_TEXT_CUT", message, node=view.node, port=name, hint=hint, severity="warning"))
        if pieces := weighted(text):
            message = f"'{pieces[0]}' weighs nothing: the text encoder reads parentheses and number as they stand there"
            hint = "take them out; there are no weights of words"
            found.append(Problem("W_PROMPT_WEIGHTS", message, node=view.node, port=name, hint=hint, severity="warning"))
    return found


def pictures_are_taken(view: Any) -> list[Problem]:
    """Pictures go to text encoders that take them, and to no cache."""
    port = next((name for name in PICTURES if name in view.connected), None)
    if view.type != "text.encode" or port is None:
        return []
    family = view.facts.get("text_encoder", {}).get("family")
    if family in table.families() and not table.said(family, "text_images"):
        message, hint = f"the text encoder of {family} takes no pictures", ASIDE
        return [Problem("E_IMAGES", message, node=view.node, port=port, hint=hint)]
    if view.settings.get("cache", "off") != "off":
        message = "the cache knows texts alone, and these are encoded with pictures"
        return [Problem("E_CACHE", message, node=view.node, port=port, hint="set cache to off")]
    return []


def _texts(view: Any) -> Iterator[tuple[str, str]]:
    for name in (*TEXTS.get(view.type, ()), "trigger"):
        value = view.settings.get(name)
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str):
                yield name, text
