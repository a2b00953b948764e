"""What nodes ask of a model family; a family is one object of this kind, in a module that has a `TABLE`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from ..model.handles import Denoiser, TextEncoder, Vae
from ..model.root import Placement
from ..model.statistics import Statistics
from ..types import Conditioning, Process
from .sizes import Sizes
from .spelling import Originals, TextSpelling

Components = tuple[Denoiser, TextEncoder, Vae, Process]
Prefixes = Mapping[str, Mapping[str, str]]
"""Component -> what a layer's name begins with -> what stands for that in the keys of a file."""


class Family(Protocol):
    """One kind of model: how it is opened, made and written, and how prompts, latents and predictions go through it."""

    @property
    def name(self) -> str:
        """As in its `TABLE`."""

    @property
    def sizes(self) -> Sizes | None:
        """Of the released model; None where a model is made by the configurations of its parts."""

    @property
    def skipped(self) -> int:
        """Last layers of a text network that are left out at clip_skip 0."""

    @property
    def reads(self) -> frozenset[str]:
        """The parts of a conditioning that its denoisers read; a name that ends with `_` is the beginning of names."""

    @property
    def masked(self) -> bool:
        """Whether they read masks of tokens, so that texts of different lengths can share a call."""

    @property
    def lora_prefix(self) -> Prefixes:
        """In kohya's keys."""

    @property
    def peft_prefix(self) -> Prefixes:
        """In PEFT's keys."""

    @property
    def kohya_original(self) -> bool:
        """Whether kohya's keys have the denoiser's original names rather than those of diffusers."""

    @property
    def kohya_network(self) -> str:
        """The module of kohya's scripts that makes LoRAs of the family, as `ss_network_module` names it."""

    @property
    def denoiser_roots(self) -> tuple[str, ...]:
        """What the names of a denoiser's layers begin with, in diffusers or in the original layout."""

    def originals(self, config: Mapping[str, Any]) -> Originals | None:
        """The original names of a denoiser of this configuration; None: those of diffusers, or nobody knows."""

    def text_spellings(self, configs: Mapping[str, Any]) -> Mapping[str, TextSpelling]:
        """How files spell the text networks, by what the names of their layers begin with in a text encoder.

        Args:
            configs: Configurations by component, of those that are known; else they are the released ones.
        """

    def rows(self, config: Mapping[str, Any]) -> Mapping[str, int]:
        """Outputs of the layers of a denoiser of this configuration, by name; nothing is allocated."""

    @property
    def architecture(self) -> str:
        """As modelspec calls it."""

    @property
    def base_version(self) -> str:
        """As kohya's `ss_base_model_version` calls it."""

    @property
    def resolution(self) -> str:
        """As modelspec writes it."""

    def spec_architecture(self, prediction_type: str) -> str:
        """How modelspec calls a model of this family that predicts this."""

    # Opening, making, writing

    def load_folder(self, path: Path, placement: Placement, prediction_type: str | None) -> Components:
        """Handles of a diffusers folder; its configurations are read now, its weights when first used.

        Raises:
            GraphError: E_MODEL_FOLDER, E_MODEL_CLASS, and at first use E_NO_SAFETENSORS, E_WEIGHTS.
        """

    def load_file(
        self,
        path: Path,
        placement: Placement,
        prediction_type: str | None,
        config: Path | None,
        tell: Callable[[str], None],
    ) -> Components:
        """Handles of a single .safetensors checkpoint in the original layout; needs no network.

        Args:
            path: The checkpoint.
            placement: Where the weights go.
            prediction_type: What the model predicts; None: as the configuration or the file says.
            config: A diffusers folder whose configurations describe the model; None: what the file's header holds, if
                `model.save` wrote it, else that of the released model.
            tell: Takes a sentence about what the file leaves open.

        Raises:
            GraphError: E_PREDICTION (nothing says what it predicts), E_NO_SAFETENSORS, E_MODEL_FOLDER, E_MODEL_CLASS,
                and at first use E_WEIGHTS.
        """

    def load_denoiser(
        self,
        path: Path,
        placement: Placement,
        prediction_type: str | None,
        config: Path | None,
        tell: Callable[[str], None],
    ) -> tuple[Denoiser, Process]:
        """A denoiser without the rest of a model, and its process.

        Args:
            path: Its folder or that of a whole model, or a .safetensors file of it alone or of a whole model.
            placement: Where the weights go.
            prediction_type: What it predicts; None: as the files say.
            config: A folder whose configuration describes a single file; None: as `load_file`.
            tell: Takes a sentence about what the files leave open.

        Raises:
            GraphError: E_PREDICTION, E_NO_SAFETENSORS, E_MODEL_FOLDER, E_MODEL_CLASS, and at first use E_WEIGHTS.
        """

    def load_text_encoder(self, paths: Sequence[Path], placement: Placement, config: Path | None = None) -> TextEncoder:
        """Text networks without the rest of a model.

        Args:
            paths: One place that has all of them, or one for each: a folder of a network or of a whole model, or a
                .safetensors file of networks or of a whole model.
            placement: Where the weights go.
            config: A diffusers folder that has the tokenizers, and may have configurations, of networks in files.

        Raises:
            GraphError: E_SETTING (another number of places), E_MODEL_FOLDER, E_MODEL_CLASS, E_NO_SAFETENSORS,
                E_TOKENIZER (nothing has the tokenizer), E_WEIGHTS, also at first use.
        """

    def new(
        self,
        sizes: Sizes | None,
        config: Mapping[str, Mapping[str, Any]],
        placement: Placement,
        prediction_type: str | None,
        seed: Callable[[str], int],
    ) -> Components:
        """Handles of an untrained model.

        Args:
            sizes: Its sizes, of families that have such; None: those of the family's smallest model.
            config: Component of a diffusers folder -> entries of its configuration, which win.
            placement: Where the weights go.
            prediction_type: What it is to predict; None: as the released model does.
            seed: Seed of the initial weights of a component.

        Raises:
            GraphError: E_SETTING, a component that the family does not have, a prediction that its process does not
                make; at first use E_MODEL_CLASS, configurations that do not go together.
        """

    def outline(self, placement: Placement) -> tuple[Denoiser, TextEncoder]:
        """Denoiser and text encoder in the released sizes, untrained: for the names and sizes of their layers."""

    def released_configs(self) -> Sequence[Mapping[str, Any]]:
        """The configurations of the released model's denoiser and text networks."""

    def save(self, folder: Path, model: Components, dtype: torch.dtype, metadata: Mapping[str, str]) -> None:
        """Write a folder that the family's pipeline in diffusers loads, with the weights of the roots."""

    def save_file(self, path: Path, model: Components, dtype: torch.dtype, metadata: Mapping[str, str]) -> None:
        """Write a single file in the original layout, with the weights of the roots.

        Raises:
            GraphError: E_LAYOUT, E_TOKENIZER: the layout has no place for a part of the model.
        """

    def load_vae(self, path: Path, placement: Placement) -> Vae:
        """The autoencoder of a folder (its own, or the `vae` of a whole model) or of a .safetensors file.

        Raises:
            GraphError: E_MODEL_FOLDER, E_MODEL_CLASS, E_NO_SAFETENSORS, and at first use E_WEIGHTS.
        """

    def new_vae(self, sizes: Sizes, placement: Placement, seed: int) -> Vae:
        """An untrained autoencoder alone."""

    def save_vae(self, folder: Path, vae: Vae, dtype: torch.dtype, metadata: Mapping[str, str]) -> None:
        """Write a folder that diffusers loads."""

    # Using

    def encode_prompt(
        self, text_encoder: TextEncoder, texts: Sequence[str], clip_skip: int, images: Sequence[Tensor] = ()
    ) -> Conditioning:
        """What leads the denoiser, of B texts: embeddings (B, L, D), float32, and the family's other parts and masks.

        Args:
            text_encoder: The text networks.
            texts: B prompts.
            clip_skip: How many more of the last layers to leave out than the family does.
            images: Pictures that the texts speak of, each (B, 3, H, W) in [0, 1] or one for all; none, but for families
                whose table has `text_images`.

        Raises:
            GraphError: E_CLIP_SKIP, a network has no more layers; E_IMAGES, it takes no pictures.
        """

    def predict(
        self,
        denoiser: Denoiser,
        noisy: Tensor,
        timesteps: Tensor,
        conditioning: Conditioning,
        sizes: Tensor | None = None,
    ) -> Tensor:
        """The denoiser's output (B, C, h, w), float32: of a flow ε − x_0, whatever sign the network has.

        Args:
            denoiser: The network.
            noisy: Latents (B, C, h, w).
            timesteps: Their noise levels, (B,) or a single number, as diffusers' schedulers say them: the number in a
                table, T · t of a flow, ln(σ) / 4 of EDM. What the network is told instead, t or 1 − t, is made here.
            conditioning: Its parts, of B rows.
            sizes: Sizes of the pictures (B, 6) as CropInfo has them; only some families read them.

        Raises:
            GraphError: E_CHANNELS, the network reads latents of other channels; E_PARTS, a part of the conditioning is
                missing or would have no effect.
        """

    def no_prompt(self, denoiser: Denoiser, positive: Conditioning) -> Conditioning | None:
        """What guidance compares with where no negative prompt is given; None: the model needs one."""

    def without_image(self, denoiser: Denoiser, conditioning: Conditioning) -> Conditioning | None:
        """The side of guidance without the picture that leads the other sides; None: there is none to be without."""

    def guides(self, scale: float) -> bool:
        """Whether a scale of guidance asks for the negative side at all."""

    def guided(self, output: Tensor, without: Tensor, scale: float, begin: float) -> Tensor:
        """What guidance makes of the outputs (B, C, h, w) of the positive and the negative side.

        Args:
            output: Of the positive side.
            without: Of the negative one.
            scale: Of guidance.
            begin: Where sampling is, from 0 to 1.
        """

    def image_channels(self, vae: Vae, images: Tensor) -> Tensor:
        """What a denoiser reads beside its latents of pictures (B, 3, H, W) in [0, 1]: channels (B, C, h, w)."""

    def inpaint_channels(self, latents: Tensor, masks: Tensor) -> Tensor:
        """What a denoiser for inpainting reads beside its latents: channels (B, C', h, w).

        Args:
            latents: Those of the pictures without what is masked, (B, C, h, w), as the denoiser sees them.
            masks: Of the pictures' sizes (B, 1, H, W): 1 where they are painted anew, else 0.
        """

    def encode_image(self, vae: Vae, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the latents of pictures (B, 3, H, W) in [0, 1], not normalised."""

    def decode(self, vae: Vae, latents: Tensor) -> Tensor:
        """Pictures (B, 3, H, W), float32 in [0, 1], of scaled latents."""

    def reconstruct(self, vae: Vae, latents: Tensor) -> Tensor:
        """What `decode` gives, not yet cut to [0, 1]."""

    def statistics(self, vae: Vae) -> Statistics:
        """What turns the encoder's latents into those that the denoiser sees, and back."""

    def latent_shape(self, vae: Vae, width: int, height: int) -> tuple[int, int, int]:
        """Channels, height and width of the latents of a picture.

        Raises:
            GraphError: E_SIZE, the sides are no multiples of what the VAE needs.
        """
