"""Where the graphs that ship with hcpgraph lie: in the installed package, or in the `graphs` folder of a checkout."""

from __future__ import annotations

from pathlib import Path

INSTALLED = Path(__file__).resolve().parents[1] / "graphs"
CHECKOUT = INSTALLED.parents[1] / "graphs"


def folder() -> Path:
    """Where the templates lie."""
    return INSTALLED if INSTALLED.is_dir() else CHECKOUT


def names(place: Path | None = None) -> dict[str, Path]:
    """Template name, such as `quickstart/train_lora`, -> file, sorted; nothing is opened."""
    place = place or folder()
    return {path.relative_to(place).with_suffix("").as_posix(): path for path in sorted(place.rglob("*.json"))}
