"""Calls of a model through torch.compile: one graph for each distinct stack of plugins, compared with eager once.

A stack has a compiled function, and with it a cache of graphs, of its own: torch.compile keeps graphs by code object,
and what one stack compiles neither slows down nor crowds out another. The plugins are arguments of that function and
not part of it, so that it keeps none of them alive.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn

from hcpgraph import GraphError

from .. import private
from .call import Call, Plugin
from .root import Root

GRAPHS = 64
"""Graphs of one stack: a graph a size of the inputs, each with and without gradients."""
METHODS = ("encode", "decode")
"""What is compiled besides the call itself: an autoencoder has no other use."""
TRACING = {"optimize_ddp": False, "skip_fwd_side_effects_in_bwd_under_checkpoint": True}
"""How calls are traced. DDP's own splitting of graphs knows no checkpointed parts. What plugins note within such a part
is in the graph, and backward, which computes the graph's part again, need not note it."""
EXACT, ROUGH = 1e-3, 5e-2
"""Relative deviation from eager that is taken for rounding, in float32 and in half precision."""


@dataclass(frozen=True, slots=True)
class Compiling:
    """How a model is compiled.

    Attributes:
        backend: As torch.compile takes it.
        mode: Of inductor: how long it looks for fast kernels.
        dynamic: One graph for inputs of all sizes instead of one for each.
    """

    backend: str | Callable[..., Any] = "inductor"
    mode: str = "default"
    dynamic: bool = False


class CompiledModule:
    """What `active` gives of a compiled handle: it is called like the module, and has its attributes."""

    __slots__ = ("_call", "_how", "_module", "_root")

    def __init__(self, root: Root, module: nn.Module, call: Call, how: Compiling) -> None:
        self._root = root
        self._module = module
        self._call = call
        self._how = how

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._run("__call__", *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return partial(self._run, name) if name in METHODS else getattr(self._module, name)

    def _run(self, method: str, /, *args: Any, **kwargs: Any) -> Any:
        key = (self._how, method, *(plugin.identity for plugin in self._call.stack))
        known = self._root.compiled
        compiled = known.get(key)
        if compiled is None or compiled.gone:
            for old in [old for old, each in tuple(known.items()) if each.gone]:
                known.pop(old, None)
            made = CompiledStack(self._root, getattr(self._module, method), self._how, _called(self._call.stack))
            compiled = known.setdefault(key, made)
        return compiled(self._call, args, kwargs)


class CompiledStack:
    """The compiled call of a module with one stack of plugins.

    Args:
        root: The weights.
        call: What is compiled: the module, or a method of it.
        how: Backend and mode.
        called: The weights of the models that plugins call, and the plugins of those; they are not kept.

    Random draws, as of dropout, are those of eager. The first call of every size that needs gradients is made once more
    in eager and compared, for inductor has been seen to return right losses and wrong gradients.

    Raises:
        GraphError: E_COMPILE, the call cannot be compiled; E_COMPILE_RESULT, E_COMPILE_GRADIENTS, it gives something
            else than in eager.
    """

    def __init__(
        self, root: Root, call: Callable[..., Any], how: Compiling, called: tuple[weakref.ref[Any], ...] = ()
    ) -> None:
        def run(stack: tuple[Plugin, ...], inputs: Mapping[str, Any], args: Any, kwargs: Any) -> Any:
            root.active = Call(stack, inputs) if stack else None
            result = call(*args, **kwargs)
            root.active = None
            return result

        own = FunctionType(run.__code__.replace(), run.__globals__, run.__name__, None, run.__closure__)
        self._root = root
        self._eager = run
        self._compiled = torch.compile(
            own, fullgraph=True, dynamic=how.dynamic, backend=how.backend, options=_options(how)
        )
        self._backend = how.backend
        self._checked: set[Any] = set()
        self._called = called

    @property
    def gone(self) -> bool:
        """Whether a model that the plugins called is no more; another one may have got its id."""
        return any(each() is None for each in self._called)

    def __call__(self, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        sizes = tuple((value.shape, value.dtype) for value in _tensors((args, kwargs)))
        if torch.is_grad_enabled() and sizes not in self._checked:
            self._check(call, args, kwargs)
            self._checked.add(sizes)
        return self._attempt(call.stack, call.inputs, args, kwargs)

    def _attempt(self, stack: tuple[Plugin, ...], inputs: Mapping[str, Any], args: Any, kwargs: Any) -> Any:
        """Run the compiled call; where it cannot be compiled, run it in eager and try once more.

        An error that eager raises too tells more, and what is set up at a first call, such as the hooks by which
        transformers notes hidden states, is there the second time.
        """
        too_many, untraceable = private.compile_errors()
        arguments = (stack, inputs, args, kwargs)
        try:
            try:
                return self._run(*arguments)
            except too_many:
                raise
            except untraceable:
                with torch.no_grad(), torch.random.fork_rng(devices=self._devices()):
                    self._within(self._eager, *arguments)
                return self._run(*arguments)
        except too_many:
            raise GraphError(
                "E_COMPILE",
                f"the model was compiled {GRAPHS} times and still meets something new",
                hint="set dynamic in model.compile, use fewer sizes of pictures, or take the model before it",
            ) from None
        except untraceable as error:
            raise GraphError(
                "E_COMPILE",
                f"the model with its plugins cannot be compiled: {_first_lines(error)}",
                hint="use the model before model.compile, or plugins that torch.compile can trace",
            ) from error

    def _run(self, *arguments: Any) -> Any:
        with private.tracing(TRACING | {"recompile_limit": GRAPHS}):
            return self._within(self._compiled, *arguments)

    def _within(self, run: Callable[..., Any], *arguments: Any) -> Any:
        """`run`, with nothing switched on before and the same as before switched on afterwards."""
        previous, self._root.active = self._root.active, None
        try:
            return run(*arguments)
        finally:
            self._root.active = previous

    def _devices(self) -> list[torch.device]:
        device = self._root.placement.device
        return [] if device.type == "cpu" else [device]

    def _check(self, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Compare outputs and gradients with eager, of a random projection of the outputs."""
        # leaves of their own: the gradients of what came before are neither needed nor touched
        inputs, args, kwargs = private.map_tensors(
            lambda value: value.detach().requires_grad_(value.requires_grad),
            (dict(call.inputs), args, kwargs),
        )
        names = {f"input {number}": value for number, value in enumerate(_tensors((inputs, args, kwargs)))}
        called = (module for plugin in call.stack for handle in plugin.handles for module in handle.modules())
        for place, module in enumerate((self._root.module, *call.stack, *called)):
            where = f"plugin {place}: " if place else ""
            names |= {f"{where}{name}": value for name, value in module.named_parameters()}
        leaves = {name: value for name, value in names.items() if value.requires_grad}
        if not leaves:
            return
        found = []
        for run in (partial(self._within, self._eager), self._attempt):
            with torch.random.fork_rng(devices=self._devices()):
                outputs = [value for value in _tensors(run(call.stack, inputs, args, kwargs)) if value.requires_grad]
                loss = sum((_projected(value, number) for number, value in enumerate(outputs)), torch.zeros(()))
                gradients = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
            found.append(([value.detach() for value in outputs], gradients))
        (outputs, expected), (others, gradients) = found
        largest = ROUGH if self._rough() else EXACT
        result = _worst(dict(enumerate(outputs)), others, outputs, largest)
        if result is not None:
            raise self._wrong("E_COMPILE_RESULT", "output", *result)
        result = _worst(leaves, gradients, expected, largest)
        if result is not None:
            raise self._wrong("E_COMPILE_GRADIENTS", "gradient", *result)

    def _rough(self) -> bool:
        device = self._root.placement.device.type
        return self._root.placement.dtype is not torch.float32 or torch.is_autocast_enabled(device)

    def _wrong(self, code: str, what: str, name: Any, ours: float, eager: float, apart: float) -> GraphError:
        backend = self._backend if isinstance(self._backend, str) else "the backend"
        return GraphError(
            code,
            f"{backend} compiled the model wrongly: the {what} of {name} has the norm {ours:.4g}, without compiling it "
            f"is {eager:.4g}; they lie {apart:.2g} apart, in units of it",
            hint="use the model before model.compile, or the backend aot_eager",
        )


def _called(stack: tuple[Plugin, ...]) -> tuple[weakref.ref[Any], ...]:
    handles = [handle for plugin in stack for handle in plugin.handles]
    return tuple(weakref.ref(each) for handle in handles for each in (handle.root, *handle.stack))


def _options(how: Compiling) -> dict[str, Any] | None:
    """Random numbers as in eager, so that a run with dropout is the same with and without compiling."""
    if how.backend != "inductor":
        return None
    return {**private.inductor_options(how.mode), "fallback_random": True}


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in tuples, lists, mappings and plain objects such as an autoencoder's distribution."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _tensors(part)
    elif hasattr(value, "__dict__") and not isinstance(value, (nn.Module, type)):
        yield from _tensors(vars(value))


def _projected(value: Tensor, seed: int) -> Tensor:
    """A random linear function of a tensor, of its own scale."""
    weights = torch.randn(value.shape, generator=torch.Generator().manual_seed(seed))
    total: Tensor = (value.float() * weights.to(value.device)).sum().cpu() / value.numel() ** 0.5
    return total


def _worst(
    names: Mapping[Any, Any], found: Any, expected: Any, largest: float
) -> tuple[Any, float, float, float] | None:
    """The name, both norms and relative distance of what lies farthest apart, if it is too far.

    Distances are relative to a tensor's norm, but at least to a hundredth of the root mean square of all norms: what is
    next to zero is made of rounding.
    """
    pairs = [
        (name, _norm(one), _norm(other), _norm(None if one is None and other is None else _less(one, other)))
        for name, one, other in zip(names, found, expected, strict=True)
    ]
    floor = 0.01 * (sum(norm**2 for _, _, norm, _ in pairs) / max(len(pairs), 1)) ** 0.5
    apart = [(name, ours, eager, distance / max(eager, floor, 1e-30)) for name, ours, eager, distance in pairs]
    worst = max(apart, key=lambda each: each[3] if each[3] == each[3] else float("inf"), default=None)
    return worst if worst is not None and not worst[3] <= largest else None


def _less(one: Tensor | None, other: Tensor | None) -> Tensor:
    assert one is not None or other is not None
    if one is None:
        assert other is not None
        return other
    return one if other is None else one.float() - other.float()


def _norm(value: Tensor | None) -> float:
    return 0.0 if value is None else float(torch.linalg.vector_norm(value.detach().float()))


def _first_lines(error: BaseException) -> str:
    """What torch says, without the stack of its own code."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "; ".join(lines[:3])[:400]
