"""What the stems of keys mean: every name that programs give a layer in adapter files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from torch import nn

from ..model.handles import Handle
from .names import COMFY_DENOISER, DENOISER, TEXT, TEXT_ROOT, Spelling, flat, longest

PEFT_ROOT = "base_model.model."
LYCORIS = "lycoris_"
FLAT = ("lora_unet_", "lora_transformer_", LYCORIS)
"""What flat names of a denoiser begin with: kohya's, OneTrainer's, LyCORIS'."""
DOTTED = ("unet.", "transformer.", COMFY_DENOISER, "model." + COMFY_DENOISER)
"""What dotted ones begin with, beside nothing at all."""
HCP2 = {DENOISER: "denoiser.", TEXT: "TE."}
"""What HCP-Diffusion 2.x puts in front of the names of a component, unless its saver was told to leave it out."""
COMFY_TEXT = "text_encoders.{}.transformer."
TEXT_ROOTS = (TEXT_ROOT, "encoder.layers.", "encoder.block.", "clip_L.", "clip_B.", "clip_bigG.")
"""What the names of text networks begin with where no prefix says which component it is."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a stem means.

    Attributes:
        component: The component.
        paths: The layers; several where the original network has one layer of them.
        swapped: Whether the halves of their outputs stand in the other order.
    """

    component: str
    paths: tuple[str, ...]
    swapped: bool = False


class Names(Spelling):
    """What the keys of files mean for one or several components of one model.

    Args:
        handles: Component -> its model.

    Attributes:
        layers: Component -> layer's name -> the layer.
    """

    def __init__(self, handles: Mapping[str, Handle]) -> None:
        (family,) = {handle.family for handle in handles.values()}
        configs = {component: handle.config for component, handle in handles.items()}
        super().__init__(family, configs.get(DENOISER, {}), configs.get(TEXT))
        self.layers: dict[str, Mapping[str, nn.Module]] = {
            component: handle.root.layers for component, handle in handles.items()
        }
        self._stems: dict[str, Target] = {}
        for spell in (self._by_own_names, self._by_original_names):
            for component in self.layers.keys() & {DENOISER, TEXT}:
                for path in filter(None, self.layers[component]):
                    for stem, target in spell(component, path):
                        self._stems.setdefault(stem, target)
        self._foreign = tuple(self._beginnings_of_others())

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Outputs of the layers by name."""
        return {
            path: len(weight)
            for layers in self.layers.values()
            for path, layer in layers.items()
            if isinstance(weight := getattr(layer, "weight", None), nn.Parameter)
        }

    def find(self, stem: str) -> Target | None:
        """What a stem means, or None."""
        return self._stems.get(stem.replace(PEFT_ROOT, "", 1))

    def elsewhere(self, stem: str) -> bool:
        """Whether a stem that means no layer here is of a component that is not here."""
        return stem.replace(PEFT_ROOT, "", 1).startswith(self._foreign)

    def _by_own_names(self, component: str, path: str) -> Iterator[tuple[str, Target]]:
        target = Target(component, (path,))
        found = self._denoiser_stems(path) if component == DENOISER else self._text_stems(path)
        yield from ((stem, target) for stem in found)

    def _by_original_names(self, component: str, path: str) -> Iterator[tuple[str, Target]]:
        if component == TEXT and longest(self.texts, path)[1] is None:
            return
        place = self.place(component, path)
        if place.index or not all(each in self.layers[component] for each in place.whole):
            return
        target = Target(component, place.whole, place.swapped)
        if component == DENOISER:
            yield from ((stem, target) for stem in self._denoiser_stems(place.original))
        else:
            yield self.comfy(component, path), target

    def _denoiser_stems(self, name: str) -> Iterator[str]:
        yield from (prefix + flat(name) for prefix in (self.family.lora_prefix[DENOISER][""], *FLAT))
        yield from (prefix + name for prefix in (self.family.peft_prefix[DENOISER][""], HCP2[DENOISER], *DOTTED, ""))

    def _text_stems(self, path: str) -> Iterator[str]:
        own, network = longest(self.texts, path)
        if network is None:
            return
        kohya, peft = (
            longest(table.get(TEXT, {}), path)[1] for table in (self.family.lora_prefix, self.family.peft_prefix)
        )
        name, alone = path.removeprefix(own), len(self.texts) == 1
        for spelled in (name, name.removeprefix(TEXT_ROOT)):
            yield from (prefix + flat(spelled) for prefix in (kohya, *network.kohya) if prefix)
            yield from (prefix + spelled for prefix in (peft, own) if prefix)
            yield from (prefix + spelled for prefix in {network.single, COMFY_TEXT.format(network.comfy)})
            for other in network.hcp:
                yield from (other + spelled, HCP2[TEXT] + other + spelled)
            if alone:
                yield from (LYCORIS + flat(spelled), spelled)

    def _beginnings_of_others(self) -> Iterator[str]:
        if DENOISER not in self.layers:
            roots = self.family.denoiser_roots
            yield from (self.family.lora_prefix[DENOISER][""], *FLAT[:2], HCP2[DENOISER], *DOTTED, *roots)
            yield from (LYCORIS + flat(root) for root in roots)
        if TEXT not in self.layers:
            for table in (self.family.lora_prefix, self.family.peft_prefix):
                yield from table.get(TEXT, {}).values()
            for own, network in self.texts.items():
                yield from (*network.kohya, *([own] if own else []))
            yield from ("text_encoders.", HCP2[TEXT], *TEXT_ROOTS, *(LYCORIS + flat(root) for root in TEXT_ROOTS))
