"""`process.predict`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal, TypeVar

from hcpgraph import Facts, GraphError, Setting, node
from hcpgraph.widgets import Hint

from ..types import Process
from .kinds.vp import VariancePreserving
from .refusals import HINT, IMPOSSIBLE, no_signal, no_table

P = TypeVar("P", bound=Process)


@node("process.predict", title="Another prediction")
def predict(
    process: P,
    *,
    prediction_type: Annotated[Literal["epsilon", "v_prediction", "sample"], Hint(primary=True)] = "v_prediction",
) -> Annotated[P, Facts(predicts=Setting("prediction_type"))]:
    """The same process with a network that predicts something else: to train a model into another prediction.

    Wire it into diffusion.predict, diffusion.target and sample.denoise alike. What a model was trained to predict is a
    setting of model.load.

    Args:
        process: A process with a table of timesteps.
        prediction_type: The noise (epsilon), x_0 (sample), or α ε − σ x_0 (v_prediction).

    Returns:
        out: The process.

    Raises:
        GraphError: E_SCHEDULE, a flow or EDM, whose predictions are fixed, or epsilon where no signal is left.
    """
    if not isinstance(process, VariancePreserving):
        message = no_table(process.kind, "another prediction")
        raise GraphError("E_SCHEDULE", message, port="process", hint="take the process of a model with a table")
    if prediction_type == IMPOSSIBLE and process.zero_snr:
        raise GraphError("E_SCHEDULE", no_signal(prediction_type), port="prediction_type", hint=HINT)
    config = {**process.config, "prediction_type": prediction_type}
    made: Any = replace(process, prediction_type=prediction_type, config=config)
    return made  # type: ignore[no-any-return]
