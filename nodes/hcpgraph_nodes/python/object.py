"""A class from any pip package, named by its dotted path and imported only if the user trusts it."""

from __future__ import annotations

import inspect
import os
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from hcpgraph import GraphError, node
from hcpgraph.trust import resolve
from hcpgraph.types import port_type


@port_type(color="#9aa3ad", shape="diamond")
@dataclass(frozen=True)
class PythonObject:
    """A trusted class and the arguments to make an object of it."""

    cls: type[Any]
    args: dict[str, Any] = field(default_factory=dict)

    def make(self, *first: Any) -> Any:
        """A new object: `first` are positional arguments that only the run knows, such as parameters.

        Raises:
            GraphError: E_OBJECT, the class refuses its arguments.
        """
        try:
            return self.cls(*first, **deepcopy(self.args))
        except Exception as error:
            message = f"{self.cls.__name__} refuses its arguments: {type(error).__name__}: {error}"
            raise GraphError("E_OBJECT", message, port="args", hint=_signature(self.cls)) from error


@node("python.object", classes=("path",), title="Python object")
def python_object(*, path: str, args: dict[str, Any] = {}) -> PythonObject:  # noqa: B006
    """A class of any installed package: an optimizer, a loss, a scheduler, a transform.

    The class is imported only if it is on the shipped list or on your own (`hcpgraph trust list`); a graph file cannot
    add to them. Arguments are JSON values; what only the run knows is given by the node that takes the object.

    Args:
        path: The class, written package.module:Class, for example torch.optim:AdamW.
        args: Arguments by name.
    """
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else importing it asks the package index
    cls = resolve(path)
    try:
        inspect.signature(cls).bind_partial(**args)
    except TypeError as error:
        raise GraphError("E_OBJECT", f"{cls.__name__}: {error}", port="args", hint=_signature(cls)) from None
    except ValueError:
        pass
    return PythonObject(cls, dict(args))


def _signature(cls: type[Any]) -> str:
    """What a class takes, as a remedy; some built-in classes do not tell."""
    try:
        names = list(inspect.signature(cls).parameters)
    except ValueError:
        return f"see the documentation of {cls.__module__}.{cls.__qualname__}"
    return f"{cls.__name__} takes {', '.join(names) or 'no arguments'}"
