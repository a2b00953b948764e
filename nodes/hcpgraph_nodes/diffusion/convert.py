"""`diffusion.convert`."""

from __future__ import annotations

from typing import Annotated, Literal

from hcpgraph import Facts, Setting, node
from hcpgraph.widgets import Hint

from ..process.kinds.predictions import converted
from ..types import NoisyLatents, Prediction, Process, Timesteps


@node("diffusion.convert", title="Convert a prediction")
def convert(
    prediction: Prediction,
    noisy: NoisyLatents,
    timesteps: Timesteps,
    process: Process,
    *,
    to: Annotated[Literal["epsilon", "v_prediction", "sample", "flow"], Hint(primary=True)] = "sample",
) -> Annotated[Prediction, Facts(prediction=Setting("to"))]:
    """What a prediction says in other words: which noise, which picture, which velocity.

    It carries gradients. A loss on it is that of the other prediction; the target is that of a process that
    predicts it, such as process.predict, or what another model predicts.

    Args:
        prediction: What the model predicted (B, C, h, w).
        noisy: What it was given (B, C, h, w), before preconditioning.
        timesteps: Its timesteps (B,).
        process: The forward process of both.
        to: The noise ε (epsilon), x_0 (sample), α ε − σ x_0 (v_prediction) or ε − x_0 (flow).

    Returns:
        out: The prediction (B, C, h, w) of that kind.

    Raises:
        GraphError: E_SCHEDULE, the prediction does not say it at one of the timesteps: the noise where nothing is left
            of the picture (zero terminal SNR), the picture where there is no noise; E_TIMESTEPS.
    """
    data = converted(process, prediction.kind, prediction.data, noisy.data, timesteps.data, to)
    return Prediction(data, to)
