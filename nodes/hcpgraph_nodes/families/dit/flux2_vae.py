"""The autoencoder of FLUX.2: latents by squares of 2 × 2, whose mean and deviation are weights of a batch norm.

Source: https://github.com/black-forest-labs/flux2 (autoencoder.py); AutoencoderKLFlux2 in diffusers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hcpgraph import GraphError

from ... import private
from ...model.handles import Vae
from ...model.root import Placement, Root
from ...model.statistics import Statistics
from .. import networks
from ..kl_vae import KlVae
from ..ldm_file import DIFFUSERS_VAE, VAE_PREFIXES
from ..ldm_vae import original_vae
from ..networks import Config, State
from ..tensor_files import header, read
from .networks import Network

INNER = {"encoder.quant_conv.": "quant_conv.", "decoder.post_quant_conv.": "post_quant_conv."}
"""Where the authors have layers that stand outside in diffusers."""
NORM = "bn."
PARTS = ("encoder.", "decoder.", "quant_conv.", "post_quant_conv.", NORM)
FLUX2_VAE = Network(
    name="vae",
    cls="AutoencoderKLFlux2",
    released={
        "block_out_channels": [128, 256, 512, 512],
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
        "layers_per_block": 2,
        "latent_channels": 32,
        "norm_num_groups": 32,
        "sample_size": 1024,
        "use_quant_conv": True,
        "use_post_quant_conv": True,
        "batch_norm_eps": 1e-4,
        "patch_size": [2, 2],
    },
    tiny={
        "block_out_channels": [8, 16],
        "down_block_types": ["DownEncoderBlock2D"] * 2,
        "up_block_types": ["UpDecoderBlock2D"] * 2,
        "layers_per_block": 1,
        "latent_channels": 4,
        "norm_num_groups": 4,
        "sample_size": 32,
    },
    files=("vae.", "first_stage_model."),
)


class Flux2Vae(KlVae):
    """What a family does with it."""

    def vae_patch(self, config: Config) -> int:
        """Side of the squares."""
        return int(config.get("patch_size", (2, 2))[0])

    def vae_handle(self, config: Config, make: Callable[[], nn.Module], placement: Placement) -> Vae:
        """The handle; its statistics are weights, which are read when first used."""
        return Vae(root=Root(make, placement), family=self.name, config=config)

    def vae_sizes(self, shapes: Mapping[str, Sequence[int]]) -> dict[str, Any]:
        """See `KlVae`."""
        return super().vae_sizes({_outer(name): size for name, size in shapes.items()})

    def vae_state(self, path: Path, config: Config) -> State:
        """See `KlVae`.

        Raises:
            GraphError: E_WEIGHTS, the file has none.
        """
        names = header(path).shapes
        begin = next((known for known in VAE_PREFIXES if any(name.startswith(known) for name in names)), "")
        found = read(path, lambda key: key.removeprefix(begin).startswith(PARTS) and key.startswith(begin))
        state = {_outer(name.removeprefix(begin)): value for name, value in found.items()}
        if not state:
            raise GraphError(
                "E_WEIGHTS", f"{path.name} has no weights of a VAE", hint="give a VAE or a full checkpoint"
            )
        if DIFFUSERS_VAE in state:
            return state
        norm = {name: value for name, value in state.items() if name.startswith(NORM)}
        return private.vae_weights({name: state[name] for name in state.keys() - norm.keys()}, config) | norm

    def vae_keys(self, vae: Vae, dtype: torch.dtype) -> State:
        """Its weights by their keys in a single file, in its authors' layout."""
        state = networks.base_state(vae, dtype)
        norm = {name: value for name, value in state.items() if name.startswith(NORM)}
        rest = {name: value for name, value in state.items() if name not in norm}
        original = original_vae(rest, self.full_vae_config(vae)) | norm
        back = {own: name for name, own in INNER.items()}
        return {self.vae_prefix + _renamed(name, back): value for name, value in original.items()}

    def statistics(self, vae: Vae) -> Statistics:
        """The mean and the variance of its batch norm."""
        norm: Any = vae.root.module.get_submodule(NORM.removesuffix("."))
        return Statistics.of_norm(
            norm.running_mean, norm.running_var, vae.config.get("batch_norm_eps", 1e-4), self.vae_patch(vae.config)
        )


def _outer(name: str) -> str:
    return _renamed(name, INNER)


def _renamed(name: str, table: Mapping[str, str]) -> str:
    for old, new in table.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name
