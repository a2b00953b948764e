"""What an optimizer wire carries."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from hcpgraph import GraphError
from hcpgraph.types import port_type
from hcpgraph_nodes.types import Params

if TYPE_CHECKING:
    import torch
    from diffusers.training_utils import EMAModel

    from hcpgraph_nodes.optim.scheduler import Scheduler


@port_type(color="#8a9a5b", shape="square", weights="carries")
@dataclass(frozen=True, slots=True)
class Optimizer:
    """A torch optimizer over named parameters.

    Attributes:
        names: The parameters by unique name.
        groups: Names of its parameter groups, in its order.
        schedulers: Schedules of the learning rate: none or one.
        clip: Norm that gradients are cut to; 0 leaves them alone.
        average: Moving average of the parameters, an EMAModel of diffusers.
    """

    optimizer: torch.optim.Optimizer
    names: dict[str, Any]
    groups: tuple[str, ...] = ()
    schedulers: tuple[Scheduler, ...] = ()
    clip: float = 0.0
    average: EMAModel | None = None

    def scheduled(self, scheduler: Scheduler) -> Optimizer:
        """The same with a schedule.

        Raises:
            GraphError: E_SETTING, it has one already.
        """
        if self.schedulers:
            hint = "keep one of the two: each sets the learning rate by itself"
            raise GraphError("E_SETTING", "the optimizer already has a schedule", port="optimizer", hint=hint)
        return replace(self, schedulers=(scheduler,))


class Grouped(NamedTuple):
    """Parameter groups of torch, all parameters by unique name, and the name of every group."""

    groups: list[dict[str, Any]]
    names: dict[str, Any]
    labels: tuple[str, ...]


def rates(optimizers: tuple[Optimizer, ...]) -> dict[str, float]:
    """The learning rates of all parameter groups by the names of their metrics: `lr`, or `lr/GROUP` where there are
    several; groups of one name are numbered from the second on.
    """
    found: dict[str, float] = {}
    count: Counter[str] = Counter()
    for item in optimizers:
        for place, group in enumerate(item.optimizer.param_groups):
            name = item.groups[place] if place < len(item.groups) else "group"
            count[name] += 1
            found[f"lr/{name}" if count[name] == 1 else f"lr/{name}#{count[name]}"] = float(group["lr"])
    return {"lr": next(iter(found.values()))} if len(found) == 1 else found


def check_apart(optimizers: tuple[Optimizer, ...]) -> None:
    """Whether no parameter is in two optimizers, which would both step on the same gradient.

    Raises:
        GraphError: E_PARAMS.
    """
    seen: set[int] = set()
    for item in optimizers:
        for name, tensor in item.names.items():
            if id(tensor) in seen:
                raise GraphError(
                    "E_PARAMS",
                    f"'{name}' is trained by two of the optimizers",
                    port="optimizer",
                    hint="wire the params of every node to one optimizer",
                )
            seen.add(id(tensor))


def param_groups(params: tuple[Params, ...], lr: float) -> Grouped:
    """Torch parameter groups, each with its learning rate, and the names of parameters and groups.

    Args:
        params: What is trained.
        lr: Learning rate of groups without one; a group's `lr_scale` multiplies what it has. Schedules scale the
            result, so that the proportions between groups stay.

    Raises:
        GraphError: E_PARAMS, nothing to train, or a parameter that is given twice.
    """
    groups: list[dict[str, Any]] = []
    names: dict[str, Any] = {}
    seen: dict[int, str] = {}
    labels: list[str] = []
    for part in params:
        for group in part.groups:
            tensors = []
            for name, tensor in group["params"].items():
                full = f"{group['name']}/{name}"
                if id(tensor) in seen:
                    raise GraphError(
                        "E_PARAMS",
                        f"'{full}' is already trained as '{seen[id(tensor)]}'",
                        port="params",
                        hint="give every parameter to one optimizer group only: narrow the layer selectors",
                    )
                if full in names:
                    full = f"{full}#{len(names)}"
                seen[id(tensor)] = full
                names[full] = tensor
                tensors.append(tensor)
            own = group.get("lr")
            options = {"lr": (lr if own is None else own) * group.get("lr_scale", 1.0)}
            if group.get("weight_decay") is not None:
                options["weight_decay"] = group["weight_decay"]
            if tensors:
                groups.append({"params": tensors, **options})
                labels.append(str(group["name"]))
    if not names:
        raise GraphError("E_PARAMS", "there is nothing to train", port="params", hint="check the layer selectors")
    return Grouped(groups, names, tuple(labels))
