"""Where sampling is: a side input that plugins of a denoiser get from sample.denoise (torch-free)."""

from __future__ import annotations

from typing import NamedTuple


class Progress(NamedTuple):
    """One step of sampling; there is none in training.

    Attributes:
        begin: Share of the steps that are done before this one, in [0, 1).
        end: Share of the steps that are done after it, in (0, 1].
        copies: How often the samples stand in the batch: twice where one call runs both sides of guidance.
    """

    begin: float
    end: float
    copies: int = 1
