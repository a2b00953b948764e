"""A family's autoencoder, mostly an AutoencoderKL: opened, made, written, and between pictures and latents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from hcpgraph import GraphError

from ..image.pixels import cut
from ..model.handles import Vae
from ..model.root import Placement, Root
from ..model.statistics import Statistics
from . import file_marks, ldm_file, networks
from .kl_sizes import kl_sizes
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
    """What a family does with its autoencoder; one of another class says what is different.

    Attributes:
        name: Name of the family, as in its `TABLE`.
        vae_cls: The class in diffusers.
        upcast_vae: Whether the VAE overflows in float16 unless its configuration says that it does not.
        latent_multiple: Of what the sides of latents are multiples, for the denoiser's sake.
        halves: Whether the denoiser is a UNet, which halves latents further.
    """

    name: ClassVar[str]
    vae_cls: ClassVar[str] = "AutoencoderKL"
    upcast_vae: ClassVar[bool] = False
    latent_multiple: ClassVar[int] = 1
    halves: ClassVar[bool] = True

    @property
    def vae_prefix(self) -> str:
        """What its names begin with in a file of a whole model that we write."""
        return ldm_file.VAE

    @property
    def vae_released(self) -> Config:
        """The configuration of the released model's."""
        raise NotImplementedError

    def vae_made(self, config: Config) -> nn.Module:
        """An untrained autoencoder of a configuration."""
        return networks.autoencoder(self.vae_cls, config)

    def vae_state(self, path: Path, config: Config) -> State:
        """The weights in a file of it alone or of a whole model, by their names in diffusers."""
        return ldm_file.vae_state(path, config)

    def vae_sizes(self, shapes: Mapping[str, Sequence[int]]) -> dict[str, Any]:
        """What the sizes of tensors, without a prefix, say of its configuration."""
        return kl_sizes(shapes)

    def new_vae(self, sizes: Sizes, placement: Placement, seed: int) -> Vae:
        """An untrained autoencoder alone."""
        config = vae_config(sizes)
        return self.vae_handle(config, networks.seeded(partial(self.vae_made, config), seed, "VAE"), placement)

    def load_vae(self, path: Path, placement: Placement) -> Vae:
        """The autoencoder of a folder (its own, or the `vae` of a whole model) or of a .safetensors file.

        A file is a whole checkpoint or a VAE alone, in the original layout or in that of diffusers. What is no size is
        as its header says, if `model.save` wrote it, else as in the family's released model.

        Raises:
            GraphError: E_MODEL_FOLDER, E_MODEL_CLASS, E_NO_SAFETENSORS, and at first use E_WEIGHTS.
        """
        if not path.is_dir():
            known = self.vae_of_file(path)
            return self.vae_handle(known, self.vae_module(known, partial(self.vae_state, path, known)), placement)
        folder = path / "vae" if (path / "vae").is_dir() else path
        config = read_config(folder, "config.json", self.vae_cls)
        return self.vae_handle(config, self.vae_module(config, partial(read_folder, folder, DIFFUSION)), placement)

    def vae_of_file(self, path: Path) -> Config:
        """The configuration of the autoencoder in a file of it alone or of a whole model."""
        written = (file_marks.written_configs(ldm_file.marks(path)[0]) or {}).get("vae")
        if written is not None:
            return checked_config(written, f"the header of {path.name}", self.vae_cls)
        return {**self.vae_released, **self.vae_sizes(ldm_file.vae_shapes(path))}

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
        return lambda: build(partial(self.vae_made, config), networks.current_vae(read()), "VAE")

    def save_vae(self, folder: Path, vae: Vae, dtype: torch.dtype, metadata: Mapping[str, str]) -> None:
        """Write a folder that the class in diffusers loads."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "config.json", self.full_vae_config(vae))
        weights = networks.base_state(vae, dtype)
        write_weights(folder / f"{DIFFUSION}.safetensors", weights, {"format": "pt", **metadata})

    def vae_keys(self, vae: Vae, dtype: torch.dtype) -> State:
        """Its weights by their keys in a single file.

        Raises:
            GraphError: E_LAYOUT, the original layout has no place for one.
        """
        return ldm_file.vae_keys(networks.base_state(vae, dtype), self.full_vae_config(vae), self.vae_prefix)

    def full_vae_config(self, vae: Vae) -> dict[str, object]:
        """Everything that the class needs, with the handle's own statistics."""
        config = networks.full_config(vae.root.module, self.vae_cls)
        return {**config, **self.statistics(vae).config()}

    def encode_image(self, vae: Vae, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the latents of pictures (B, 3, H, W) in [0, 1], not normalised."""
        with vae.active() as module:
            mean, deviation = self.moments(module, (images.to(vae.device) * 2 - 1).to(vae.root.placement.dtype))
            return mean.float(), deviation.float()

    def moments(self, module: Any, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (B, C, h, w) of what the module makes of pictures (B, 3, H, W) in [-1, 1]."""
        found = module.encode(pictures).latent_dist
        return found.mean, found.std

    def pictures(self, module: Any, latents: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) in [-1, 1] that the module makes of its own latents (B, C, h, w)."""
        found: Tensor = module.decode(latents, return_dict=False)[0]
        return found

    def image_channels(self, vae: Vae, images: Tensor) -> Tensor:
        """The means of their latents, not scaled, see `base.Family`: what InstructPix2Pix was trained with.

        Source: `prepare_image_latents` of StableDiffusionInstructPix2PixPipeline in diffusers.
        """
        return self.encode_image(vae, images)[0]

    def inpaint_channels(self, latents: Tensor, masks: Tensor) -> Tensor:
        """The mask at the nearest pixels, then the latents, see `base.Family`.

        Source: Rombach et al. 2022, https://arxiv.org/abs/2112.10752; StableDiffusionInpaintPipeline in diffusers.
        """
        return torch.cat([torch.nn.functional.interpolate(masks, size=latents.shape[-2:]), latents], dim=1)

    def decode(self, vae: Vae, latents: Tensor) -> Tensor:
        """Pictures (B, 3, H, W), float32 in [0, 1], of scaled latents."""
        return cut(self.reconstruct(vae, latents))

    def reconstruct(self, vae: Vae, latents: Tensor) -> Tensor:
        """What `decode` gives, not yet cut to [0, 1]."""
        with vae.active() as module:
            own = self.statistics(vae).denormalise(latents.to(vae.device)).to(vae.root.placement.dtype)
            return self.pictures(module, own).float() / 2 + 0.5

    def statistics(self, vae: Vae) -> Statistics:
        """What its configuration says of its latents.

        Raises:
            GraphError: E_MODEL_CLASS, it contradicts itself.
        """
        released = self.vae_released
        channels = vae.config.get("latent_channels", released["latent_channels"])
        return Statistics.of(vae.config, released["scaling_factor"], channels)

    def latent_shape(self, vae: Vae, width: int, height: int) -> tuple[int, int, int]:
        """Channels, height and width of the latents of a picture.

        Raises:
            GraphError: E_SIZE, the sides are no multiples of what the VAE needs.
        """
        patch, own = self.vae_patch(vae.config), self.vae_factor(vae.config)
        factor = own * patch
        multiple = factor * self.latent_multiple
        if width % multiple or height % multiple:
            more = f", of which the model takes squares of {self.latent_multiple}" if self.latent_multiple > 1 else ""
            further = "; the UNet halves the latents further" if self.halves else ""
            raise GraphError(
                "E_SIZE",
                f"{width}×{height} pixels do not fit a VAE that makes one latent of {factor} pixels{more}",
                hint=f"use multiples of {multiple}{further}",
            )
        return Statistics(1.0, patch=patch).shape(self.vae_channels(vae.config), height // own, width // own)

    def vae_factor(self, config: Config) -> int:
        """Pixels a latent of the encoder, along one side."""
        return 1 << (len(config["block_out_channels"]) - 1)

    def vae_patch(self, config: Config) -> int:
        """Side of the squares of latents that the denoiser sees as one, see `Statistics`."""
        return 1

    def vae_channels(self, config: Config) -> int:
        """Channels of the encoder's latents."""
        return int(config["latent_channels"])
