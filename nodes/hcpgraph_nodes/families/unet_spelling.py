"""How files of adapters and words spell the networks of the Stable Diffusion families."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from . import networks
from .base import Prefixes
from .ldm_names import UNetNames
from .networks import TextPart
from .outline import outputs
from .spelling import Originals, TextSpelling

COMFY = "text_encoders.{}.transformer."
ROOTS = ("down_blocks.", "mid_block.", "up_blocks.", "conv_in", "conv_out", "time_embedding.", "add_embedding.")


class UNetSpelling:
    """The names of a UNet and of CLIP's text networks in files.

    Attributes:
        texts: The text networks.
        lora_prefix: Component -> what a layer's name begins with -> what stands for that in kohya's keys.
        peft_prefix: The same for PEFT's keys.
        kohya_original: Whether kohya's keys have the UNet's original names.
        kohya_network: What kohya's `ss_network_module` calls a LoRA of the family.
        denoiser_roots: What the names of the UNet's layers begin with.
    """

    texts: ClassVar[tuple[TextPart, ...]]
    lora_prefix: ClassVar[Prefixes]
    peft_prefix: ClassVar[Prefixes]
    kohya_original: ClassVar[bool] = False
    kohya_network: ClassVar[str] = "networks.lora"
    denoiser_roots: ClassVar[tuple[str, ...]] = ROOTS

    def originals(self, config: Mapping[str, Any]) -> Originals | None:
        """The names of LDM, see `base.Family`."""
        return UNetNames(config) if "down_block_types" in config else None

    def text_spellings(self, configs: Mapping[str, Any]) -> Mapping[str, TextSpelling]:
        """Every text network, see `base.Family`."""
        return {
            part.prefix: TextSpelling(part.comfy, COMFY.format(part.comfy), part.other_kohya, part.hcp)
            for part in self.texts
        }

    def rows(self, config: Mapping[str, Any]) -> Mapping[str, int]:
        """Outputs of the UNet's layers, see `base.Family`."""
        return outputs(partial(networks.unet, config))
