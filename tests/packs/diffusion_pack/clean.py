"""What a denoiser's prediction says of the clean latents."""

from hcpgraph_nodes.types import Latents, NoisyLatents, Prediction, Process, Timesteps, wide

from hcpgraph import node


@node("clean.estimate")
def estimate(noisy: NoisyLatents, prediction: Prediction, timesteps: Timesteps, schedule: Process) -> Latents:
    """x_0 of x_t and the predicted noise.

    Args:
        noisy: x_t.
        prediction: The predicted noise.
        timesteps: t.
        schedule: The forward process.
    """
    signal, spread = (wide(each(timesteps.data), noisy.data) for each in (schedule.alpha, schedule.sigma))
    return Latents((noisy.data - spread * prediction.data) / signal, noisy.keys)
