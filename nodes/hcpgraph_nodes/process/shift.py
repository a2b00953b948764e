"""`process.shift`."""

from __future__ import annotations

from typing import Any, TypeVar

from hcpgraph import GraphError, node

from ..types import Process
from .flow import Factor, Mu, Terminal, Tokens
from .kinds.flow import RectifiedFlow
from .refusals import no_shift

P = TypeVar("P", bound=Process)


@node("process.shift", title="Shift of a flow")
def shift(
    process: P,
    *,
    shift: Factor = 3.0,
    use_dynamic_shifting: bool = False,
    base_shift: Mu = 0.5,
    max_shift: Mu = 1.15,
    base_image_seq_len: Tokens = 256,
    max_image_seq_len: Tokens = 4096,
    shift_terminal: Terminal = None,
) -> P:
    """The same rectified flow with another shift of its training draws and of the sampler's steps.

    Args:
        process: A rectified flow, such as that of a model.
        shift: s in t' = s t / (1 + (s − 1) t), the same for all sizes. Not read where the shift is dynamic.
        use_dynamic_shifting: s is e^μ, and μ lies on a line over the number of tokens.
        base_shift: μ at base_image_seq_len tokens.
        max_shift: μ at max_image_seq_len tokens.
        base_image_seq_len: Tokens.
        max_image_seq_len: Tokens.
        shift_terminal: Noise level of the sampler's last step, to which its steps are stretched; none given: as they
            are.

    Returns:
        out: The process; what a token is stays as it was.

    Raises:
        GraphError: E_SCHEDULE, the process is no rectified flow; E_SETTING, the settings make no shift.
    """
    if not isinstance(process, RectifiedFlow):
        raise GraphError("E_SCHEDULE", no_shift(process.kind), port="process", hint="take process.flow")
    moved = process.shift.changed(
        shift=shift,
        use_dynamic_shifting=use_dynamic_shifting,
        base_shift=base_shift,
        max_shift=max_shift,
        base_image_seq_len=base_image_seq_len,
        max_image_seq_len=max_image_seq_len,
        shift_terminal=shift_terminal,
    )
    made: Any = process.shifted(moved)
    return made  # type: ignore[no-any-return]
