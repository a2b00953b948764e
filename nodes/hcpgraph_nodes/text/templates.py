"""Which templates captions are put into, and whether their slots can be filled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from hcpgraph import Context
from hcpgraph.errors import GraphError, did_you_mean, listed

from ..types import Captions
from .draws import draw_keys
from .fill import slots
from .line_file import read_lines

CAPTION_ALONE = ["{caption}"]


def lines(ctx: Context, templates: Sequence[str], file: str | None) -> tuple[str, ...]:
    """The lines of the file if one is named, else the list.

    Raises:
        GraphError: E_TEMPLATE (both are set), E_NOT_FOUND, E_PATH, E_TEXT_FILE.
    """
    if file is None:
        return tuple(templates)
    if list(templates) != CAPTION_ALONE:
        raise GraphError("E_TEMPLATE", "templates and file are both set", hint="empty one of them")
    return read_lines(ctx.path(file), file)


def drawn(
    ctx: Context, captions: Captions, templates: tuple[str, ...], words: Mapping[str, object]
) -> Iterator[tuple[str, dict[str, str]]]:
    """For every caption the template that its sample key draws, and the values that its sample has for slots.

    All slots of all templates are checked, not those of the drawn ones alone: a slot without a value is found in the
    first step.

    Args:
        ctx: Where draws come from.
        captions: B captions.
        templates: At least one.
        words: Words that the caller has values for.

    Raises:
        GraphError: E_SLOT.
    """
    own: Sequence[Mapping[str, str]] = captions.words if captions.words is not None else [{}] * len(captions.texts)
    _check(_slots(templates) - {"caption"} - words.keys(), own, words)
    for text, key, values in zip(captions.texts, draw_keys(captions), own, strict=True):
        yield templates[ctx.seed(key) % len(templates)], {**values, "caption": text}


@lru_cache(maxsize=64)
def _slots(templates: tuple[str, ...]) -> frozenset[str]:
    return slots(templates)


def _check(wanted: frozenset[str], own: Sequence[Mapping[str, str]], words: Mapping[str, object]) -> None:
    """Every wanted slot has a value in every sample."""
    if not wanted:
        return
    missing = Counter(name for values in own for name in sorted(wanted - values.keys()))
    if not missing:
        return
    shown = listed(f"{{{name}}} ({count} of {len(own)} captions)" for name, count in missing.most_common())
    known = {"caption", *words, *(name for values in own for name in values)}
    hint = did_you_mean(missing.most_common(1)[0][0], known, "slots")
    raise GraphError("E_SLOT", f"slots without a value: {shown}", hint=hint)
