"""Checkpoints of a training loop: complete or not there, found again by the loop's key."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from hcpgraph.atomic import write_text
from hcpgraph.checkpoints import checkpoint, steps
from hcpgraph.finite import WRITTEN, refuse_not_finite
from hcpgraph.running.codec import NoCodec, digest, read_folder, write_folder
from hcpgraph_nodes.optim.optimizer import Optimizer
from hcpgraph_nodes.train.turns import Turns

WRITES = "writes.txt"


class Checkpoints:
    """The checkpoints below one folder, `step-00000020` and so on.

    Args:
        folder: One folder a training key.
        keep: How many of the latest are kept.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder = folder
        self.keep = keep

    def steps(self) -> list[int]:
        """Steps of all complete checkpoints, ascending."""
        return steps(self.folder)

    def path(self, step: int) -> Path:
        return checkpoint(self.folder, step)

    def save(self, step: int, state: dict[str, Any]) -> list[int]:
        """Write a checkpoint by one rename, then forget the oldest before it; gives the steps of those.

        Raises:
            GraphError: E_NOT_FINITE; the earlier ones stay.
        """
        refuse_not_finite(_weights(state), f"the checkpoint of step {step}", WRITTEN)
        write_folder(self.path(step), state, pictures=False)
        forgotten = [known for known in self.steps() if known <= step][: -self.keep]
        for old in forgotten:
            shutil.rmtree(self.path(old), ignore_errors=True)
        return forgotten

    def load(self, at_most: int) -> dict[str, Any] | None:
        """The latest readable checkpoint of at most that many steps.

        Raises:
            GraphError: E_NOT_FINITE.
        """
        for step in reversed([step for step in self.steps() if step <= at_most]):
            try:
                state, _ = read_folder(self.path(step))
            except (OSError, ValueError, KeyError, NoCodec):
                continue
            hint = f"remove {self.path(step)} to go on from an earlier one, or train from the start: --force"
            refuse_not_finite(_weights(state), f"the checkpoint of step {step}", hint)
            return dict(state)
        return None

    @property
    def written(self) -> str | None:
        """Digest of what only writes inside of the training, as it was at its latest checkpoint, if that is known."""
        try:
            return (self.folder / WRITES).read_text("utf-8")
        except (OSError, ValueError):
            return None

    @written.setter
    def written(self, digest: str) -> None:
        write_text(self.folder / WRITES, digest)

    def clear(self) -> None:
        """Forget all checkpoints; what is noted beside them stays."""
        for step in self.steps():
            shutil.rmtree(self.path(step), ignore_errors=True)


def _weights(state: Mapping[str, Any]) -> Iterator[tuple[str, torch.Tensor]]:
    """The trained weights of a captured state and their moving averages, by name."""
    for params, average in zip(state["params"], state["averages"], strict=True):
        yield from params.items()
        shadows = average["shadow_params"] if average else ()
        yield from ((f"the average of {name}", value) for name, value in zip(params, shadows, strict=False))


def capture(
    step: int,
    optimizers: tuple[Optimizer, ...],
    instances: dict[str, Any],
    curve: dict[str, list[tuple[int, float]]],
    scaler: Any = None,
) -> dict[str, Any]:
    """Everything that the rest of a training depends on, at a step border. Random streams need no state."""
    return {
        "step": step,
        "params": [{name: tensor.detach() for name, tensor in item.names.items()} for item in optimizers],
        "optimizers": [item.optimizer.state_dict() for item in optimizers],
        "schedulers": [[s.state_dict() for s in item.schedulers] for item in optimizers],
        "averages": [item.average and item.average.state_dict() for item in optimizers],
        "instances": {id: node.state_dict() for id, node in instances.items() if hasattr(node, "state_dict")},
        "curve": curve,
        "scaler": scaler.state_dict() if scaler is not None else None,
    }


def weights_now(optimizers: tuple[Optimizer, ...]) -> str:
    """Digest of weights and optimizers as they are: what a training depends on that goes on with earlier ones."""
    return digest(capture(0, optimizers, {}, {}))


def reach(optimizers: tuple[Optimizer, ...], turns: Turns, step: int, total: int) -> None:
    """Bring schedules that were made anew to the step at which the training begins.

    Args:
        turns: Which of the steps each optimizer does.
        step: That step.
        total: All steps of the training, of which schedules that follow it are as long as their optimizer does.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*lr_scheduler\.step\(\)", category=UserWarning)
        for item in optimizers:
            for scheduler in item.schedulers:
                scheduler.begin(turns.steps(item, total))
                while scheduler.last_epoch < turns.steps(item, step):
                    scheduler.step()


def restore(
    state: dict[str, Any], optimizers: tuple[Optimizer, ...], instances: dict[str, Any], scaler: Any = None
) -> None:
    """Put a captured state back, bit for bit, on the device where the parameters are."""
    for item, params, inner, schedulers, average in zip(
        optimizers, state["params"], state["optimizers"], state["schedulers"], state["averages"], strict=True
    ):
        with torch.no_grad():
            for name, tensor in item.names.items():
                tensor.copy_(params[name])
        item.optimizer.load_state_dict(inner)
        for scheduler, saved in zip(item.schedulers, schedulers, strict=True):
            scheduler.load_state_dict(saved)
        if item.average is not None:
            shadows = item.average.shadow_params
            item.average.load_state_dict(average)
            for shadow, saved in zip(shadows, item.average.shadow_params, strict=True):
                shadow.copy_(saved)
            item.average.shadow_params = shadows
    for id, saved in state["instances"].items():
        instances[id].load_state_dict(saved)
    if scaler is not None and state["scaler"] is not None:
        scaler.load_state_dict(state["scaler"])
