"""What a denoiser's prediction says of the clean latents."""

from hcpgraph_nodes.diffusion.add_noise import coefficients
from hcpgraph_nodes.types import Latents, NoiseSchedule, NoisyLatents, Prediction, Timesteps

from hcpgraph import node


@node("clean.estimate")
def estimate(noisy: NoisyLatents, prediction: Prediction, timesteps: Timesteps, schedule: NoiseSchedule) -> Latents:
    """x_0 of x_t and the predicted noise.

    Args:
        noisy: x_t.
        prediction: The predicted noise.
        timesteps: t.
        schedule: The forward process.
    """
    signal, spread = coefficients(schedule, timesteps.data)
    return Latents((noisy.data - spread * prediction.data) / signal, noisy.keys)
