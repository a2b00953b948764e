"""What went wrong in a node, with what stood at its ports."""

from __future__ import annotations

from typing import Any

from ..declaring.node import Impl
from ..disk import HINT, refused
from ..errors import GraphError, GraphErrors


def failed(id: str, impl: Impl, ports: list[Any], error: BaseException) -> GraphError:
    """The error of a node with what stood at its ports; an error that already names a node stays as it is."""
    if isinstance(error, GraphErrors):
        return joined(id, error)
    if isinstance(error, GraphError):
        if error.problem.node is not None:
            return error
        problem = error.problem
        return GraphError(problem.code, problem.message, node=id, port=problem.port, hint=problem.hint)
    shapes = ", ".join(
        f"{port.name}={described}"
        for port, value in zip(impl.spec.inputs, ports, strict=False)
        if (described := _shape(value))
    )
    if (said := refused(error)) is not None:
        return GraphError("E_DISK", f"the disk refuses to be written: {said}", node=id, hint=HINT)
    text = str(error).strip().split("\n")[0]
    memory = "out of memory" in text.lower() or isinstance(error, MemoryError)
    hint = "lower the batch size or the resolution, or use --precision bf16" if memory else None
    where = f" (ports: {shapes})" if shapes else ""
    code = "E_MEMORY" if memory else "E_RUN"
    return GraphError(code, f"{type(error).__name__}: {text}{where}", node=id, hint=hint or impl.spec.help)


def joined(id: str, errors: GraphErrors) -> GraphError:
    """All problems that a node found at once as one; the hints of the others would fill the screen."""
    first = errors.problems[0]
    said = "; ".join(dict.fromkeys(problem.message for problem in errors.problems))
    return GraphError(first.code, said, node=first.node or id, port=first.port, hint=first.hint)


def _shape(value: Any) -> str | None:
    tensor = getattr(value, "data", value)
    shape, dtype = getattr(tensor, "shape", None), getattr(tensor, "dtype", None)
    if shape is None or dtype is None or callable(shape):
        return None
    return f"{type(value).__name__}{tuple(shape)} {str(dtype).removeprefix('torch.')}"
