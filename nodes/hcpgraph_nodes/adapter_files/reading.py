"""From the keys of a file to the canonical form: which layer, which suffix, and everything that does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from torch import Tensor, nn, tensor, zeros

from hcpgraph import GraphError
from hcpgraph.errors import listed
from hcpgraph.finite import READ, refuse_not_finite

from ..plugins.blocks.kinds import BLOCKS
from ..plugins.blocks.shapes import weight_of
from .canonical import (
    ALPHA,
    BIAS,
    DIFF,
    DORA,
    DOWN,
    TITLES,
    UP,
    Components,
    Weights,
    kind_at,
    lacks,
    malformed,
    rank_of,
    with_alpha,
)
from .dividing import divided, misfit
from .hcp_scale import alpha_of_scale
from .names import longest
from .peft_config import PeftConfig, PeftConfigs
from .source import Source
from .stems import Names, Target
from .suffixes import BRANCH_BIAS, Key, is_word, other_kinds, take_apart, words_in

SECTIONS = {False: ("lora", "base", "plugin"), True: ("lora_ema", "base_ema", "plugin_ema")}
"""Sections of HCP-Diffusion's files, of the trained weights and of their moving average."""
WHOLE = "make a plain LoRA of it with the program that it was trained with; unknown: ignore loads the rest"
DAMAGED = "the file is damaged: download or save it again; unknown: ignore loads the rest"


@dataclass(slots=True)
class Found:
    """What a file holds for the components of a model.

    Attributes:
        components: The adapters in the canonical form, layers in the model's order.
        unknown: Keys that fit nothing.
        broken: Layers that are no whole adapter, each with what is wrong in it.
        whole: Adapters of layers of the original network that are several layers here, which cannot be divided, each
            with the reason.
        elsewhere: How many keys are for components that were not asked for.
        words: Names of words (textual inversions) in the file.
    """

    components: Components = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    whole: list[str] = field(default_factory=list)
    elsewhere: int = 0
    words: list[str] = field(default_factory=list)


def read(source: Source, names: Names, *, averages: bool = False) -> Found:
    """All adapters of a file for the components that `names` knows.

    Args:
        source: The file.
        names: The layers of the components.
        averages: Take the moving averages that HCP-Diffusion's files may hold.

    Raises:
        GraphError: E_LORA_KEYS, averages are asked for and there are none; E_LORA_KIND, a configuration says that it
            is no LoRA.
    """
    prefixes = {prefix for table in names.family.peft_prefix.values() for prefix in table.values()} | {*names.texts}
    configs = PeftConfigs(source, tuple(sorted(prefixes)))
    found = Found()
    whole: dict[Target, Weights] = {}
    scaled: set[Target] = set()
    for key, value in _section(source, averages):
        part = take_apart(key)
        target = names.find(part.stem) if part is not None else None
        if part is None or target is None:
            _put_aside(found, key, part, names)
            continue
        weights = whole.setdefault(target, {})
        if part.suffix in weights:
            found.broken.append(f"{' + '.join(target.paths)} (a second {part.suffix}: {key})")
            continue
        weights[part.suffix] = _column(value) if part.magnitude else value
        if part.hcp and part.suffix == ALPHA:
            scaled.add(target)
    made: dict[tuple[str, str], Weights] = {}
    for target, weights in whole.items():
        config = configs.of(_prefix(names, target))
        wrong = _scaled(weights, config, target, hcp=target in scaled) or misfit(target, weights, names.rows)
        if wrong:
            found.broken.append(f"{' + '.join(target.paths)} ({wrong})")
            continue
        parts = divided(target, weights, names.rows)
        if isinstance(parts, str):
            found.whole.append(f"{' + '.join(target.paths)} ({parts})")
            continue
        for path, own in parts.items():
            again = "a second adapter" if (target.component, path) in made else None
            if wrong := again or _settle(own, names.layers[target.component][path]):
                found.broken.append(f"{path} ({wrong})")
            else:
                made[target.component, path] = own
    for component, layers in names.layers.items():
        if here := {path: with_alpha(made[component, path]) for path in layers if (component, path) in made}:
            found.components[component] = here
    found.words.sort()
    return found


def _prefix(names: Names, target: Target) -> str:
    """What stands for a network in PEFT's keys, or would."""
    table = {**{own: own for own in names.texts}, **names.family.peft_prefix.get(target.component, {})}
    return str(longest(table, target.paths[0])[1])


def refuse_unknown(found: Found, source: Source, component: str) -> None:
    """The error for keys that fit nothing, and for layers that are no whole adapter.

    Raises:
        GraphError: E_LORA_KEYS; E_LORA_SHAPE, if all keys fit; E_LORA_KIND, if only some cannot be divided.
    """
    said = []
    if found.unknown:
        said.append(f"keys of {source.name} that fit no layer of the {component}: {listed(found.unknown)}")
    if found.broken:
        said.append(f"layers of {source.name} that are no whole adapter: {listed(found.broken)}")
    if found.whole:
        said.append(f"adapters of {source.name} that cannot be divided: {listed(found.whole)}")
    if said:
        code, hint = ("E_LORA_SHAPE", DAMAGED) if found.broken else ("E_LORA_KIND", WHOLE)
        if found.unknown:
            code, hint = "E_LORA_KEYS", _hint(found.unknown)
        raise GraphError(code, "; ".join(said), hint=hint)


def left_out(found: Found) -> str | None:
    """What of a file is left out where it may be, in words; None if nothing is."""
    parts = []
    if found.unknown:
        parts.append(f"{len(found.unknown)} keys that fit no layer were left out: {listed(found.unknown)}")
    if found.broken:
        parts.append(f"{len(found.broken)} layers that are no whole adapter were left out: {listed(found.broken)}")
    if found.whole:
        parts.append(f"{len(found.whole)} adapters that cannot be divided were left out: {listed(found.whole)}")
    return "; ".join(parts) or None


def refuse_nothing(found: Found, source: Source, component: str) -> None:
    """The error for a file without anything for the model.

    Raises:
        GraphError: E_LORA_KEYS.
    """
    if found.components:
        return
    if found.words:
        raise GraphError(
            "E_LORA_KEYS",
            f"{source.name} holds words, no adapter: {listed(found.words)}",
            hint="load it with word.load",
        )
    other = f"; its {found.elsewhere} tensors are for another one" if found.elsewhere else ""
    raise GraphError(
        "E_LORA_KEYS",
        f"{source.name} has nothing for the {component}{other}",
        hint="wire the component that the file was made for",
    )


def _section(source: Source, averages: bool) -> list[tuple[str, Tensor]]:
    """The keys of the section that is wanted, without its name; a file without sections is one."""
    sections = {key.partition(":")[0] for key in source.state if ":" in key}
    wanted = SECTIONS[averages]
    if averages and not sections.intersection(wanted):
        raise GraphError("E_LORA_KEYS", f"{source.name} has no moving averages", hint="leave averages off")
    known = (*SECTIONS[not averages], *wanted)
    result = []
    for key, value in source.state.items():
        section, colon, rest = key.partition(":")
        if not colon or section not in known:
            result.append((key, value))
        elif section in wanted:
            result.append((rest, value))
    return result


def _put_aside(found: Found, key: str, part: Key | None, names: Names) -> None:
    alone = key in {network.comfy for network in names.texts.values()}
    if is_word(key) or alone:
        found.words += [word for word in ([key] if alone else words_in([key])) if word not in found.words]
    elif names.elsewhere(key if part is None else part.stem):
        found.elsewhere += 1
    else:
        found.unknown.append(key)


def _scaled(weights: Weights, config: PeftConfig, target: Target, *, hcp: bool) -> str | None:
    """Give the tensors of a layer their alpha, and their bias its scale; says what is wrong with them, if anything."""
    path = target.paths[0]
    refuse_not_finite(((f"{path}.{name}", value) for name, value in weights.items()), "the adapter", READ, port="path")
    if wrong := malformed(weights):
        return wrong
    rank = rank_of(weights)
    if hcp:
        weights[ALPHA] = alpha_of_scale(float(weights[ALPHA]), rank or 1)
    elif ALPHA not in weights:
        if config.dora and DOWN in weights and DORA not in weights:
            return "a DoRA without its magnitude"
        if rank is not None and (alpha := config.alpha(path, rank)) is not None:
            weights[ALPHA] = tensor(alpha)
    if (bias := weights.pop(BRANCH_BIAS, None)) is not None:
        alpha = float(weights.get(ALPHA, tensor(float(rank or 1))))
        weights[BIAS] = bias * (alpha / (rank or 1))
    return lacks(weights)


def _settle(weights: Weights, layer: nn.Module) -> str | None:
    """Bring the tensors of a layer into canonical shapes; says what is wrong with them, if anything."""
    kind = kind_at(layer, weights)
    if not isinstance(layer, BLOCKS[kind].wraps):
        return f"{type(layer).__name__} takes no {TITLES[kind]}"
    shape = weight_of(layer).shape
    if kind in ("full", "norm") and DIFF not in weights:
        weights[DIFF] = zeros(shape)
    if ALPHA in weights:
        weights[ALPHA] = tensor(float(weights[ALPHA]))
    if kind == "lora" and len(shape) > 2:
        _as_convolution(weights, shape[1:])
    if DORA in weights and weights[DORA].dim() == 1:
        weights[DORA] = weights[DORA][(..., *(None,) * (len(shape) - 1))]
    return None


def _as_convolution(weights: Weights, inner: Sequence[int]) -> None:
    """Give the matrices that ComfyUI's trainer and some linear LoRAs hold for a convolution its four axes."""
    down, up = weights[DOWN], weights[UP]
    if down.dim() == 2 and down.shape[1] == prod(inner):
        weights[DOWN] = down.reshape(len(down), *inner)
    if up.dim() == 2:
        weights[UP] = up.reshape(*up.shape, 1, 1)


def _column(magnitude: Tensor) -> Tensor:
    """PEFT's magnitude, (out,) and for convolutions (1, out, 1, 1), as LyCORIS' scale, (out,) or (out, 1, 1, 1)."""
    return magnitude if magnitude.dim() < 2 else magnitude.transpose(0, 1)


def _hint(keys: list[str]) -> str:
    if kinds := other_kinds(keys):
        return f"this is a {', '.join(kinds)} file, which plugin.load does not read"
    return "the file is damaged, or for another model family or other sizes; unknown: ignore loads the rest"
