"""Writing the canonical form in a layout, and what each layout has no place for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal, get_args

from torch import Tensor

from hcpgraph import GraphError
from hcpgraph.errors import listed

from ..families.dit.layout import Place
from .canonical import ALPHA, BIAS, DIFF, DORA, DOWN, MID, TITLES, UP, Components, Layers, Weights, is_norm, kinds_of
from .fused import halves_swapped, joined, obstacle, unswappable
from .hcp_scale import scale_of_alpha
from .names import DENOISER, Spelling
from .peft_writing import peft_metadata, peft_state

Layout = Literal["auto", "kohya", "comfy", "peft", "hcp"]
LAYOUTS: tuple[str, ...] = get_args(Layout)[1:]
NORM = {DIFF: "w_norm", BIAS: "b_norm"}
"""LyCORIS' names for the change of a normalisation."""
PEFT_NAMES = {DOWN: "lora_A.weight", UP: "lora_B.weight"}
"""What ComfyUI's layout has of PEFT's names; it reads the Tucker form by those of LyCORIS alone."""
REMEDY = "set layout to auto, or make a plain LoRA of it first with plugin.convert_to_lora"
AS_ONE = "write the comfy layout, or make a plain LoRA of it first with plugin.convert_to_lora"
HALVES = "no LoKr whose first factor has an odd number of rows, where the halves of a layer change places"
ALONE = "a file of HCP-Diffusion is for one component"


def refusal(layout: str, weights: Weights) -> str | None:
    """Why a layout has no place for the adapter of a layer, or None."""
    (kind,) = kinds_of(weights)
    if layout in ("kohya", "comfy"):
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


def nameless(layout: str, component: str, path: str, names: Spelling) -> str | None:
    """Why a layout has no name for a layer, or None."""
    try:
        getattr(names, layout)(component, path)
    except GraphError as error:
        return error.problem.message
    return None


def fitting(components: Components, names: Spelling) -> tuple[str, list[str]]:
    """The layout that `auto` stands for: kohya's, or ComfyUI's where that has no place for something; and what for."""
    reasons = refusals("kohya", components, names)
    return ("comfy" if reasons else "kohya"), reasons


def refusals(layout: str, components: Components, names: Spelling) -> list[str]:
    """Everything that keeps adapters from being written in a layout."""
    found: dict[str, list[str]] = {}
    for component, layers in components.items():
        for path, weights in layers.items():
            if reason := refusal(layout, weights) or nameless(layout, component, path, names):
                found.setdefault(reason, []).append(path)
    for component, layers in components.items():
        if layout == "kohya" or (layout == "comfy" and component != DENOISER):
            place_of, name = (names.kohya_place, "kohya's") if layout == "kohya" else (names.place, "ComfyUI's")
            for place, parts in _placed({component: layers}, place_of):
                if reason := _unplaced(place, parts):
                    found.setdefault(f"{name} layout has {reason}", []).extend(parts)
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
        layout: One of `LAYOUTS`.
        components: The adapters, whole.
        names: How the model's layers are called.

    Raises:
        GraphError: E_ADAPTER, the layout has no place for them; all reasons at once.
    """
    if reasons := refusals(layout, components, names):
        only_alone = all(reason.startswith(ALONE) for reason in reasons)
        hint = "save each component into a file of its own" if only_alone else AS_ONE if layout == "kohya" else REMEDY
        raise GraphError("E_ADAPTER", listed(reasons, "; "), hint=hint)
    return WRITERS[layout](components, names)


def _kohya(components: Components, names: Spelling) -> tuple[dict[str, Tensor], dict[str, str]]:
    state: dict[str, Tensor] = {}
    for component, layers in components.items():
        for place, parts in _placed({component: layers}, names.kohya_place):
            stem = names.kohya(component, place.whole[place.index])
            state |= {f"{stem}.{name}": value for name, value in _lycoris(_original(place, parts, names)).items()}
    return state, {}


def _comfy(components: Components, names: Spelling) -> tuple[dict[str, Tensor], dict[str, str]]:
    """What cannot be one adapter of an original layer has the names of PEFT's layout, which ComfyUI reads too."""
    state: dict[str, Tensor] = {}
    for component, layers in components.items():
        for place, parts in _placed({component: layers}, names.place):
            if component == DENOISER and _unplaced(place, parts):
                made = {names.peft(component, path): weights for path, weights in parts.items()}
            else:
                made = {names.comfy(component, place.whole[place.index]): _original(place, parts, names)}
            for stem, weights in made.items():
                plain = MID not in weights
                state |= {
                    f"{stem}.{PEFT_NAMES.get(name, name) if plain else name}": value
                    for name, value in _lycoris(weights).items()
                }
    return state, {}


def _placed(components: Components, place: Callable[[str, str], Place]) -> Iterator[tuple[Place, Layers]]:
    """Every layer of files with original names, with the adapters of the layers that it is here, in their order."""
    for component, layers in components.items():
        found: dict[str, tuple[Place, Layers]] = {}
        for path, weights in layers.items():
            at = place(component, path)
            found.setdefault(f"{at.whole}", (at, {}))[1][path] = weights
        yield from found.values()


def _unplaced(place: Place, parts: Layers) -> str | None:
    """Why adapters have no place at an original layer, or None."""
    if place.swapped and any(unswappable(weights) for weights in parts.values()):
        return HALVES
    return obstacle(place.whole, parts)


def _original(place: Place, parts: Layers, names: Spelling) -> Weights:
    """The adapter of an original layer."""
    rows = names.rows if len(parts) < len(place.whole) else {}
    weights = joined(place.whole, parts, rows)
    return halves_swapped(weights) if place.swapped else weights


def _lycoris(weights: Weights) -> Weights:
    """The tensors by LyCORIS' suffixes."""
    return {NORM.get(name, name) if is_norm(weights) else name: value for name, value in weights.items()}


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
    "comfy": _comfy,
    "peft": _peft,
    "hcp": _hcp,
}
