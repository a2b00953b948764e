"""`model.split`."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from hcpgraph import Facts, Port, node

from ..types import Process
from .bundle import Model
from .handles import Denoiser, TextEncoder, Vae


class Split(NamedTuple):
    """The parts of a model."""

    denoiser: Annotated[Denoiser, Facts(family=Port("model"))]
    text_encoder: Annotated[TextEncoder, Facts(family=Port("model"))]
    vae: Annotated[Vae, Facts(family=Port("model"))]
    process: Process


@node("model.split", cache="none", title="Parts of a model")
def split(model: Model) -> Split:
    """Take a model apart.

    It is rarely needed: a wire with a model may end where one of its parts is wanted.

    Args:
        model: A model on one wire.

    Returns:
        denoiser: The network that predicts.
        text_encoder: The text encoder.
        vae: The autoencoder.
        process: The forward process that the denoiser was trained with.
    """
    parts: Any = (model.denoiser, model.text_encoder, model.vae, model.process)
    return Split(*parts)
