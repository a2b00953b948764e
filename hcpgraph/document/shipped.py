"""Where the graphs that ship with hcpgraph lie: in the installed package, or in the `graphs` folder of a checkout."""

from __future__ import annotations

from pathlib import Path

INSTALLED = Path(__file__).resolve().parents[1] / "graphs"
CHECKOUT = INSTALLED.parents[1] / "graphs"
PARTS = "parts"
"""The folder of the bodies that the graphs have copies of."""

ALGORITHMS = (
    "controlnet",
    "custom_diffusion",
    "dora",
    "dreamartist",
    "dreamartist_plus",
    "dreambooth",
    "full",
    "locon",
    "loha",
    "lokr",
    "lora",
    "lora_word",
    "textual_inversion",
)
MOVED = {f"train/{name}_sdxl": f"train/{name}" for name in ALGORITHMS}
"""Names of graphs that are gone -> those that took their place: one file serves every family."""


def notice(old: str) -> str:
    """What is said to who asks for a graph that is gone."""
    return f"{old} is {MOVED[old]} now, which serves every family: set model to yours"


def moved(asked: str) -> str | None:
    """The whole name of a graph that is gone, by its name or the last part of it."""
    return next((old for old in MOVED if asked in (old, old.rpartition("/")[2])), None)


def folder() -> Path:
    """Where the templates lie."""
    return INSTALLED if INSTALLED.is_dir() else CHECKOUT


def names(place: Path | None = None) -> dict[str, Path]:
    """Template name, such as `quickstart/train_lora`, -> file, sorted; nothing is opened."""
    place = place or folder()
    files = (path for path in sorted(place.rglob("*.json")) if path.parent.name != PARTS)
    return {path.relative_to(place).with_suffix("").as_posix(): path for path in files}
