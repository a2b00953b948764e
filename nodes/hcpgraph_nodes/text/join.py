"""`text.join`: several captions of a sample as one."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from hcpgraph import GraphError, Many, node
from hcpgraph.widgets import Hint

from ..types import Captions
from .fill import check_size


@node("text.join")
def join(
    captions: Many[Captions],
    *,
    separator: Annotated[str, Field(max_length=16), Hint(primary=True)] = ", ",
) -> Captions:
    """Join captions of the same samples: row i of the result is row i of all of them.

    Args:
        captions: Captions of the same samples, in the order in which they are joined. Empty ones are left out.
        separator: What stands between them.

    Raises:
        GraphError: E_BATCH, nothing is wired, or they are not of the same samples; E_TEXT_SIZE.
    """
    if not captions:
        raise GraphError("E_BATCH", "nothing is wired", port="captions", hint="wire captions to it")
    counts = [len(each.texts) for each in captions]
    if len(set(counts)) > 1:
        raise GraphError(
            "E_BATCH",
            f"{', '.join(map(str, counts))} captions cannot be joined row by row",
            port="captions",
            hint="wire captions of the same batch",
        )
    keys = {each.keys for each in captions if each.keys is not None}
    if len(keys) > 1:
        raise GraphError(
            "E_BATCH", "the captions are of different samples", port="captions", hint="wire captions of the same batch"
        )
    rows = list(zip(*(each.texts for each in captions), strict=True))
    for row in rows:
        check_size(sum(map(len, row)) + len(separator) * len(row))
    return replace(
        captions[0],
        texts=tuple(separator.join(text for text in row if text) for row in rows),
        keys=next(iter(keys), None),
        words=next((each.words for each in captions if each.words is not None), None),
    )
