"""`diffusion.predict`."""

from __future__ import annotations

from typing import Annotated

from hcpgraph import Facts, GraphError, Port, Whole, node

from ..families.registry import family
from ..model.bundle import Model
from ..model.handles import Denoiser
from ..types import Conditioning, CropInfo, NoisyLatents, Prediction, Process, Timesteps


@node(
    "diffusion.predict",
    packages=("diffusers",),
    takes={"model": Whole(Model, denoiser="denoiser", process="schedule")},
)
def predict(
    denoiser: Denoiser,
    noisy: NoisyLatents,
    timesteps: Timesteps,
    conditioning: Conditioning,
    sizes: CropInfo | None = None,
    schedule: Process | None = None,
) -> Annotated[Prediction, Facts(prediction=Port("schedule", "predicts"))]:
    """Run the denoiser once, with the plugins of its wire.

    Args:
        model: The model on one wire, instead of denoiser and schedule.
        denoiser: The model.
        noisy: Latents at the noise level of their timesteps (B, C, h, w).
        timesteps: Timesteps (B,).
        conditioning: What leads it: text and conditions of B samples, or of one for all.
        sizes: Sizes of the pictures before and after cropping (B, 6), which models such as SDXL read; by default those
            of the latents, not cropped.
        schedule: The forward process, which says what is predicted and preconditions the network; a model that is
            trained for another process than its own, a flow and EDM need it. By default what the model was loaded for.

    Returns:
        out: The prediction (B, C, h, w) and what it means.

    Raises:
        GraphError: E_BATCH, sizes or conditions of another number of pictures; E_POOLED and E_PARTS, a conditioning
            without a part that the model needs, or with one that it does not read; E_CHANNELS, other latents;
            E_TIMESTEPS, times of another process.
    """
    count = len(noisy.data)
    if sizes is not None and len(sizes.data) not in (1, count):
        message = f"{len(sizes.data)} rows of sizes for {count} samples"
        raise GraphError("E_BATCH", message, port="sizes", hint="wire the sizes of the same batch")
    read = None if sizes is None else sizes.data
    latents, times = noisy.data, timesteps.data
    if schedule is not None:
        latents, times = schedule.network_input(latents, times)
    elif times.is_floating_point():
        message = "noise levels mean nothing to a network without the process that they are of"
        raise GraphError("E_TIMESTEPS", message, port="schedule", hint="wire the process of the timesteps to schedule")
    data = family(denoiser.family).predict(denoiser, latents, times, conditioning.rows(count), read)
    if schedule is None:
        return Prediction(data, denoiser.prediction_type)
    return Prediction(schedule.network_output(data), schedule.prediction_type)
