"""Process times of another kind than a process has are refused; that costs no look at the numbers."""

from __future__ import annotations

from torch import Tensor

from hcpgraph import GraphError


def levels(t: Tensor, kind: str) -> Tensor:
    """Process times that are noise levels, float32.

    Raises:
        GraphError: E_TIMESTEPS, they are numbers of a table.
    """
    if not t.is_floating_point():
        raise _refused("timesteps of a table", f"a process of the kind {kind}, whose times are noise levels")
    return t.float()


def numbers(t: Tensor) -> Tensor:
    """Process times that are numbers of a table, int64.

    Raises:
        GraphError: E_TIMESTEPS, they are noise levels.
    """
    if t.is_floating_point():
        raise _refused("noise levels", "a process of the kind vp, which has a table of timesteps")
    return t


def _refused(given: str, process: str) -> GraphError:
    hint = "draw them in diffusion.timesteps with the process that is wired here"
    return GraphError("E_TIMESTEPS", f"{given} reach {process}", port="timesteps", hint=hint)
