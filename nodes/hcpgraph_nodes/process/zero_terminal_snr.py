"""`process.zero_terminal_snr`."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from hcpgraph import Facts, GraphError, node

from ..families.file_marks import ZERO_SNR
from ..families.schedule import read
from ..types import Process
from .kinds.vp import VariancePreserving
from .refusals import HINT, IMPOSSIBLE, no_signal, no_table

P = TypeVar("P", bound=Process)


@node("process.zero_terminal_snr", title="Zero terminal SNR")
def zero_terminal_snr(process: P) -> Annotated[P, Facts(zero_snr=True)]:
    """The same process, rescaled so that nothing is left of the picture at its last timestep.

    A model that never saw pure noise in training, but begins with it in sampling, makes pictures of medium brightness.
    Sampling then takes the timesteps from the last one on (spacing trailing). Source: Lin et al. 2023,
    https://arxiv.org/abs/2305.08891 (algorithm 1), as diffusers' rescale_zero_terminal_snr.

    Args:
        process: A process with a table of timesteps whose network predicts v_prediction or sample: put process.predict
            in front of it for a model that predicts the noise.

    Returns:
        out: The process.

    Raises:
        GraphError: E_SCHEDULE, a flow or EDM, or a network that predicts the noise.
    """
    if not isinstance(process, VariancePreserving):
        message = no_table(process.kind, "zero terminal SNR")
        raise GraphError("E_SCHEDULE", message, port="process", hint="take the process of a model with a table")
    if process.prediction_type == IMPOSSIBLE:
        raise GraphError("E_SCHEDULE", no_signal(process.prediction_type), port="process", hint=HINT)
    made: Any = read({**process.config, **ZERO_SNR}, process.alphas_cumprod.device)
    return made  # type: ignore[no-any-return]
