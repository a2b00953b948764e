"""`text.replace`: pieces of captions written differently."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace as with_
from typing import Annotated

from pydantic import Field

from hcpgraph import GraphError, node
from hcpgraph.widgets import Hint

from ..types import Captions
from .patterns import replacer


@node("text.replace")
def replace(
    captions: Captions,
    *,
    find: Annotated[list[str], Field(min_length=1, max_length=4096), Hint(primary=True)] = ["_"],  # noqa: B006
    replacement: Annotated[str, Hint(primary=True)] = " ",
) -> Captions:
    r"""Replace pieces of captions; as it comes it makes spaces of the underscores of tags.

    Args:
        captions: B captions.
        find: What is replaced, one after the other. `re:` and a regular expression is what it matches:
            `re:(?<=[^\W_]{2})_|_(?=[^\W_]{2})` with a space makes spaces of underscores beside two letters or digits,
            and leaves `^_^`, `o_o` and `0_0` alone.
        replacement: What stands there instead; empty takes the pieces out. In patterns `\1` is the first group.

    Raises:
        GraphError: E_PATTERN, nothing to find, a pattern that cannot be read or takes too long, an unknown group.
    """
    swaps = [_swap(text, replacement) for text in find]
    texts = []
    for text in captions.texts:
        for swap in swaps:
            text = swap(text)
        texts.append(text)
    return with_(captions, texts=tuple(texts))


def _swap(find: str, replacement: str) -> Callable[[str], str]:
    if find.startswith("re:"):
        return replacer(find, replacement)
    if not find:
        raise GraphError("E_PATTERN", "there is nothing to find", port="find", hint="write a text, or remove the row")
    return lambda text: text.replace(find, replacement)
