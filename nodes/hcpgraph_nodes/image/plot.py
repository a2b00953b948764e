"""`image.plot`: curves over steps, drawn with Pillow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from hcpgraph import Context, GraphError, Many, node
from hcpgraph.widgets import Slider

from ..types import Curve, Images
from .fonts import font_for
from .pixels import from_pixels
from .ticks import linear_ticks, log_ticks, tick_labels

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

    from .fonts import Font

COLORS = ("#2f6fde", "#e4572e", "#2a9d5c", "#8f5bd6", "#d9a514", "#14a3b8", "#d6457f", "#6b7280")
INK, QUIET, GRID, PAPER = "#1f2430", "#6b7280", "#e6e8ec", "#ffffff"
SCALE = 3
FONT = 13


@dataclass(frozen=True)
class Line:
    """One curve: steps and values (N,), the smoothed values, and how it is shown."""

    name: str
    x: np.ndarray
    y: np.ndarray
    smooth: np.ndarray
    color: str


@node("image.plot")
def plot(
    ctx: Context,
    curves: Many[Curve],
    *,
    title: str = "",
    names: list[str] = [],  # noqa: B006 - a default of the schema, never changed
    smoothing: Annotated[float, Field(ge=0, lt=1), Slider(step=0.01, primary=True)] = 0.9,
    log_scale: bool = False,
    width: Annotated[int, Field(ge=200, le=4096), Slider(step=8)] = 800,
    height: Annotated[int, Field(ge=150, le=4096), Slider(step=8)] = 450,
    x_label: str = "step",
) -> Images:
    """Draw curves over steps, such as the training loss: smoothed, with the raw values behind.

    Smoothing is the exponential moving average over steps without start-up bias, as TensorBoard draws it for values at
    every step: m_t = s · m_(t−1) + (1 − s) · x_t, shown as m_t / (1 − s^t); over a gap of n steps s counts n times, so
    that a validation loss at every 50th step keeps its own values. The number behind a name is its last smoothed value.
    Values that are not finite leave a gap, and their number stands behind the name; a few outliers are cut off at the
    frame so that the rest stays readable.

    Args:
        curves: Each may hold several series.
        title: Text above the picture.
        names: Names of the wires, in order; a wire without one keeps the names of its series.
        smoothing: 0 draws the values as they are; 0.9 averages over about ten steps.
        log_scale: Whether the value axis is logarithmic; values ≤ 0 are left out.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        x_label: Text below the horizontal axis.

    Returns:
        out: One picture (1, 3, height, width), float32 in [0, 1].

    Raises:
        GraphError: E_PLOT, no curve holds a value that can be drawn; E_FONT.
    """
    lines = _lines(curves, names, smoothing, log_scale)
    if not any(np.isfinite(line.y).any() for line in lines):
        raise GraphError("E_PLOT", "there is no finite value to draw", hint="look at the losses: are they nan?")
    texts = [title, x_label, *(line.name for line in lines)]
    font = font_for(ctx, texts)
    fonts = font(FONT * SCALE), font(round(FONT * 1.3) * SCALE)
    return from_pixels([_draw(lines, title, x_label, smoothing > 0, log_scale, width, height, fonts)])


def smoothed(steps: np.ndarray, values: np.ndarray, factor: float) -> np.ndarray:
    """Exponential moving average without start-up bias (Kingma & Ba's correction); nan stays nan and is skipped."""
    result = np.full(len(values), np.nan)
    mean, weight, before = 0.0, 0.0, 0.0
    for i, (step, value) in enumerate(zip(steps.tolist(), values.tolist(), strict=True)):
        if math.isfinite(value):
            kept = factor ** max(step - before, 0.0) if weight else 0.0
            mean = kept * mean + (1 - factor) * value
            weight = kept * weight + (1 - factor)
            result[i], before = mean / weight, step
    return result


def _lines(curves: tuple[Curve, ...], names: list[str], smoothing: float, log_scale: bool) -> list[Line]:
    lines: list[Line] = []
    for wire, curve in enumerate(curves):
        for series, points in curve.series.items():
            table = np.array(points, np.float64).reshape(-1, 2)
            table = table[np.argsort(table[:, 0], kind="stable")]
            y = np.where(np.isfinite(table[:, 1]) & ((table[:, 1] > 0) | (not log_scale)), table[:, 1], np.nan)
            missing = np.count_nonzero(~np.isfinite(table[:, 1]))
            if not missing and not np.isfinite(y).any():
                continue
            given = names[wire] if wire < len(names) else ""
            name = (f"{given} {series}" if len(curve.series) > 1 else given) if given else series
            name = f"{name} ({missing} not finite)" if missing else name
            lines.append(
                Line(name, table[:, 0], y, smoothed(table[:, 0], y, smoothing), COLORS[len(lines) % len(COLORS)])
            )
    return lines


def _limits(lines: list[Line], log_scale: bool) -> tuple[float, float]:
    """Range of the value axis: all smoothed values, and the raw ones but for the outermost percent, with a margin."""
    raw = np.concatenate([line.y[np.isfinite(line.y)] for line in lines])
    calm = np.concatenate([line.smooth[np.isfinite(line.smooth)] for line in lines])
    if log_scale:
        raw, calm = np.log10(raw), np.log10(calm)
    low = min(calm.min(), np.quantile(raw, 0.005))
    high = max(calm.max(), np.quantile(raw, 0.99))
    margin = (high - low) * 0.05 or max(abs(high) * 0.1, 0.05)
    bottom = low - margin
    if not log_scale and low >= 0:
        bottom = 0.0 if low < 0.4 * high else max(bottom, 0.0)
    return float(bottom), float(high + margin)


def _draw(
    lines: list[Line],
    title: str,
    x_label: str,
    faint: bool,
    log_scale: bool,
    width: int,
    height: int,
    fonts: tuple[Font, Font],
) -> np.ndarray:
    from PIL import Image, ImageDraw

    s = SCALE
    font, large = fonts
    canvas = Image.new("RGB", (width * s, height * s), PAPER)
    draw = ImageDraw.Draw(canvas)

    low, high = _limits(lines, log_scale)
    finite = [line.x[np.isfinite(line.y)] for line in lines]
    first, last = min(x.min() for x in finite if len(x)), max(x.max() for x in finite if len(x))
    if first == last:
        first, last = first - 0.5, last + 0.5
    rows = max(3, height // 60)
    y_ticks = log_ticks(10**low, 10**high, rows) if log_scale else linear_ticks(low, high, rows)
    y_texts = tick_labels(y_ticks)

    margin = 16 * s
    left = margin + 10 * s + round(max(font.getlength(text) for text in y_texts))
    right = width * s - margin
    top = margin + (28 * s if title else 0)
    if title:
        draw.text((left, margin - 4 * s), title, fill=INK, font=large)
    top = _legend(draw, lines, left, right, top, font) + 10 * s
    bottom = height * s - margin - (40 if x_label else 22) * s

    def px(x: np.ndarray) -> np.ndarray:
        places: np.ndarray = left + (x - first) / (last - first) * (right - left)
        return places

    def py(y: np.ndarray) -> np.ndarray:
        value = np.log10(y) if log_scale else y
        heights: np.ndarray = bottom - (value - low) / (high - low) * (bottom - top)
        return heights

    for y, text in zip(py(np.array(y_ticks)), y_texts, strict=True):
        draw.line([(left, y), (right, y)], fill=GRID, width=s)
        draw.text((left - 8 * s, y), text, fill=QUIET, font=font, anchor="rm")
    x_ticks = linear_ticks(float(first), float(last), max(2, (right - left) // (90 * s)))
    for x, text in zip(px(np.array(x_ticks)), tick_labels(x_ticks), strict=True):
        draw.line([(x, bottom), (x, bottom + 5 * s)], fill=QUIET, width=s)
        draw.text((x, bottom + 8 * s), text, fill=QUIET, font=font, anchor="ma")
    if x_label:
        draw.text(((left + right) / 2, bottom + 26 * s), x_label, fill=QUIET, font=font, anchor="ma")

    area = (left, round(top), right, round(bottom))
    if faint:
        for line in lines:
            _curve(canvas, area, px(line.x), py(line.y), _pale(line.color), s)
    for line in lines:
        _curve(canvas, area, px(line.x), py(line.smooth), line.color, round(2.2 * s))
    draw.line([(left, bottom), (right, bottom)], fill=QUIET, width=s)
    picture: np.ndarray = np.asarray(canvas.resize((width, height), Image.Resampling.LANCZOS))
    return picture


def _legend(
    draw: ImageDraw.ImageDraw,
    lines: list[Line],
    left: int,
    right: int,
    top: int,
    font: Font,
) -> int:
    """Colour, name and last value of every line, in as many rows as they need; returns where the rows end."""
    s, x, row = SCALE, left, 22 * SCALE
    for line in lines:
        shown = line.smooth[np.isfinite(line.smooth)]
        text = f"{line.name}  {shown[-1]:.4g}" if len(shown) else line.name
        needed = 26 * s + font.getlength(text) + 20 * s
        if x > left and x + needed - 20 * s > right:
            x, top = left, top + row
        y = top + row / 2
        draw.line([(x, y), (x + 18 * s, y)], fill=line.color, width=round(2.6 * s))
        draw.text((x + 26 * s, y), text, fill=INK, font=font, anchor="lm")
        x += round(needed)
    return top + row


def _curve(
    canvas: Image.Image, area: tuple[int, int, int, int], x: np.ndarray, y: np.ndarray, color: str, width: int
) -> None:
    """Draw a line inside `area` only; nan breaks it, a lone point becomes a dot."""
    from PIL import ImageDraw

    x0, y0, x1, y1 = area
    pad = width
    box = (x0 - 2 * pad, y0 - pad, x1 + 2 * pad, y1 + pad)
    layer = canvas.crop(box)
    draw = ImageDraw.Draw(layer)
    good = np.isfinite(y)
    ends = np.flatnonzero(np.diff(np.concatenate(([0], good.astype(np.int8), [0]))))
    for begin, end in ends.reshape(-1, 2):
        points = _thin(x[begin:end] - box[0], np.clip(y[begin:end], y0 - 4000, y1 + 4000) - box[1])
        if len(points) == 1:
            (cx, cy), r = points[0], 1.6 * width
            draw.ellipse([cx - r, cy - r, cx + r, cy + r], fill=color)
        else:
            draw.line(points, fill=color, width=width, joint="curve")
    canvas.paste(layer, box)


def _thin(x: np.ndarray, y: np.ndarray) -> list[tuple[float, float]]:
    """At most the lowest and the highest point of every pixel column, in order."""
    if len(x) > 4 * (x[-1] - x[0] + 1):
        column = x.astype(np.int64)
        starts = np.flatnonzero(np.diff(column, prepend=column[0] - 1))
        keep = set()
        for begin, end in zip(starts, [*starts[1:], len(x)], strict=True):
            keep |= {begin + int(y[begin:end].argmin()), begin + int(y[begin:end].argmax())}
        chosen = sorted(keep)
        x, y = x[chosen], y[chosen]
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _pale(color: str) -> str:
    parts = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(255 - (255 - part) * 0.32):02x}" for part in parts)
