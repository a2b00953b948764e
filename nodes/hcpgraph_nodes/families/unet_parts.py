"""The parts of a Stable Diffusion model one by one: handles of them, and opening a UNet or text networks alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from torch import nn

from hcpgraph import GraphError

from ..model.clip import Clip, Tokens
from ..model.handles import Denoiser, TextEncoder
from ..model.root import Placement, Root
from ..types import Process
from . import file_marks, ldm_file, networks, schedule
from .clip_bpe import clip_tokenizer
from .identity import FACTOR
from .kl_vae import DIFFUSION, KlVae
from .networks import Config, State, TextPart
from .sizes import SCHEDULE, Sizes, text_configs, unet_config, vae_config
from .weights import build, checked_config, read_config, read_folder

TRANSFORMER = "model"
ZEROS = "_force_zeros_for_empty_prompt"
"""Entry of a denoiser's configuration: without a negative prompt guidance compares with zeros."""


@dataclass(frozen=True)
class Alone:
    """A UNet without the rest of a model.

    Attributes:
        config: Its configuration.
        read: Gives its weights by their names in diffusers.
        noise: The scheduler's configuration, where files say it.
        factor: Pixels a latent, along one side.
        index: Plain settings of the pipeline that it is of, where there is one.
    """

    config: dict[str, Any]
    read: Callable[[], State]
    noise: dict[str, Any] | None
    factor: int
    index: Mapping[str, Any]


class UNetParts(KlVae):
    """What a family does with its UNet and its text networks, each on its own.

    Attributes:
        sizes: The released model's.
        texts: The text networks.
        schedule: The forward process of the released model.
        file_prediction: What a single file that does not say it is taken to predict; None: that would be a guess.
    """

    sizes: ClassVar[Sizes]
    texts: ClassVar[tuple[TextPart, ...]]
    schedule: ClassVar[Mapping[str, Any]] = SCHEDULE
    file_prediction: ClassVar[str | None] = "epsilon"

    @property
    def vae_released(self) -> Config:
        return vae_config(self.sizes)

    def load_denoiser(
        self,
        path: Path,
        placement: Placement,
        prediction_type: str | None,
        config: Path | None,
        tell: Callable[[str], None],
    ) -> tuple[Denoiser, Process]:
        """A UNet alone, see `base.Family`."""
        found = self._unet_folder(path) if path.is_dir() else self._unet_file(path, config)
        noise = found.noise
        if noise is None:
            metadata, keys = ({}, frozenset()) if path.is_dir() else ldm_file.marks(path)
            noise = self.process_of_file(path, metadata, keys, prediction_type, tell)
        elif prediction_type:
            noise = noise | {"prediction_type": prediction_type}
        forward = schedule.read(noise, placement.device)
        told = {FACTOR: found.factor, ZEROS: self.released_zeros(found.index)}
        module = self.unet_module(found.config, found.read)
        return self.denoiser_handle({**found.config, **told}, module, forward, placement), forward

    def load_text_encoder(self, paths: Sequence[Path], placement: Placement, config: Path | None = None) -> TextEncoder:
        """Text networks alone, see `base.Family`."""
        alone = len(paths) == len(self.texts)
        if not alone and (len(paths) > 1 or (paths[0].is_dir() and not (paths[0] / self.texts[0].name).is_dir())):
            raise GraphError(
                "E_SETTING",
                f"{len(paths)} places for the {len(self.texts)} text networks of {self.name}",
                port="path_2",
                hint="give one place that has all of them, or one for each" if len(self.texts) > 1 else "leave it out",
            )
        sources = list(paths) * (len(self.texts) // len(paths))
        found = [
            self._text(part, index, source, config, alone=alone)
            for index, (part, source) in enumerate(zip(self.texts, sources, strict=True))
        ]
        configs, reads, tokenizers = zip(*found, strict=True)
        return self.text_handle(configs, self.text_module(configs, reads), tokenizers, placement)

    def released_zeros(self, index: Mapping[str, Any]) -> bool:
        """Whether a pipeline with these settings compares with zeros where no negative prompt is given."""
        return False

    def process_of_file(
        self,
        path: Path,
        metadata: Mapping[str, str],
        keys: Collection[str],
        prediction_type: str | None,
        tell: Callable[[str], None],
    ) -> dict[str, Any]:
        """The scheduler's configuration of a file without one: the released model's, with what its marks say."""
        marked = file_marks.marked_prediction(metadata, keys)
        kind = prediction_type or marked or self.assumed(path, tell)
        rescaled = file_marks.ZERO_SNR if file_marks.ZERO_SNR_MARK in keys else {}
        return {**self.schedule, "prediction_type": kind, **rescaled}

    def denoiser_handle(
        self, config: Config, make: Callable[[], nn.Module], forward: Process, placement: Placement
    ) -> Denoiser:
        """The handle of a UNet."""
        root = Root(make, placement)
        return Denoiser(root=root, family=self.name, config=config, prediction_type=forward.prediction_type)

    def text_handle(
        self,
        configs: Sequence[Config],
        make: Callable[[], nn.Module],
        tokenizers: Sequence[Callable[[], Any]],
        placement: Placement,
    ) -> TextEncoder:
        """The handle of the text networks, which are one module."""
        clips = tuple(
            Clip(
                part.name,
                part.prefix,
                Tokens(tokenizer),
                config,
                config["max_position_embeddings"] - 2,
                spelled=part.comfy,
            )
            for part, tokenizer, config in zip(self.texts, tokenizers, configs, strict=True)
        )
        return TextEncoder(
            root=Root(make, placement, networks.named_text_layer(self.texts)),
            family=self.name,
            config=configs[0] if len(clips) == 1 else {clip.name: clip.config for clip in clips},
            clips=clips,
        )

    def _unet_folder(self, path: Path) -> Alone:
        """That of a whole model, or a folder that holds it alone; of one in a model the model says the process."""
        inside = (path / "unet").is_dir()
        folder = path / "unet" if inside else path
        whole = path if inside else path.parent if (path.parent / "model_index.json").is_file() else None
        config = read_config(folder, "config.json", "UNet2DConditionModel")
        return Alone(config, partial(read_folder, folder, DIFFUSION), *self._around(whole))

    def _unet_file(self, path: Path, described: Path | None) -> Alone:
        metadata, keys = ldm_file.marks(path)
        written = file_marks.written_configs(metadata) or {}
        if described is None and "unet" in written:
            where = f"the header of {path.name}"
            config = checked_config(written["unet"], where, "UNet2DConditionModel")
            noise = checked_config(written["scheduler"], where) if "scheduler" in written else None
            levels = written.get("vae", {}).get("block_out_channels")
            read = partial(ldm_file.unet_state, path, config)
            return Alone(config, read, noise, 2 ** (len(levels) - 1) if levels else self.sizes.factor, {})
        beside = path.parent if ldm_file.DIFFUSERS_UNET in keys and (path.parent / "config.json").is_file() else None
        folder = described or beside
        if folder is None:
            config = unet_config(self.sizes) | ldm_file.unet_channels(path)
            return Alone(config, partial(ldm_file.unet_state, path, config), *self._around(None))
        inside = (folder / "unet").is_dir()
        config = read_config(folder / "unet" if inside else folder, "config.json", "UNet2DConditionModel")
        return Alone(config, partial(ldm_file.unet_state, path, config), *self._around(folder if inside else None))

    def _around(self, whole: Path | None) -> tuple[dict[str, Any] | None, int, Mapping[str, Any]]:
        """What a whole model says besides its UNet: process, pixels a latent, settings of the pipeline."""
        if whole is None:
            return None, self.sizes.factor, {}
        noise = (whole / "scheduler" / "scheduler_config.json").is_file()
        vae = (whole / "vae" / "config.json").is_file()
        levels = read_config(whole / "vae", "config.json", "AutoencoderKL")["block_out_channels"] if vae else ()
        index = (whole / "model_index.json").is_file()
        return (
            read_config(whole / "scheduler", "scheduler_config.json") if noise else None,
            2 ** (len(levels) - 1) if levels else self.sizes.factor,
            read_config(whole, "model_index.json") if index else {},
        )

    def _text(
        self, part: TextPart, index: int, path: Path, described: Path | None, *, alone: bool
    ) -> tuple[Config, Callable[[], State], Callable[[], Any]]:
        """Configuration, weights and tokenizer of one text network, which may lie alone in a file."""
        if path.is_dir():
            inside = (path / part.name).is_dir()
            folder = path / part.name if inside else path
            config = read_config(folder, "config.json", part.cls)
            places = (*([path.parent / part.tokenizer] if path.name == part.name else []), path)
            files = ("tokenizer.json", *networks.VOCABULARY)
            found = next((place for place in places if any((place / name).is_file() for name in files)), None)
            found = path / part.tokenizer if inside else found
            own = self.tokenizer(part, config, None) if found is None else partial(networks.read_tokenizer, found)
            return config, partial(read_folder, folder, TRANSFORMER), own
        written = (file_marks.written_configs(ldm_file.marks(path)[0]) or {}).get(part.name)
        if described is not None and (described / part.name / "config.json").is_file():
            config = read_config(described / part.name, "config.json", part.cls)
        elif written is None:
            config = text_configs(self.sizes)[index]
        else:
            config = checked_config(written, f"the header of {path.name}", part.cls)
        prefixes = (part.single, f"text_encoders.{part.comfy}.transformer.", *([""] if alone else []))
        prefix, open_clip = ldm_file.text_place(path, prefixes, part.name)
        read = partial(ldm_file.text_state, path, prefix, config, open_clip=open_clip)
        return config, read, self.tokenizer(part, config, described)

    def assumed(self, path: Path, tell: Callable[[str], None]) -> str:
        """What a file that does not say it is taken to predict.

        Raises:
            GraphError: E_PREDICTION, that would be a guess.
        """
        if self.file_prediction is None:
            raise GraphError(
                "E_PREDICTION",
                f"{path.name} does not say whether it predicts the noise (epsilon) or the velocity (v_prediction)",
                port="prediction_type",
                hint="set prediction_type: released models for 768 pixels have v_prediction, those for 512 epsilon",
            )
        tell(
            f"{path.name} does not say what it predicts: {self.file_prediction} is taken; for a model that was trained "
            "on something else, set prediction_type"
        )
        return self.file_prediction

    def tokenizer(self, part: TextPart, config: Config, folder: Path | None) -> Callable[[], Any]:
        """Makes the tokenizer of a text network: that of a model's folder, or the family's own."""
        if folder is not None and (folder / part.tokenizer).is_dir():
            return partial(networks.read_tokenizer, folder / part.tokenizer)
        return partial(clip_tokenizer, config["vocab_size"], config["max_position_embeddings"], part.padding)

    def unet_module(self, config: Config, read: Callable[[], State]) -> Callable[[], nn.Module]:
        """Makes the UNet with the weights that `read` gives by their names in diffusers."""
        return lambda: build(partial(networks.unet, config), read(), "UNet")

    def text_module(self, configs: Sequence[Config], reads: Sequence[Callable[[], State]]) -> Callable[[], nn.Module]:
        """Makes the text networks with the weights that `reads` give."""
        return partial(networks.built_text, self.texts, configs, reads)
