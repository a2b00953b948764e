"""Colours as settings write them: `#rrggbb`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

HexColor = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
RGB = tuple[int, int, int]


def rgb(color: str) -> RGB:
    """`#rrggbb` as three numbers 0 … 255."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
