"""`process.flow`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import Facts, node
from hcpgraph.widgets import Hint, Slider

from ..types import Process
from .kinds.flow import RectifiedFlow
from .kinds.shift import Shift

Factor = Annotated[float, Field(gt=0, le=100), Slider(step=0.1, primary=True)]
Mu = Annotated[float, Field(ge=-10, le=10), Hint(advanced=True)]
Tokens = Annotated[int, Field(ge=1, le=1048576), Hint(advanced=True)]
Terminal = Annotated[Annotated[float, Field(gt=0, lt=1)] | None, Hint(advanced=True)]
CLASS = "FlowMatchEulerDiscreteScheduler"


@node("process.flow", title="Rectified flow")
def flow(
    *,
    shift: Factor = 1.0,
    use_dynamic_shifting: bool = False,
    base_shift: Mu = 0.5,
    max_shift: Mu = 1.15,
    base_image_seq_len: Tokens = 256,
    max_image_seq_len: Tokens = 4096,
    shift_terminal: Terminal = None,
    patch: Annotated[int, Field(ge=1, le=64), Hint(advanced=True)] = 2,
) -> Annotated[Process, Facts(process="flow", predicts="flow", zero_snr=False, num_train_timesteps=1000)]:
    """A rectified flow, x_t = (1 − t) x_0 + t ε, whose network predicts ε − x_0.

    Wire it in place of a model's own process to train a network as a flow and to draw with it (Liu et al. 2022,
    https://arxiv.org/abs/2209.03003). A shift moves what diffusion.timesteps draws and the sampler's steps towards the
    noise; it changes neither x_t nor the target.

    Args:
        shift: s in t' = s t / (1 + (s − 1) t); 1 shifts nothing, SD 3 has 3 (Esser et al. 2024,
            https://arxiv.org/abs/2403.03206). Not read where the shift is dynamic.
        use_dynamic_shifting: s is e^μ, and μ lies on a line over the number of tokens, as FLUX.1 has it.
        base_shift: μ at base_image_seq_len tokens.
        max_shift: μ at max_image_seq_len tokens.
        base_image_seq_len: Tokens.
        max_image_seq_len: Tokens.
        shift_terminal: Noise level of the sampler's last step, to which its steps are stretched; none given: as they
            are. Training draws are not stretched.
        patch: Side of the square of latents that is one token; only a dynamic shift counts tokens.

    Returns:
        out: The process.

    Raises:
        GraphError: E_SETTING, base_image_seq_len is not below max_image_seq_len.
    """
    made = Shift(patch=patch).changed(
        shift=shift,
        use_dynamic_shifting=use_dynamic_shifting,
        base_shift=base_shift,
        max_shift=max_shift,
        base_image_seq_len=base_image_seq_len,
        max_image_seq_len=max_image_seq_len,
        shift_terminal=shift_terminal,
    )
    return RectifiedFlow(config={"_class_name": CLASS, "num_train_timesteps": 1000}).shifted(made)
