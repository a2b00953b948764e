"""Where an axis has its marks, and what is written there."""

from __future__ import annotations

import math


def linear_ticks(low: float, high: float, count: int) -> list[float]:
    """About `count` multiples of 1, 2, 2.5 or 5 · 10^n within [low, high] (Heckbert's nice numbers)."""
    span = high - low
    if not span > 0 or not math.isfinite(span):
        return [low]
    rough = span / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12 - math.floor(math.log10(step))) for i in range(first, last + 1)]


def log_ticks(low: float, high: float, count: int) -> list[float]:
    """Powers of ten within [low, high] (both > 0), with 2 and 5 or all digits between them where there is room."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for digits in ((1,), (1, 2, 5), (1, 2, 3, 4, 5, 6, 7, 8, 9)):
        ticks = [d * 10.0**e for e in range(first, last + 1) for d in digits]
        ticks = [t for t in ticks if low * (1 - 1e-9) <= t <= high * (1 + 1e-9)]
        if len(ticks) >= min(count, 3):
            every = -(-len(ticks) // (2 * count))
            return ticks[::every]
    return ticks if len(ticks) > 1 else linear_ticks(low, high, count)


def tick_labels(ticks: list[float]) -> list[str]:
    """Short texts in one unit for the whole axis: 0, 0.025; from 10,000 on in thousands, 2.5k, 10k; 2e-05."""
    largest = max(map(abs, ticks), default=0.0)
    unit, letter = next(((u, c) for u, c in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if largest >= max(u, 1e4)), (1.0, ""))
    return [_short(tick, unit, letter) for tick in ticks]


def _short(value: float, unit: float, letter: str) -> str:
    if value == 0:
        return "0"
    if abs(value) < 1e-3:
        mantissa, _, exponent = f"{value:.2e}".partition("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return f"{value / unit:.6g}{letter}"
