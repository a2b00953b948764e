"""What writes inside of a training loop and was added after the steps were done."""

from __future__ import annotations

from hcpgraph.running.step import StepModule


def catch_up(module: StepModule, step: int, curve: dict[str, list[tuple[int, float]]]) -> None:
    """Run what only writes for the step that a training goes on from; what was measured there already stays.

    Args:
        module: The step.
        step: Optimizer steps done.
        curve: The numbers so far; what is measured now joins them.
    """
    before = {name: len(points) for name, points in curve.items()}
    known = {name: {place for place, _ in points} for name, points in curve.items()}
    module.after(step, alone=True)
    for name, points in curve.items():
        start = before.get(name, 0)
        points[start:] = [point for point in points[start:] if point[0] not in known.get(name, ())]
