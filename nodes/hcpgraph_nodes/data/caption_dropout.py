"""`data.caption_dropout`: train the unconditional branch now and then."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from hcpgraph import Context, node
from hcpgraph.widgets import Slider

from ..text.draws import draw_keys
from ..types import Captions


@node("data.caption_dropout", effects="random")
def caption_dropout(
    ctx: Context,
    captions: Captions,
    *,
    probability: Annotated[float, Field(ge=0, le=1), Slider(step=0.01, primary=True)] = 0.1,
) -> Captions:
    """Replace captions by an empty text with some probability, so that classifier-free guidance works.

    Source: Ho & Salimans, "Classifier-Free Diffusion Guidance", 2022. It belongs at the end of a chain of text nodes:
    a template behind it would put words into the empty text. HCP-Diffusion calls it TagErase. Whether a caption is
    dropped depends on its sample key; captions without keys are told apart by their position.

    Args:
        captions: B captions.
        probability: Probability that a caption is dropped.
    """
    dropped = (ctx.seed(key) < probability * 2**63 for key in draw_keys(captions))
    texts = zip(captions.texts, dropped, strict=True)
    return replace(captions, texts=tuple("" if drop else text for text, drop in texts))
