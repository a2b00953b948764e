"""`model.compile`."""

from __future__ import annotations

import sysconfig
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import torch

from hcpgraph import Facts, GraphError, Port, node
from hcpgraph.widgets import Hint

from .. import private
from .compiled import Compiling
from .handles import Handle, component

M = TypeVar("M", bound=Handle)


@node("model.compile", cache="none", changes=("denoiser",), title="Compile model")
def compile_model(
    model: M,
    *,
    dynamic: bool = False,
    mode: Annotated[Literal["default", "max-autotune"], Hint(advanced=True)] = "default",
    backend: Annotated[Literal["inductor", "aot_eager"], Hint(advanced=True)] = "inductor",
) -> Annotated[M, Facts(family=Port("model"))]:
    """Compile the calls through this wire with torch.compile; the wire it came on stays as it was.

    The first call with a stack of plugins, and with sizes not yet seen, takes from seconds to minutes; then none is
    compiled again. Plugins may be attached before or after this node, each stack has its own graph. Results and random
    draws are those without it, but for rounding. In training the first gradients are compared with those of eager, and
    training ends with an error if they are wrong.

    Args:
        model: A denoiser, text encoder, VAE or ControlNet; of a whole model the denoiser is compiled.
        dynamic: Make one graph for all sizes of pictures and texts; it is a little slower than one for each size, which
            is made otherwise, 64 at most.
        mode: How long the inductor looks for fast kernels.
        backend: The inductor makes kernels and needs a compiler; aot_eager only follows the calls, to find out why
            something cannot be compiled.

    Returns:
        out: The model, compiled.

    Raises:
        GraphError: E_NO_MODEL; E_SETTING, a mode for a backend that has none; E_COMPILE, the compiler is missing, or
            at a call: the model or a plugin cannot be compiled; at a call that trains: E_COMPILE_RESULT and
            E_COMPILE_GRADIENTS.
    """
    component(model)
    if backend == "inductor":
        find_compiler(model.device)
    elif mode != "default":
        raise GraphError("E_SETTING", f"{backend} has no mode '{mode}'", port="mode", hint="set mode to default")
    how = Compiling(backend, "max-autotune-no-cudagraphs" if mode == "max-autotune" else mode, dynamic)
    return replace(model, compiling=how)


def find_compiler(device: torch.device) -> None:
    """Whether what the inductor needs for a device is there.

    Raises:
        GraphError: E_COMPILE, with what to install.
    """
    if device.type == "cuda" and not private.has_triton():
        raise GraphError("E_COMPILE", "torch.compile needs Triton for this GPU", hint="pip install triton")
    if not private.has_cpp_compiler():
        raise GraphError(
            "E_COMPILE",
            "torch.compile needs a C++ compiler, and finds none",
            hint="install g++ (apt install g++, dnf install gcc-c++), clang (xcode-select --install) or MSVC",
        )
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        raise GraphError(
            "E_COMPILE",
            "torch.compile needs Python's header files, and finds none",
            hint="install python3-dev (apt) or python3-devel (dnf)",
        )
