"""The torch-free rule of `diffusion.guide`."""

from __future__ import annotations

from typing import Any

from hcpgraph.errors import Problem


def scale_needs_timesteps(view: Any) -> list[Problem]:
    """A scale that depends on the timestep needs timesteps and schedule, and they are not read without one."""
    if view.type != "diffusion.guide" or "scale_high" not in view.settings:
        return []
    wired = [port for port in ("timesteps", "schedule") if port in view.connected]
    if view.settings["scale_high"] is None:
        return [
            Problem(
                "W_TIMESTEPS_UNUSED",
                f"{port} has no effect: the scale is the same at all timesteps",
                node=view.node,
                port=port,
                hint="set scale_high, or remove the wire",
                severity="warning",
            )
            for port in wired
        ]
    return [
        Problem(
            "E_NO_TIMESTEPS",
            f"a scale from scale to scale_high needs {port}, and nothing is wired to it",
            node=view.node,
            port=port,
            hint="wire diffusion.timesteps and the model's schedule to it, or leave scale_high empty",
        )
        for port in ("timesteps", "schedule")
        if port not in wired
    ]
