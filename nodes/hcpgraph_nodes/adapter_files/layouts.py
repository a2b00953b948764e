"""Writing the canonical form in a layout, and what each layout has no place for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal, get_args

from torch import Tensor

from hcpgraph import GraphError
from hcpgraph.errors import listed

from .canonical import ALPHA, BIAS, DIFF, DORA, DOWN, MID, TITLES, UP, Components, Layers, Weights, is_norm, kinds_of
from .hcp_scale import scale_of_alpha
from .names import Spelling
from .peft_writing import peft_metadata, peft_state

Layout = Literal["kohya", "peft", "hcp"]
LAYOUTS: tuple[str, ...] = get_args(Layout)
NORM = {DIFF: "w_norm", BIAS: "b_norm"}
"""LyCORIS' names for the change of a normalisation."""
REMEDY = "write the kohya layout, or make a plain LoRA of it first with plugin.convert_to_lora"
ALONE = "a file of HCP-Diffusion is for one component"


def refusal(layout: str, weights: Weights) -> str | None:
    """Why a layout has no place for the adapter of a layer, or None."""
    (kind,) = kinds_of(weights)
    if layout == "kohya":
        return None
    name = {"peft": "PEFT's", "hcp": "HCP-Diffusion's"}[layout]
    if kind != "lora":
        return f"{name} layout has no {TITLES[kind]}"
    if MID in weights:
        return f"{name} layout has no Tucker form"
    if BIAS in weights:
        return f"{name} layout scales biases with the branch, which would round them"
    if DORA not in weights:
        return None
    if layout == "hcp":
        return f"{name} layout has no DoRA"
    return f"{name} layout has the scale of a DoRA on the output axis" if len(weights[DORA]) == 1 else None


def refusals(layout: str, components: Components) -> list[str]:
    """Everything that keeps adapters from being written in a layout."""
    found: dict[str, list[str]] = {}
    for path, weights in _all(components):
        if reason := refusal(layout, weights):
            found.setdefault(reason, []).append(path)
    if layout == "peft":
        for component, layers in components.items():
            decomposed = [path for path, weights in layers.items() if DORA in weights]
            if 0 < len(decomposed) < len(layers):
                found[f"PEFT's layout makes all or no layers of the {component} a DoRA"] = decomposed
    if layout == "hcp" and len(components) > 1:
        found[ALONE] = list(components)
    return [f"{reason} ({', '.join(paths[:3])}{' …' if len(paths) > 3 else ''})" for reason, paths in found.items()]


def written(layout: str, components: Components, names: Spelling) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file by key, and the header entries that belong to the layout.

    Args:
        layout: kohya, peft or hcp.
        components: The adapters, whole.
        names: How the model's layers are called.

    Raises:
        GraphError: E_ADAPTER, the layout has no place for them; all reasons at once.
    """
    if reasons := refusals(layout, components):
        only_alone = all(reason.startswith(ALONE) for reason in reasons)
        hint = "save each component into a file of its own" if only_alone else REMEDY
        raise GraphError("E_ADAPTER", listed(reasons, "; "), hint=hint)
    return WRITERS[layout](components, names)


def _kohya(components: Components, names: Spelling) -> tuple[dict[str, Tensor], dict[str, str]]:
    state = {
        f"{names.kohya(component, path)}.{NORM.get(suffix, suffix) if is_norm(weights) else suffix}": value
        for component, layers in components.items()
        for path, weights in layers.items()
        for suffix, value in weights.items()
    }
    return state, {}


def _peft(components: Components, names: Spelling) -> tuple[dict[str, Tensor], dict[str, str]]:
    return peft_state(components, names), peft_metadata(components, names)


def _hcp(components: Components, names: Spelling) -> tuple[dict[str, Tensor], dict[str, str]]:
    state: dict[str, Tensor] = {}
    for component, layers in components.items():
        for path, weights in layers.items():
            stem = f"lora:{names.hcp(component, path)}.___."
            state[stem + "alpha"] = scale_of_alpha(float(weights[ALPHA]), len(weights[DOWN]))
            state[stem + "layer.W_down"] = weights[DOWN]
            state[stem + "layer.W_up"] = weights[UP]
    return state, {}


WRITERS: Mapping[str, Callable[[Components, Spelling], tuple[dict[str, Tensor], dict[str, str]]]] = {
    "kohya": _kohya,
    "peft": _peft,
    "hcp": _hcp,
}


def _all(components: Mapping[str, Layers]) -> Iterator[tuple[str, Weights]]:
    for layers in components.values():
        yield from layers.items()
