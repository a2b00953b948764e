"""Settings that bucket nodes share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph.widgets import Slider

from ...families.auto import Auto

Area = Annotated[int, Field(ge=64, le=2**26)] | Auto
"""Width times height in pixels; `auto`: as the family of the model has it."""
Step = Annotated[Annotated[int, Field(ge=1, le=512)] | Auto, Slider(step=8)]
"""What width and height are multiples of; `auto`: as the family of the model has it."""
