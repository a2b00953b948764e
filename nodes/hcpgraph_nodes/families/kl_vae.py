"""The AutoencoderKL of the Stable Diffusion families: opened, made, written, and between pictures and latents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from hcpgraph import GraphError

from ..image.pixels import cut
from ..model.handles import Vae
from ..model.root import Placement, Root
from ..model.statistics import Statistics
from . import file_marks, ldm_file, networks
from .networks import Config, State
from .sizes import Sizes, vae_config
from .weights import build, checked_config, read_config, read_folder, write_json, write_weights

TABLE = {
    "table": "layer_groups",
    "name": "kl_vae",
    "groups": {
        "attention": [r"re:.*\.attentions\.\d+\.to_(q|k|v|out\.0)$"],
        "self_attention": [r"re:.*\.attentions\.\d+\.to_(q|k|v|out\.0)$"],
        "conv": ["cls:Conv2d"],
        "norm": ["cls:GroupNorm"],
    },
}
"""AutoencoderKL."""
DIFFUSION = "diffusion_pytorch_model"


class KlVae:
    """What a family does with its AutoencoderKL.

    Attributes:
        name: Name of the family, as in its `TABLE`.
        sizes: The released model's.
        upcast_vae: Whether the VAE overflows in float16 unless its configuration says that it does not.
    """

    name: ClassVar[str]
    sizes: ClassVar[Sizes]
    upcast_vae: ClassVar[bool] = False

    def new_vae(self, sizes: Sizes, placement: Placement, seed: int) -> Vae:
        """An untrained autoencoder alone."""
        config = vae_config(sizes)
        return self.vae_handle(config, networks.seeded(partial(networks.vae, config), seed), placement)

    def load_vae(self, path: Path, placement: Placement) -> Vae:
        """The autoencoder of a folder (its own, or the `vae` of a whole model) or of a .safetensors file.

        A file is a whole checkpoint or a VAE alone, in the original layout or in that of diffusers. Its sizes are those
        in its header, if `model.save` wrote it, else those of the family's released model.

        Raises:
            GraphError: E_MODEL_FOLDER, E_MODEL_CLASS, E_NO_SAFETENSORS, and at first use E_WEIGHTS.
        """
        if not path.is_dir():
            written = (file_marks.written_configs(ldm_file.marks(path)[0]) or {}).get("vae")
            where = f"the header of {path.name}"
            known = vae_config(self.sizes) if written is None else checked_config(written, where, "AutoencoderKL")
            read = partial(ldm_file.vae_state, path, known)
            return self.vae_handle(known, self.vae_module(known, read), placement)
        folder = path / "vae" if (path / "vae").is_dir() else path
        config = read_config(folder, "config.json", "AutoencoderKL")
        return self.vae_handle(config, self.vae_module(config, partial(read_folder, folder, DIFFUSION)), placement)

    def vae_handle(self, config: Config, make: Callable[[], nn.Module], placement: Placement) -> Vae:
        """The handle; its weights are in float32 where float16 would overflow (`force_upcast`, as in diffusers)."""
        overflows = self.upcast_vae and config.get("force_upcast", True)
        if overflows and placement.dtype is torch.float16:
            placement = replace(placement, dtype=torch.float32)
        handle = Vae(root=Root(make, placement), family=self.name, config=config)
        self.statistics(handle)
        return handle

    def vae_module(self, config: Config, read: Callable[[], State]) -> Callable[[], nn.Module]:
        """Makes the module with the weights that `read` gives by their names in diffusers."""
        return lambda: build(partial(networks.vae, config), networks.current_vae(read()), "VAE")

    def save_vae(self, folder: Path, vae: Vae, dtype: torch.dtype, metadata: Mapping[str, str]) -> None:
        """Write a folder that `AutoencoderKL.from_pretrained` loads."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "config.json", self.full_vae_config(vae))
        weights = networks.base_state(vae, dtype)
        write_weights(folder / f"{DIFFUSION}.safetensors", weights, {"format": "pt", **metadata})

    def full_vae_config(self, vae: Vae) -> dict[str, object]:
        """Everything that the class needs, with the handle's own statistics."""
        config = networks.full_config(vae.root.module, "AutoencoderKL")
        return {**config, **self.statistics(vae).config()}

    def encode_image(self, vae: Vae, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the latents of pictures (B, 3, H, W) in [0, 1], not normalised."""
        with vae.active() as module:
            moments = module.encode((images.to(vae.device) * 2 - 1).to(vae.root.placement.dtype)).latent_dist
            return moments.mean.float(), moments.std.float()

    def image_channels(self, vae: Vae, images: Tensor) -> Tensor:
        """The means of their latents, not scaled, see `base.Family`: what InstructPix2Pix was trained with.

        Source: `prepare_image_latents` of StableDiffusionInstructPix2PixPipeline in diffusers.
        """
        return self.encode_image(vae, images)[0]

    def decode(self, vae: Vae, latents: Tensor) -> Tensor:
        """Pictures (B, 3, H, W), float32 in [0, 1], of scaled latents."""
        return cut(self.reconstruct(vae, latents))

    def reconstruct(self, vae: Vae, latents: Tensor) -> Tensor:
        """What `decode` gives, not yet cut to [0, 1]."""
        with vae.active() as module:
            own = self.statistics(vae).denormalise(latents.to(vae.device)).to(vae.root.placement.dtype)
            pictures: Tensor = module.decode(own, return_dict=False)[0].float() / 2 + 0.5
            return pictures

    def statistics(self, vae: Vae) -> Statistics:
        """What its configuration says of its latents.

        Raises:
            GraphError: E_MODEL_CLASS, it contradicts itself.
        """
        channels = vae.config.get("latent_channels", self.sizes.latent_channels)
        return Statistics.of(vae.config, self.sizes.scaling_factor, channels)

    def latent_shape(self, vae: Vae, width: int, height: int) -> tuple[int, int, int]:
        """Channels, height and width of the latents of a picture.

        Raises:
            GraphError: E_SIZE, the sides are no multiples of what the VAE needs.
        """
        statistics, levels = self.statistics(vae), len(vae.config["block_out_channels"])
        factor = 2 ** (levels - 1) * statistics.patch
        if width % factor or height % factor:
            raise GraphError(
                "E_SIZE",
                f"{width}×{height} pixels do not fit a VAE that makes one latent of {factor} pixels",
                hint=f"use multiples of {factor}; the UNet halves the latents further",
            )
        own = factor // statistics.patch
        return statistics.shape(vae.config["latent_channels"], height // own, width // own)
