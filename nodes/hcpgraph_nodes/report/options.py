"""What a report is asked for, and who hears how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Options:
    """What a report is asked for.

    Attributes:
        samples: Samples of the contact sheet.
        decode: Whether every picture is decoded in full, as training will.
        language: Of warnings.
    """

    samples: int = 24
    decode: bool = False
    language: str = "en"
