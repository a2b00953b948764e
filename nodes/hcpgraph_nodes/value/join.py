"""`value.join`: several texts as one."""

from __future__ import annotations

from hcpgraph import Many, node

from ..text.fill import check_size


@node("value.join", fold=True)
def join(texts: Many[str], *, separator: str = ", ", skip_empty: bool = True) -> str:
    """Join texts in the order of their wires.

    Args:
        texts: The texts.
        separator: Put between them.
        skip_empty: Whether empty texts are left out, so that no separator stands alone.

    Raises:
        GraphError: E_TEXT_SIZE, the result would be too long.
    """
    kept = [text for text in texts if text or not skip_empty]
    check_size(sum(map(len, kept)) + len(separator) * len(kept))
    return separator.join(kept)
