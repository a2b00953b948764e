"""What a process cannot be turned into, in the words of the rules and of the nodes (torch-free)."""

from __future__ import annotations

IMPOSSIBLE = "epsilon"
"""The prediction that says nothing of a picture of which no signal is left."""
HINT = "predict v_prediction, as such models are released"


def no_table(kind: str, what: str) -> str:
    """A process of another kind has no table to change."""
    return f"{what} is for a table of timesteps (vp), and the process is of the kind {kind}"


def no_shift(kind: str) -> str:
    """Only a flow is shifted."""
    return f"a shift is for a rectified flow, and the process is of the kind {kind}"


def no_signal(kind: str) -> str:
    """A process without signal at its end cannot be left with a prediction of the noise."""
    return f"the schedule leaves no signal at its last timestep, where {kind} predictions give no finite picture"


FLOW_WEIGHTINGS = ("sigma_sqrt", "cosmap", "sigma_squared")
"""Schemes of `loss.weighting` that only flows have."""


def no_weighting(kind: str) -> str:
    """The weightings of SD 3 are functions of a flow's share of noise."""
    return f"these weightings are for a rectified flow, and the process is of the kind {kind}"
