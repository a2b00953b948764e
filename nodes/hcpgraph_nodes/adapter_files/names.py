"""Names of layers in adapter files, from a model's table of layers and its family's prefixes, both ways.

They never come from run-time module names: transformers 5.6 renamed CLIP's, and files kept the old names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from hcpgraph import GraphError

from ..families.ldm_names import UNetNames
from ..families.registry import family as implementation
from ..families.table import said
from ..model.handles import Handle

DENOISER, TEXT = "denoiser", "text_encoder"
PEFT_ROOT = "base_model.model."
COMFY_DENOISER = "diffusion_model."
LYCORIS = "lycoris_"
TEXT_ROOT = "text_model."
HCP2 = {DENOISER: "denoiser.", TEXT: "TE."}
"""What HCP-Diffusion 2.x puts in front of the names of a component, unless its saver was told to leave it out."""
UNET_ROOTS = ("down_blocks.", "mid_block.", "up_blocks.", "conv_in", "conv_out", "time_embedding.", "add_embedding.")
TEXT_ROOTS = (TEXT_ROOT, "encoder.layers.", "clip_L.", "clip_B.", "clip_bigG.")
ROOTS = {DENOISER: UNET_ROOTS, TEXT: TEXT_ROOTS}
"""What the names of a component's layers begin with where no prefix says which component it is."""


@dataclass(frozen=True, slots=True)
class Network:
    """How files spell what the layers of one text network begin with.

    Attributes:
        comfy: Names of the network in ComfyUI (`text_encoders.<name>.transformer.…`).
        kohya: Prefixes that programs write beside the family's own: OneTrainer has `lora_te1_` for a single encoder.
        hcp: Names in HCP-Diffusion, that of 0.9 first.
    """

    comfy: tuple[str, ...]
    kohya: tuple[str, ...] = ()
    hcp: tuple[str, ...] = ("",)


NETWORKS = {
    "": Network(("clip_l", "clip_h"), ("lora_te_", "lora_te1_")),
    "text_encoder.": Network(("clip_l",), hcp=("clip_B.", "clip_L.")),
    "text_encoder_2.": Network(("clip_g",), hcp=("clip_bigG.",)),
    "text_encoder_3.": Network(("t5xxl",), hcp=()),
}
"""Beginning of a layer's name in a text encoder -> its spellings."""


def flat(name: str) -> str:
    """A name as kohya and LyCORIS write it."""
    return name.replace(".", "_")


class Spelling:
    """How the layers of a model are called in files that are written.

    Args:
        family: Name of the model family.
        unet: The denoiser's configuration, for families whose files have its layers' original names.
    """

    def __init__(self, family: str, unet: Mapping[str, Any]) -> None:
        self.family: Any = implementation(family)
        self._renamed = (said(family, "adapters") or {}).get("original_names", False)
        self._unet = UNetNames(unet) if "down_block_types" in unet else None

    def kohya(self, component: str, path: str) -> str:
        """The stem in kohya's layout.

        Raises:
            GraphError: E_ADAPTER, it has no place for the component.
        """
        own, prefix = _prefix(self.family.lora_prefix, component, path)
        original = self._original(path) if component == DENOISER and self._renamed else None
        return prefix + flat(original or path.removeprefix(own))

    def peft(self, component: str, path: str) -> str:
        """The stem in the layout of PEFT and diffusers.

        Raises:
            GraphError: E_ADAPTER, it has no place for the component.
        """
        own, prefix = _prefix(self.family.peft_prefix, component, path)
        return prefix + path.removeprefix(own)

    def hcp(self, component: str, path: str) -> str:
        """The stem in HCP-Diffusion's layout.

        Raises:
            GraphError: E_ADAPTER, it has no place for the component.
        """
        own, _ = _prefix(self.family.peft_prefix, component, path)
        return (NETWORKS[own].hcp[0] if component == TEXT else "") + path.removeprefix(own)

    def _original(self, path: str) -> str | None:
        return self._unet.to_ldm(path) if self._unet is not None else None


class Names(Spelling):
    """What the keys of files mean for one or several components of one model.

    Args:
        handles: Component -> its model.

    Attributes:
        layers: Component -> layer's name -> the layer.
    """

    def __init__(self, handles: Mapping[str, Handle]) -> None:
        (family,) = {handle.family for handle in handles.values()}
        super().__init__(family, handles[DENOISER].config if DENOISER in handles else {})
        self.layers: dict[str, Mapping[str, nn.Module]] = {
            component: handle.root.layers for component, handle in handles.items()
        }
        self._stems: dict[str, tuple[str, str]] = {}
        for component, layers in self.layers.items():
            for path in layers:
                for stem in self._spellings(component, path) if path else ():
                    self._stems.setdefault(stem, (component, path))
        self._foreign = tuple(self._prefixes_of_others())

    def find(self, stem: str) -> tuple[str, str] | None:
        """Component and name of the layer that a stem means, or None."""
        return self._stems.get(stem.removeprefix(PEFT_ROOT))

    def elsewhere(self, stem: str) -> bool:
        """Whether a stem that means no layer here is of a component that is not here."""
        bare = stem.removeprefix(PEFT_ROOT)
        return bare.startswith(self._foreign)

    def _spellings(self, component: str, path: str) -> Iterator[str]:
        own, prefix = _longest(self.family.peft_prefix.get(component, {}), path)
        _, kohya = _longest(self.family.lora_prefix.get(component, {}), path)
        if prefix is None or kohya is None:
            return
        name = path.removeprefix(own)
        if component == DENOISER:
            yield from (kohya + flat(name), prefix + name, name, LYCORIS + flat(name), HCP2[DENOISER] + name)
            if (original := self._original(path)) is not None:
                yield from (kohya + flat(original), COMFY_DENOISER + original)
            return
        network = NETWORKS[own]
        for spelled in (name, name.removeprefix(TEXT_ROOT)):
            yield from (other + flat(spelled) for other in (kohya, *network.kohya))
            yield prefix + spelled
            yield from (f"text_encoders.{other}.transformer.{spelled}" for other in network.comfy)
            for other in network.hcp:
                yield from (other + spelled, HCP2[TEXT] + other + spelled)
            if not own:
                yield LYCORIS + flat(spelled)

    def _prefixes_of_others(self) -> Iterator[str]:
        for component in (DENOISER, TEXT):
            if component in self.layers:
                continue
            for table in (self.family.lora_prefix, self.family.peft_prefix):
                yield from table.get(component, {}).values()
            yield from (HCP2[component], *ROOTS[component], *(LYCORIS + flat(root) for root in ROOTS[component]))
            if component == DENOISER:
                yield COMFY_DENOISER
            else:
                yield "text_encoders."
                for own in self.family.lora_prefix.get(TEXT, {}):
                    yield from NETWORKS[own].kohya


def _prefix(tables: Mapping[str, Mapping[str, str]], component: str, path: str) -> tuple[str, str]:
    own, prefix = _longest(tables.get(component, {}), path)
    if prefix is None:
        raise GraphError(
            "E_ADAPTER",
            f"adapter files have no place for the {component}",
            hint="make it part of the weights with plugin.merge, and save those",
        )
    return own, prefix


def _longest(table: Mapping[str, str], path: str) -> tuple[str, str | None]:
    """The longest beginning of the path in the table, and what stands for it."""
    found = [own for own in table if path.startswith(own)]
    own = max(found, key=len, default="")
    return own, table.get(own) if found else None
