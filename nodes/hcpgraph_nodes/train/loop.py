"""The training loop: runs its region step by step, changes the weights, keeps checkpoints, resumes exactly."""

from __future__ import annotations

import math
import time
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import torch
from pydantic import Field

from hcpgraph import Body, Cancelled, Context, GraphError, Many, node
from hcpgraph.finite import is_finite
from hcpgraph.running.step import StepModule
from hcpgraph.widgets import Hint, Seed, Slider
from hcpgraph_nodes import private
from hcpgraph_nodes.optim.optimizer import Optimizer, check_apart, rates
from hcpgraph_nodes.train.accumulation import Accumulation
from hcpgraph_nodes.train.checkpoint import Checkpoints, capture, reach, restore, weights_now
from hcpgraph_nodes.train.late import catch_up
from hcpgraph_nodes.train.length import length
from hcpgraph_nodes.train.turns import Turns
from hcpgraph_nodes.types import Batches, Curve, Loss, Trained

if TYPE_CHECKING:
    from accelerate import Accelerator


class Step(NamedTuple):
    step: int
    update: int


class Losses(NamedTuple):
    loss: Many[Loss]


class Outcome(NamedTuple):
    trained: Trained
    losses: Curve


@node(
    "train.loop",
    effects="random",
    mutates=("optimizer",),
    resumes=("steps", "epochs", "loader", "checkpoint_every", "checkpoint_minutes", "keep", "log_every"),
    title="Training loop",
)
def loop(
    ctx: Context,
    optimizer: Many[Optimizer],
    body: Body[Step, Losses],
    loader: Batches | None = None,
    *,
    steps: Annotated[int | None, Field(ge=1), Slider(primary=True)] = 1000,
    epochs: Annotated[float | None, Field(gt=0)] = None,
    seed: Annotated[int, Field(ge=0, le=2**32 - 1), Seed()] = 0,
    accumulate: Annotated[int, Field(ge=1)] = 1,
    mixed_precision: Literal["no", "bf16", "fp16"] = "no",
    checkpoint_every: Annotated[int, Field(ge=0), Hint(advanced=True)] = 0,
    checkpoint_minutes: Annotated[float, Field(ge=0), Hint(advanced=True)] = 10.0,
    keep: Annotated[int, Field(ge=1), Hint(advanced=True)] = 2,
    log_every: Annotated[int, Field(ge=1), Hint(advanced=True)] = 10,
) -> Outcome:
    """Run the region again and again and step the optimizers on its losses.

    Losses that share a node which carries gradients are summed and back-propagated together; other groups follow in
    turn, their gradients add up, then comes one optimizer step, then what only writes (previews, logs). Through
    train.objective a loss is for some of the optimizers alone. A run of equal
    inputs is not repeated: its last checkpoint is loaded. More `steps` go on from it, bit for bit; where the learning
    rate follows a curve of their number, it is asked first. In flow.repeat, with weights that were made outside of it,
    every pass does `steps` more.

    Args:
        optimizer: One or several optimizers; which weights are trained follows from them.
        loader: What the epochs are counted in.
        steps: Optimizer steps; none if `epochs` are given.
        epochs: Epochs of `loader` instead of steps: ceil(epochs · batches / accumulate) steps.
        seed: Of all random draws in the region.
        accumulate: Passes of the region per optimizer step; each loss is averaged over all samples of all of them.
        mixed_precision: Autocast of the forward pass; weights and optimizer stay in float32.
        checkpoint_every: Steps between checkpoints; 0 keeps one at the end and when the run is stopped.
        checkpoint_minutes: Keep one after this many minutes without, too; 0 does not.
        keep: How many of the latest checkpoints are kept.
        log_every: Steps between reports of the loss; every step is recorded all the same.

    Body:
        step: Number of passes done before this one.
        update: Number of optimizer steps done, which is what curves follow; with `accumulate` several passes have the
            same.
        loss: What is minimised.

    Returns:
        trained: Tells that training is done; see flow.after.
        losses: The sum of the losses at every step, that of every objective as `loss/NAME`, and what nodes inside
            report, such as a validation loss.

    Raises:
        GraphError: E_PARAMS, two optimizers train the same weights; E_OBJECTIVE, nothing is due in a step; E_LOSS_NAN;
            E_SETTING, fp16 on a CPU, or not one of steps and epochs.
    """
    check_apart(optimizer)
    body.seed(seed)
    _trainable(optimizer, True)
    module = StepModule(body)
    accelerator = make_accelerator(ctx, mixed_precision, unused=module.skips or module.groups > 1)
    model = accelerator.prepare(module)
    turns = Turns(module, optimizer)
    scaler = accelerator.scaler
    steps = length(ctx, steps, epochs, loader, accumulate)
    begin, end, total = body.earlier * steps, (body.earlier + 1) * steps, body.turns * steps
    turns.check(total)
    reach(optimizer, turns, begin, total)
    for scheduler in chain.from_iterable(item.schedulers for item in optimizer):
        ctx.log(f"learning rate: {scheduler.about}")
    store = Checkpoints(body.kept(ctx, end, weights_now(optimizer) if body.carried else ""), keep)
    if {"*", ctx.node} & ctx.run.force:
        store.clear()
    curve: dict[str, list[tuple[int, float]]] = {"loss": []}
    done = begin
    if (state := store.load(end)) is not None:
        restore(state, optimizer, module.instances, scaler)
        done, curve = state["step"], state["curve"]
        ctx.run.events.emit("curve", ctx.node, series={name: list(points) for name, points in curve.items()})
        ctx.log(f"{'nothing to train' if done == end else 'going on'}: checkpoint of step {done} of {end}")
    body.series = curve
    pending: list[tuple[int, dict[str, torch.Tensor], dict[str, float]]] = []

    def flush() -> None:
        """Bring the losses of the last steps over from the device, in one transfer."""
        if not pending:
            return
        values = iter(torch.stack([loss for _, losses, _ in pending for loss in losses.values()]).tolist())
        for place, losses, rate in pending:
            numbers = dict(zip(losses, values, strict=False))
            for name, value in numbers.items():
                curve.setdefault(name, []).append((place, value))
            ctx.metric(place, **numbers, **rate)
        pending.clear()
        if math.isnan(curve["loss"][-1][1]):
            raise GraphError(
                "E_LOSS_NAN",
                f"the loss is not a number at step {done}",
                port="loss",
                hint="lower the learning rate, or train without fp16; the last checkpoint is kept",
            )

    kept_at = time.monotonic()

    def keep_checkpoint() -> None:
        nonlocal kept_at
        forgotten = store.save(done, capture(done, optimizer, module.instances, curve, scaler))
        store.written = body.written
        uri = ctx.run.roots.uri(store.path(done))
        ctx.run.events.emit("checkpoint", ctx.node, step=done, uri=uri, forgotten=forgotten)
        kept_at = time.monotonic()

    names = (item.names.values() for item in optimizer)
    gradients = Accumulation(accelerator, model, turns, accumulate, chain.from_iterable(names))
    requests = ctx.run.requests
    requests.clear()
    model.train()
    if done == 0 and module.writes:
        module.after(0, alone=True)
    elif state is not None and module.writes and store.written not in (None, body.written):
        ctx.log(f"what writes inside has changed: it runs for step {done}, and is not caught up for those before")
        catch_up(module, done, curve)
        store.written = body.written
    try:
        while done < end:
            ctx.check()
            due = turns.due(done)
            losses, rate = gradients.run(done, due), rates(optimizer)
            pending.append((done + 1, losses, rate))
            stepping = turns.optimizers_of(due)
            _update(accelerator, stepping)
            _advance(stepping)
            done += 1
            requests.sampling = requests.take("sample")
            if module.writes:
                module.after(done)
            requests.sampling = False
            last = requests.take("stop") or done == end
            keeps = last or requests.take("save") or (checkpoint_every > 0 and done % checkpoint_every == 0)
            keeps = keeps or 0 < checkpoint_minutes * 60 <= time.monotonic() - kept_at
            if done % log_every == 0 or keeps:
                flush()
                ctx.progress(done, end, loss=curve["loss"][-1][1], **rate)
            if keeps:
                keep_checkpoint()
            if last:
                break
    except Cancelled:
        flush()
        if done > begin:
            keep_checkpoint()
            ctx.log(f"stopped after step {done}; a checkpoint is kept, the same run goes on from there")
        raise
    finally:
        module.eval()
        _trainable(optimizer, False)
    if done < end:
        requests.shortened[ctx.node], requests.lengths[ctx.node] = done - begin, total
        ctx.log(f"ended after step {done} of {end}, as asked; what comes after training goes on with these weights")
    series = {name: list(points) for name, points in curve.items()}
    return Outcome(Trained(done, curve["loss"][-1][1], _averages(optimizer)), Curve(series))


def make_accelerator(ctx: Context, mixed_precision: str, *, unused: bool = False) -> Accelerator:
    """An accelerator on the run's device, set up anew for every loop.

    Args:
        unused: Whether some parameters have no gradient in some passes, which DDP looks for only if it is told.
    """
    from accelerate import Accelerator, DistributedDataParallelKwargs

    private.forget_accelerator()
    if mixed_precision == "fp16" and ctx.device.type == "cpu":
        raise GraphError(
            "E_SETTING", "fp16 training needs an accelerator", port="mixed_precision", hint="use bf16 or no"
        )
    if ctx.device.type == "cuda":
        torch.cuda.set_device(ctx.device)
    handlers = [DistributedDataParallelKwargs(find_unused_parameters=True)] if unused else []
    return Accelerator(cpu=ctx.device.type == "cpu", mixed_precision=mixed_precision, kwargs_handlers=handlers)


def _update(accelerator: Accelerator, optimizers: tuple[Optimizer, ...]) -> None:
    """One update of the weights by the gradients that they have."""
    scaler = accelerator.scaler
    for item in optimizers:
        if scaler is not None:
            scaler.unscale_(item.optimizer)
        if item.clip > 0:
            torch.nn.utils.clip_grad_norm_(item.names.values(), item.clip)
    finite = scaler is None or all(
        tensor.grad is None or is_finite(tensor.grad) for item in optimizers for tensor in item.names.values()
    )
    if finite:
        for item in optimizers:
            item.optimizer.step()
            if item.average is not None:
                item.average.step(item.names.values())
    if scaler is not None:
        scaler.update(None if finite else scaler.get_scale() * scaler.get_backoff_factor())
    for item in optimizers:
        item.optimizer.zero_grad(set_to_none=True)


def _trainable(optimizers: tuple[Optimizer, ...], on: bool) -> None:
    """Parameters ask for gradients only while their own loop runs, so that a later one does not compute them again."""
    for item in optimizers:
        item.optimizer.zero_grad(set_to_none=True)
        for tensor in item.names.values():
            tensor.requires_grad_(on)


def _averages(optimizers: tuple[Optimizer, ...]) -> tuple[tuple[torch.Tensor, torch.Tensor], ...]:
    """Every parameter that has a moving average, with a copy of it."""
    return tuple(
        (tensor, average.clone())
        for item in optimizers
        if item.average is not None
        for tensor, average in zip(item.names.values(), item.average.shadow_params, strict=True)
    )


def _advance(optimizers: tuple[Optimizer, ...]) -> None:
    for item in optimizers:
        for scheduler in item.schedulers:
            scheduler.step()
