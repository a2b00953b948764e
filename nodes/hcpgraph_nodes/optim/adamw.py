"""AdamW."""

from typing import Annotated

import torch
from pydantic import Field

from hcpgraph import Many, node
from hcpgraph.widgets import Hint, Slider
from hcpgraph_nodes.optim.optimizer import Optimizer, param_groups
from hcpgraph_nodes.types import Params


@node("optim.adamw", effects="resource")
def adamw(
    params: Many[Params],
    *,
    lr: Annotated[float, Field(ge=0), Slider(log=True, primary=True)] = 1e-4,
    weight_decay: Annotated[float, Field(ge=0)] = 0.01,
    beta1: Annotated[float, Field(ge=0, lt=1), Hint(advanced=True)] = 0.9,
    beta2: Annotated[float, Field(ge=0, lt=1), Hint(advanced=True)] = 0.999,
    eps: Annotated[float, Field(gt=0), Hint(advanced=True)] = 1e-8,
    max_grad_norm: Annotated[float, Field(ge=0), Hint(advanced=True)] = 1.0,
) -> Optimizer:
    """AdamW: Adam with decoupled weight decay. Source: https://arxiv.org/abs/1711.05101, torch.optim.AdamW.

    Args:
        params: What is trained; a group with its own learning rate or weight decay keeps it.
        lr: Learning rate.
        weight_decay: Decoupled weight decay.
        beta1: Decay of the mean of the gradients.
        beta2: Decay of the mean of the squared gradients.
        eps: Added to the denominator.
        max_grad_norm: L2 norm over all parameters that gradients are cut to before a step; 0 leaves them alone.
    """
    groups, names, labels = param_groups(params, lr)
    optimizer = torch.optim.AdamW(groups, lr=lr, weight_decay=weight_decay, betas=(beta1, beta2), eps=eps)
    return Optimizer(optimizer, names, labels, clip=max_grad_norm)
