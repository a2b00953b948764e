"""`value.text`: a text."""

from __future__ import annotations

from typing import Annotated

from hcpgraph import node
from hcpgraph.widgets import TextArea


@node("value.text", fold=True)
def text(*, value: Annotated[str, TextArea(primary=True)] = "") -> str:
    """A text, for several settings that share it.

    Args:
        value: The text.
    """
    return value
