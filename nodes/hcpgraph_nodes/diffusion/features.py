"""`diffusion.features`."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import Field

from hcpgraph import Facts, Port, Whole, node
from hcpgraph.widgets import LayerPicker

from ..model.bundle import Model
from ..model.handles import Denoiser
from ..plugins.blocks.taps import features_of, recorder
from ..types import Conditioning, CropInfo, Features, NoisyLatents, Prediction, Process, Timesteps
from .predict import predict


class Seen(NamedTuple):
    """A prediction, and what hidden layers gave on the way to it."""

    prediction: Annotated[Prediction, Facts(prediction=Port("schedule", "predicts"))]
    features: list[Features]


@node(
    "diffusion.features",
    packages=("diffusers",),
    takes={"model": Whole(Model, denoiser="denoiser", process="schedule")},
    title="Predict with features",
)
def features(
    denoiser: Denoiser,
    noisy: NoisyLatents,
    timesteps: Timesteps,
    conditioning: Conditioning,
    sizes: CropInfo | None = None,
    schedule: Process | None = None,
    *,
    layers: Annotated[list[str], Field(min_length=1, max_length=64), LayerPicker(of="denoiser", primary=True)],
) -> Seen:
    """Run the denoiser once, as diffusion.predict does, and read what hidden layers give, with gradients of both.

    It is for losses of hidden states, such as REPA (Yu et al. 2024, https://arxiv.org/abs/2410.06940), for the
    distillation of features and for discriminators on them.

    Args:
        model: The model on one wire, instead of denoiser and schedule.
        denoiser: The model, with the plugins of its wire: what is read is what they make of it.
        noisy: Latents at the noise level of their timesteps (B, C, h, w).
        timesteps: Timesteps (B,).
        conditioning: What leads it: text and conditions of B samples, or of one for all.
        sizes: Sizes of the pictures before and after cropping (B, 6), which models such as SDXL read.
        schedule: The forward process, see diffusion.predict.
        layers: Selectors of the layers that are read, their outputs, or with pre_hook: their inputs; a layer that runs
            several times is read the first time.

    Returns:
        prediction: The prediction (B, C, h, w) and what it means.
        features: One for each layer that the selectors match, in their order, for value.pick: (B, L, D) with their
            grid where its tokens lie in the latents (maps (B, D, h, w) are tokens row by row), or (B, D).

    Raises:
        GraphError: E_SELECTOR, E_NO_LAYER; E_FEATURES, a layer that did not run or that gives neither vectors, tokens
            nor maps; what diffusion.predict raises.
    """
    plugin = recorder(denoiser, layers)
    seen: dict[str, object] = {}
    told = denoiser.attach(plugin).with_inputs(**{plugin.record: seen})
    made = predict(told, noisy, timesteps, conditioning, sizes, schedule)
    rows, columns = noisy.data.shape[-2:]
    return Seen(made, [features_of(seen, name, (rows, columns), noisy.keys) for name in plugin.names])
