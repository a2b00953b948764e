"""What every block of a plugin is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any, ClassVar, Self

from torch import nn

from hcpgraph import GraphError
from hcpgraph.errors import did_you_mean

from ...model.handles import Handle


class Block(nn.Module):
    """What a plugin does at a layer, or between layers: a subclass of one of the four kinds.

    Attributes:
        wraps: Classes of the layers it is made for: it is attached to every such layer among and below the selected
            ones. Without any it is attached to the selected layers themselves.
        wants: Side inputs that its `forward` takes by name.
        hyper_params: Attributes that `set_hyper_params` may change.
        handles: Other models that it calls; who trains, copies or registers its host does so with them.
    """

    wraps: ClassVar[tuple[type[nn.Module], ...]] = ()
    wants: tuple[str, ...] = ()
    hyper_params: ClassVar[tuple[str, ...]] = ()
    handles: tuple[Handle, ...] = ()

    def acts(self, inputs: Mapping[str, Any]) -> bool:
        """Whether it takes part in a call with these side inputs; asked before every call."""
        return True

    def options(self) -> dict[str, Any]:
        """The arguments that it was made with beside its layers, as JSON has them, for a file of its own."""
        return {}

    def set_hyper_params(self, **values: Any) -> None:
        """Change numbers that are no weights, such as a strength.

        Raises:
            GraphError: E_HYPER_PARAM, it has no such number.
        """
        self.check_hyper_params(values)
        for name, value in values.items():
            setattr(self, name, value)

    def scaled(self, factor: float) -> Self:
        """A block over the same weights with `factor` times the strength; this one stays as it is.

        Raises:
            GraphError: E_HYPER_PARAM, it has no strength.
        """
        self.check_hyper_params(("strength",))
        made: Any = copy(self)
        made.strength = made.strength * factor
        scaled: Self = made
        return scaled

    def check_hyper_params(self, names: Iterable[str]) -> None:
        """Whether all these numbers can be set.

        Raises:
            GraphError: E_HYPER_PARAM.
        """
        for name in names:
            if name not in self.hyper_params:
                raise GraphError(
                    "E_HYPER_PARAM",
                    f"{type(self).__name__} has no '{name}' to set",
                    hint=did_you_mean(name, self.hyper_params, "numbers to set"),
                )
