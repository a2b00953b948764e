"""`loss.kl`."""

from __future__ import annotations

from hcpgraph import node

from ..types import Loss, Posterior


@node("loss.kl", title="KL divergence")
def kl(posterior: Posterior) -> Loss:
    """Divergence of the latents' distribution from the standard normal one.

    ½ Σ (mean² + deviation² − 1 − ln deviation²) over the latents of a picture, then the mean over pictures.
    Source: Kingma & Welling 2013, https://arxiv.org/abs/1312.6114 (appendix B).

    Args:
        posterior: Mean and standard deviation of the latents (B, C, h, w).

    Returns:
        out: The divergence in nats, and B as the number of samples it stands for.
    """
    mean, deviation = posterior.mean, posterior.deviation
    terms = mean.square() + deviation.square() - 1 - 2 * deviation.log()
    return Loss(0.5 * terms.sum() / len(mean), len(mean))
