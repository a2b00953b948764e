"""Torch-free: conditions fit the denoiser that they lead."""

from __future__ import annotations

from typing import Any

from hcpgraph.errors import Problem

from ..diffusion.predicts import PREDICTS
from ..families import table
from ..families.image_conditions import CHANNELS, INPAINT, MADE_BY, NONE, OR, TOKENS
from ..pairs.told import error
from ..sample.samplers import NODES

READERS = {**dict.fromkeys(PREDICTS, ("conditioning",)), **dict.fromkeys(NODES, ("positive",))}
"""Node -> the ports whose conditions its denoiser reads; the negative side of sampling has those of the positive."""
PARTS = {INPAINT: "image_channels", CHANNELS: "image_channels", TOKENS: "image_tokens_"}


def conditions_are_read(view: Any) -> list[Problem]:
    """A denoiser gets the pictures that it reads, and nothing that its family does not read."""
    denoiser = view.facts.get("denoiser", {})
    reads, family = denoiser.get("image"), denoiser.get("family")
    known = table.conditions(family) if family else None
    found = []
    for port in READERS.get(view.type, ()):
        facts = view.facts.get(port, {})
        given = facts.get("image")
        if facts.get("guidance") and known is not None and "guidance" not in known:
            message = f"a denoiser of the family {family} reads no embedded guidance"
            hint = "take condition.guidance away, and set guidance in sample.denoise"
            found.append(error(view, "E_PARTS", port, message, hint))
        if given in PARTS and known is not None and PARTS[given] not in known:
            message = f"a denoiser of the family {family} reads no picture by {given}"
            found.append(error(view, "E_PARTS", port, message, "take condition.image away, or change by"))
        elif reads is not None and given in (NONE, *PARTS):
            accepted = reads.split(OR)
            if given not in accepted and {*accepted} <= {NONE, *PARTS}:
                found.append(_other(view, port, accepted, given))
    return found


def _other(view: Any, port: str, reads: list[str], given: str) -> Problem:
    has = "the conditioning has no picture" if given == NONE else f"the conditioning is of {MADE_BY[given]}"
    if NONE in reads:
        message, hint = (
            f"the denoiser reads no picture{' beside its latents' if len(reads) > 1 else ''}, and {has}",
            f"take {MADE_BY[given]} away, or load another model",
        )
    else:
        own = OR.join(MADE_BY[each] for each in reads)
        message, hint = f"the denoiser reads what {own} makes, and {has}", f"put {own} behind text.encode"
    return error(view, "E_CHANNELS", port, message, hint)


def image_guidance_compares(view: Any) -> list[Problem]:
    """Guidance by the picture needs one beside the channels of the latents."""
    scale = view.settings.get("image_guidance")
    given = view.facts.get("positive", {}).get("image")
    if view.type not in NODES or not isinstance(scale, int | float) or scale == 1:
        return []
    if given in (None, CHANNELS):
        return []
    message = f"image_guidance {scale:g} compares with what there is without the picture of condition.image"
    return [error(view, "E_PARTS", "image_guidance", message, "set it to 1, or wire condition.image to positive")]


RULES = (conditions_are_read, image_guidance_compares)
