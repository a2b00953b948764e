"""`model.join`."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from hcpgraph import Facts, GraphError, Port, Whole, node

from ..types import Process
from .bundle import Model
from .handles import Denoiser, TextEncoder, Vae


class Joined(NamedTuple):
    """A model of several sources."""

    model: Annotated[Model, Facts(family=Port("denoiser"))]


@node(
    "model.join",
    cache="none",
    title="Join model",
    takes={"base": Whole(Model, denoiser="denoiser", text_encoder="text_encoder", vae="vae", process="process")},
)
def join(
    denoiser: Denoiser | None = None,
    text_encoder: TextEncoder | None = None,
    vae: Vae | None = None,
    process: Process | None = None,
) -> Joined:
    """Make one model of parts: from several files, or a model of which one part is another one.

    Whether parts fit each other is checked before anything is loaded.

    Args:
        base: A model whose parts are taken where nothing else is wired.
        denoiser: The network that predicts.
        text_encoder: The text encoder.
        vae: The autoencoder.
        process: The forward process that the denoiser was trained with.

    Returns:
        model: The model on one wire.

    Raises:
        GraphError: E_NO_MODEL, nothing is wired.
    """
    made = Model(denoiser=denoiser, text_encoder=text_encoder, vae=vae, process=process)
    if not made.handles and process is None:
        raise GraphError("E_NO_MODEL", "there is nothing to join", port="base", hint="wire a model or parts of one")
    return Joined(made)
