"""How files of adapters and words spell the networks of the families of diffusion transformers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from ..base import Prefixes
from ..outline import outputs
from ..spelling import Originals, TextSpelling
from .networks import Network, TextNetwork

BLOCKS = ("transformer_blocks.", "single_transformer_blocks.")
"""What diffusers calls the blocks of its transformers."""


class TransformerSpelling:
    """The names of a transformer and its text networks in files.

    Attributes:
        transformer: The denoiser.
        texts: The text networks.
        kohya_original: Kohya's keys have the original names of the transformer.
        kohya_network: What kohya's `ss_network_module` calls a LoRA of the family.
    """

    transformer: ClassVar[Network]
    texts: ClassVar[tuple[TextNetwork, ...]]
    kohya_original: ClassVar[bool] = True
    kohya_network: ClassVar[str] = "networks.lora"

    @property
    def lora_prefix(self) -> Prefixes:
        """In kohya's keys."""
        texts = {text.prefix: text.kohya for text in self.texts if text.kohya}
        return {"denoiser": {"": "lora_unet_"}, **({"text_encoder": texts} if texts else {})}

    @property
    def peft_prefix(self) -> Prefixes:
        """In PEFT's keys."""
        texts = {text.prefix: text.prefix for text in self.texts if text.peft}
        return {"denoiser": {"": "transformer."}, **({"text_encoder": texts} if texts else {})}

    @property
    def denoiser_roots(self) -> tuple[str, ...]:
        """The first words of the names, in both layouts."""
        layout = None if self.transformer.layout is None else self.transformer.layout(self.transformer.released)
        names = [] if layout is None else [name for row in layout.rows for name in (row.original, *row.own)]
        return tuple(dict.fromkeys([*BLOCKS, *(name.partition(".")[0] + "." for name in names)]))

    def originals(self, config: Mapping[str, Any]) -> Originals | None:
        """The layout of the authors' files, see `base.Family`."""
        return self.transformer.layout(config) if config and self.transformer.layout is not None else None

    def text_spellings(self, configs: Mapping[str, Any]) -> Mapping[str, TextSpelling]:
        """Every text network, see `base.Family`."""
        return {
            text.prefix: TextSpelling(
                text.comfy,
                text.files[0],
                text.other_kohya,
                originals=None if text.layout is None else text.layout(configs.get(text.name) or text.released),
            )
            for text in self.texts
        }

    def rows(self, config: Mapping[str, Any]) -> Mapping[str, int]:
        """Outputs of the transformer's layers, see `base.Family`."""
        told = {name: value for name, value in config.items() if not name.startswith("_")}
        return outputs(partial(self.transformer.make, told))
