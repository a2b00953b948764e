"""`model.reference`."""

from __future__ import annotations

from typing import Annotated, TypeVar

from hcpgraph import Facts, Port, node

from .handles import Handle, component

M = TypeVar("M", bound=Handle)


@node("model.reference", cache="none", title="Reference model")
def reference(model: M) -> Annotated[M, Facts(family=Port("model"))]:
    """A frozen copy of a model with its plugins as they are now, which stays so while the original is trained.

    It is for a model whose own weights are trained (model.trainable), and takes as much memory again. Where only
    plugins are trained no copy is needed: the wire before the plugin already is the reference and costs nothing.

    Args:
        model: A denoiser, text encoder, VAE or ControlNet; outside the training loop it is as it was before training.

    Returns:
        out: The copy.

    Raises:
        GraphError: E_NO_MODEL.
    """
    component(model)
    return model.copy({})
