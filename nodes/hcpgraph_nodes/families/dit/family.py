"""What the families of diffusion transformers share.

A family of this kind is one file: its `TABLE`, its networks, and three recipes: `prompt` makes embeddings of texts,
`inputs` are the arguments of the network's call, `output` is what comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from hcpgraph import GraphError

from ...conditioning import TEXT
from ...model.clip import Clip, Tokens
from ...model.handles import Denoiser, TextEncoder
from ...model.root import Placement, Root
from ...types import Conditioning, Process
from .. import networks, schedule
from ..base import Components
from ..guiding import PlainGuidance
from ..identity import FACTOR
from ..kl_vae import KlVae
from ..networks import Config
from ..weights import read_config
from . import files, saving, tokenizers
from .files import Found
from .networks import Network, TextNetwork, TextNetworks, named_layer
from .spelling import TransformerSpelling

Texts = Mapping[str, Found]


class TransformerFamily(TransformerSpelling, KlVae, PlainGuidance):
    """Base of the families; a family is one subclass and one object of it.

    Attributes:
        transformer: The denoiser.
        vae: The autoencoder.
        texts: The text networks, in the order in which diffusers names them.
        scheduler: The configuration of the released model's scheduler.
        shift: What only the family knows of a flow's shift, see `schedule.read`.
        pipeline: The class in diffusers.
        nulls: Components of that pipeline, if it has them, that a saved folder leaves empty.
        index: Plain settings of that pipeline.
        skipped: Last layers of the text networks that are left out at clip_skip 0.
        reads: The parts of a conditioning that its denoiser reads.
        masked: Whether it reads their masks.
        architecture: As modelspec calls it.
        base_version: As kohya's `ss_base_model_version` calls it.
        resolution: As modelspec writes it.
    """

    transformer: ClassVar[Network]
    vae: ClassVar[Network]
    texts: ClassVar[tuple[TextNetwork, ...]]
    scheduler: ClassVar[Mapping[str, Any]]
    shift: ClassVar[Mapping[str, Any]] = {}
    pipeline: ClassVar[str]
    nulls: ClassVar[tuple[str, ...]] = ()
    index: ClassVar[Mapping[str, Any]] = {}
    sizes: ClassVar[None] = None
    skipped: ClassVar[int] = 0
    reads: ClassVar[frozenset[str]] = frozenset({TEXT})
    masked: ClassVar[bool] = False
    architecture: ClassVar[str]
    base_version: ClassVar[str]
    resolution: ClassVar[str] = "1024x1024"
    latent_multiple: ClassVar[int] = 2
    halves: ClassVar[bool] = False

    # What a family says

    def prompt(
        self, text_encoder: TextEncoder, module: TextNetworks, texts: Sequence[str], clip_skip: int
    ) -> Conditioning:
        """The conditioning of texts; the encoder's stack is switched on."""
        raise NotImplementedError

    def inputs(
        self,
        denoiser: Denoiser,
        noisy: Tensor,
        timesteps: Tensor,
        conditioning: Conditioning,
        sizes: Tensor | None,
    ) -> dict[str, Any]:
        """The arguments of the network's call.

        Args:
            denoiser: The network.
            noisy: Latents (B, C, h, w), in the network's precision.
            timesteps: Timesteps (B,), float32 or int64, see `base.Family.predict`.
            conditioning: Its parts, of B rows.
            sizes: Sizes of the pictures (B, 6), where they are known.
        """
        raise NotImplementedError

    def output(self, denoiser: Denoiser, raw: Any, noisy: Tensor) -> Tensor:
        """The prediction (B, C, h, w) of what the call returned first."""
        found: Tensor = raw
        return found

    def channels(self, config: Config) -> int:
        """Channels of the latents that a network of this configuration reads."""
        return int(config["in_channels"])

    def scheduler_of(self, config: Config) -> Config:
        """The configuration of the scheduler of a released model whose denoiser has this configuration."""
        return self.scheduler

    def pipeline_of(self, denoiser: Denoiser) -> str:
        """The class in diffusers for a denoiser of the family."""
        return self.pipeline

    # What follows from it

    @property
    def vae_cls(self) -> str:  # type: ignore[override]
        return self.vae.cls

    @property
    def vae_released(self) -> Config:
        return self.vae.released

    @property
    def vae_prefix(self) -> str:
        return self.vae.files[0]

    def spec_architecture(self, prediction_type: str) -> str:
        """How modelspec calls a model of this family that predicts this."""
        return self.architecture

    def released_configs(self) -> tuple[Config, ...]:
        """The configurations of the released model's denoiser and text networks."""
        return (self.transformer.released, *(text.released for text in self.texts))

    # Opening and making

    def load_folder(self, path: Path, placement: Placement, prediction_type: str | None) -> Components:
        """A diffusers folder, see `base.Family`."""
        texts = {text.name: text for text in self.texts if not text.optional or (path / text.name).is_dir()}
        found = {name: files.in_folder(text, path / name) for name, text in texts.items()}
        made = {
            name: partial(tokenizers.read, path / text.tokenizer, text.tokenizer_cls) for name, text in texts.items()
        }
        return self._handles(
            files.in_folder(self.transformer, path / self.transformer.name),
            (found, made, [path]),
            self.load_vae(path, replace(placement, checkpointing=False)),
            read_config(path / "scheduler", "scheduler_config.json"),
            placement,
            prediction_type,
        )

    def load_file(
        self,
        path: Path,
        placement: Placement,
        prediction_type: str | None,
        config: Path | None,
        tell: Callable[[str], None],
    ) -> Components:
        """A single checkpoint with all networks, see `base.Family`."""
        denoiser = files.in_file(self.transformer, path, config, alone=False)
        texts = [text for text in self.texts if not text.optional or files.there(text, path, alone=False)]
        found = {text.name: files.in_file(text, path, config, alone=False) for text in texts}
        made = {text.name: text.tokenizer_of(found[text.name].config, config, path, self.name) for text in texts}
        return self._handles(
            denoiser,
            (found, made, [config]),
            self.load_vae(path, replace(placement, checkpointing=False)),
            files.schedule_of(path, config, self.scheduler_of(denoiser.config)),
            placement,
            prediction_type,
        )

    def load_denoiser(
        self,
        path: Path,
        placement: Placement,
        prediction_type: str | None,
        config: Path | None,
        tell: Callable[[str], None],
    ) -> tuple[Denoiser, Process]:
        """A denoiser alone, see `base.Family`."""
        if not path.is_dir():
            found = files.in_file(self.transformer, path, config, alone=True)
            noise: Config = files.schedule_of(path, config, self.scheduler_of(found.config))
            factor = self.vae_factor(self.vae_released)
        else:
            inside = (path / self.transformer.name).is_dir()
            whole = path if inside else path.parent if (path.parent / "model_index.json").is_file() else None
            found = files.in_folder(self.transformer, path / self.transformer.name if inside else path)
            own = self.scheduler_of(found.config)
            noise = read_config(whole / "scheduler", "scheduler_config.json") if whole else own
            known = whole is not None and (whole / "vae" / "config.json").is_file()
            factor = self.vae_factor(
                read_config(whole / "vae", "config.json", self.vae_cls) if whole and known else self.vae_released
            )
        process = self._process(noise, placement, prediction_type)
        return self._denoiser(found, factor, process, placement), process

    def load_text_encoder(self, paths: Sequence[Path], placement: Placement, config: Path | None = None) -> TextEncoder:
        """Text networks alone, see `base.Family`."""
        found: dict[str, Found] = {}
        made: dict[str, Callable[[], Any]] = {}
        around = [each for path in paths if path.is_dir() for each in (path, path.parent)]
        for text, path in files.placed(self.texts, paths, self.name):
            if path.is_dir():
                inside = (path / text.name).is_dir()
                found[text.name] = files.in_folder(text, path / text.name if inside else path)
                places = [path / text.tokenizer] if inside else [path.parent / text.tokenizer, path]
                place = next((each for each in places if each.is_dir() and any(each.glob("*.json"))), None)
                made[text.name] = (
                    text.tokenizer_of(found[text.name].config, config, path, self.name)
                    if place is None
                    else partial(tokenizers.read, place, text.tokenizer_cls)
                )
            else:
                found[text.name] = files.in_file(text, path, config, alone=True)
                made[text.name] = text.tokenizer_of(found[text.name].config, config, path, self.name)
        return self._text_encoder(found, made, [*around, config], placement)

    def new(
        self,
        sizes: Any,
        config: Mapping[str, Config],
        placement: Placement,
        prediction_type: str | None,
        seed: Callable[[str], int],
    ) -> Components:
        """Handles of an untrained model, tiny but for what `config` changes, see `base.Family`."""
        known = [self.transformer.name, self.vae.name, *(text.name for text in self.texts)]
        networks.refuse_strange(config, known, self.name)
        small = {each.name: each.small(config.get(each.name, {})) for each in (self.transformer, self.vae, *self.texts)}
        plain = replace(placement, checkpointing=False)
        process = self._process(self.scheduler_of(small[self.transformer.name]), placement, prediction_type)
        texts = {text.name: small[text.name] for text in self.texts}
        make_texts = networks.seeded(
            lambda: TextNetworks({text.name: text.make(texts[text.name]) for text in self.texts}),
            seed("text_encoder"),
            "text encoder",
        )
        clips = [self._new_clip(text, texts[text.name]) for text in self.texts]
        make = networks.seeded(
            partial(self.transformer.make, small[self.transformer.name]), seed("denoiser"), "denoiser"
        )
        make_vae = networks.seeded(partial(self.vae_made, small[self.vae.name]), seed("vae"), "VAE")
        denoiser = Root(make, placement)
        told = {**small[self.transformer.name], FACTOR: self.vae_factor(small[self.vae.name])}
        return (
            Denoiser(root=denoiser, family=self.name, config=told, prediction_type=process.prediction_type),
            self._encoder_handle(make_texts, clips, plain),
            self.vae_handle(small[self.vae.name], make_vae, plain),
            process,
        )

    def outline(self, placement: Placement) -> tuple[Denoiser, TextEncoder]:
        """The networks in their released sizes without their weights, see `base.Family`."""
        everything = {text.name: text.released for text in self.texts}
        make = partial(lambda: TextNetworks({text.name: text.make(everything[text.name]) for text in self.texts}))
        clips = [self._new_clip(text, text.released) for text in self.texts]
        root = Root(partial(self.transformer.make, self.transformer.released), placement)
        denoiser = Denoiser(root=root, family=self.name, config=self.transformer.released)
        return denoiser, self._encoder_handle(make, clips, placement)

    def save(self, folder: Path, model: Components, dtype: torch.dtype, metadata: Mapping[str, str]) -> None:
        """Write a folder that the family's pipeline in diffusers loads, with the weights of the roots."""
        saving.save_folder(self, folder, model, dtype, metadata)

    def save_file(self, path: Path, model: Components, dtype: torch.dtype, metadata: Mapping[str, str]) -> None:
        """Write a single file in the authors' layout, with the weights of the roots."""
        saving.save_file(self, path, model, dtype, metadata)

    # Using

    def encode_prompt(
        self, text_encoder: TextEncoder, texts: Sequence[str], clip_skip: int, images: Sequence[Tensor] = ()
    ) -> Conditioning:
        """Text embeddings, see `base.Family`."""
        if images:
            message = f"the text encoder of {self.name} takes no pictures"
            raise GraphError("E_IMAGES", message, port="images", hint="take the wire away")
        with text_encoder.active() as module:
            return self.prompt(text_encoder, module, texts, clip_skip)

    def predict(
        self,
        denoiser: Denoiser,
        noisy: Tensor,
        timesteps: Tensor,
        conditioning: Conditioning,
        sizes: Tensor | None = None,
    ) -> Tensor:
        """The network's output, see `base.Family`."""
        own = conditioning.handed(denoiser.wants)
        conditioning.require_read(self.reads, masked=self.masked, handed=own)
        if noisy.shape[1] != (reads := self.channels(denoiser.config)):
            raise GraphError(
                "E_CHANNELS",
                f"the denoiser reads {reads} channels, and the latents have {noisy.shape[1]}",
                hint="wire denoiser and VAE of one model",
            )
        dtype, device = denoiser.root.placement.dtype, denoiser.device
        noisy, times = noisy.to(device, dtype), torch.as_tensor(timesteps, device=device).expand(len(noisy))
        given = self.inputs(denoiser, noisy, times, conditioning.to(device), sizes)
        text = conditioning.parts.get(TEXT)
        with denoiser.active(noisy=noisy, timesteps=times, conditioning=text, **own) as module:
            raw = module(**given, return_dict=False)[0]
        return self.output(denoiser, raw, noisy).float()

    def no_prompt(self, denoiser: Denoiser, positive: Conditioning) -> Conditioning | None:
        """Nothing stands for no prompt, see `base.Family`."""
        return None

    def without_image(self, denoiser: Denoiser, conditioning: Conditioning) -> Conditioning | None:
        """No picture is guided apart, see `base.Family`."""
        return None

    # Handles

    def _handles(
        self,
        denoiser: Found,
        texts: tuple[Texts, Mapping[str, Callable[[], Any]], Sequence[Path | None]],
        vae: Any,
        noise: Config,
        placement: Placement,
        prediction_type: str | None,
    ) -> Components:
        process = self._process(noise, placement, prediction_type)
        return (
            self._denoiser(denoiser, self.vae_factor(vae.config), process, placement),
            self._text_encoder(*texts, replace(placement, checkpointing=False)),
            vae,
            process,
        )

    def _process(self, noise: Config, placement: Placement, prediction_type: str | None) -> Process:
        config = {**noise, **({"prediction_type": prediction_type} if prediction_type else {})}
        return schedule.read(config, placement.device, **self.shift)

    def _denoiser(self, found: Found, factor: int, process: Process, placement: Placement) -> Denoiser:
        root = Root(partial(self.transformer.built, found.config, found.read), placement)
        config = {**found.config, FACTOR: factor}
        return Denoiser(root=root, family=self.name, config=config, prediction_type=process.prediction_type)

    def _text_encoder(
        self,
        found: Texts,
        made: Mapping[str, Callable[[], Any]],
        places: Sequence[Path | None],
        placement: Placement,
    ) -> TextEncoder:
        known = {text.name: text for text in self.texts}
        clips = [self._clip(known[name], each.config, made[name], places) for name, each in found.items()]

        def make() -> nn.Module:
            return TextNetworks({name: known[name].built(each.config, each.read) for name, each in found.items()})

        return self._encoder_handle(make, clips, placement)

    def _encoder_handle(
        self, make: Callable[[], nn.Module], clips: Sequence[Clip], placement: Placement
    ) -> TextEncoder:
        root = Root(make, placement, named_layer(self.texts))
        config = {clip.name: clip.config for clip in clips}
        return TextEncoder(root=root, family=self.name, config=config, clips=tuple(clips))

    def _new_clip(self, text: TextNetwork, config: Config) -> Clip:
        return self._clip(text, config, partial(text.make_tokenizer, config))

    def _clip(
        self, text: TextNetwork, config: Config, tokenizer: Callable[[], Any], places: Sequence[Path | None] = ()
    ) -> Clip:
        room = text.length - text.around
        known = {**config, **config.get("text_config", {})}
        read = text.images_of(config, places)
        images = None if read is None else Tokens(read)
        return Clip(text.name, text.prefix, Tokens(tokenizer), known, room, text.embedding, text.comfy, images)
