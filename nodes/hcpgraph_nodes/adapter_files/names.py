"""How layers are called in adapter files that are written, from a model's table of layers and its family's spelling.

Names never come from run-time module names: transformers 5.6 renamed CLIP's, and files kept the old ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from hcpgraph import GraphError

from ..families.dit.layout import Place
from ..families.registry import family as implementation
from ..families.spelling import Originals, TextSpelling

DENOISER, TEXT = "denoiser", "text_encoder"
COMFY_DENOISER = "diffusion_model."
TEXT_ROOT = "text_model."
MERGE = "make it part of the weights with plugin.merge, and save those"


def flat(name: str) -> str:
    """A name as kohya and LyCORIS write it."""
    return name.replace(".", "_")


class Spelling:
    """How the layers of a model are called in files that are written.

    Args:
        family: Name of the model family.
        denoiser: The denoiser's configuration, for files that have its layers' original names.
        texts: The configurations of the text networks by component.
    """

    def __init__(self, family: str, denoiser: Mapping[str, Any], texts: Mapping[str, Any] | None = None) -> None:
        self.family: Any = implementation(family)
        self._config = denoiser
        self._denoiser: Originals | None = self.family.originals(denoiser)
        self.texts: Mapping[str, TextSpelling] = self.family.text_spellings(texts or {})

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Outputs of the denoiser's layers by name."""
        found: Mapping[str, int] = self.family.rows(self._config)
        return found

    def place(self, component: str, path: str) -> Place:
        """Where a layer lies in files with original names; names of a text network's layers are without its own."""
        own, names = "", self._denoiser
        if component == TEXT:
            own = longest(self.texts, path)[0]
            names = self.texts[own].originals if own in self.texts else None
        if names is None:
            return Place(path.removeprefix(own), 0, (path,), False)
        found = names.place(path.removeprefix(own))
        return Place(found.original, found.index, tuple(own + name for name in found.whole), found.swapped)

    def kohya_place(self, component: str, path: str) -> Place:
        """Where a layer lies in kohya's layout, which has original names of the denoisers of some families."""
        if component == DENOISER and self.family.kohya_original:
            return self.place(component, path)
        own, _ = longest(self.family.lora_prefix.get(component, {}), path)
        return Place(path.removeprefix(own), 0, (path,), False)

    def kohya(self, component: str, path: str) -> str:
        """The stem in kohya's layout.

        Raises:
            GraphError: E_ADAPTER, it has no place for the network.
        """
        _, prefix = self._prefix("kohya's", self.family.lora_prefix, component, path)
        return prefix + flat(self.kohya_place(component, path).original)

    def peft(self, component: str, path: str) -> str:
        """The stem in the layout of PEFT and diffusers.

        Raises:
            GraphError: E_ADAPTER, it has no place for the network.
        """
        own, prefix = self._prefix("PEFT's", self.family.peft_prefix, component, path)
        return prefix + path.removeprefix(own)

    def comfy(self, component: str, path: str) -> str:
        """The stem in ComfyUI's layout, which has original names.

        Raises:
            GraphError: E_ADAPTER, it has no place for the network.
        """
        if component == DENOISER:
            return COMFY_DENOISER + self.place(component, path).original
        table = {TEXT: {own: each.single for own, each in self.texts.items()}}
        _, prefix = self._prefix("ComfyUI's", table, component, path)
        return prefix + self.place(component, path).original

    def hcp(self, component: str, path: str) -> str:
        """The stem in HCP-Diffusion's layout.

        Raises:
            GraphError: E_ADAPTER, it has no place for the network.
        """
        if component == DENOISER:
            return path
        table = {TEXT: {own: each.hcp[0] for own, each in self.texts.items() if each.hcp}}
        own, prefix = self._prefix("HCP-Diffusion's", table, component, path)
        return prefix + path.removeprefix(own)

    def _prefix(
        self, whose: str, tables: Mapping[str, Mapping[str, str]], component: str, path: str
    ) -> tuple[str, str]:
        own, prefix = longest(tables.get(component, {}), path)
        if prefix is not None:
            return own, prefix
        network = longest(self.texts, path)[0].rstrip(".") if component == TEXT else ""
        message = f"{whose} layout has no place for the {network or component}"
        raise GraphError("E_ADAPTER", message, hint=MERGE)


def longest(table: Mapping[str, Any], path: str) -> tuple[str, Any]:
    """The longest beginning of the path in the table, and what stands for it; None: nothing."""
    found = [own for own in table if path.startswith(own)]
    own = max(found, key=len, default="")
    return own, table.get(own) if found else None
