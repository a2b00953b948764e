"""The networks that a family of diffusion transformers is made of: their classes, sizes and places in files.

Classes are chosen here and never by a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from hcpgraph import GraphError

from ... import private
from ..networks import NOT_TEXT_CONFIG, Config, State, text_layer
from ..weights import build
from . import tokenizers
from .layout import Layout, Shapes, Sized

TEXT = "text_encoder"
Rename = Callable[[str], str]


def same(name: str) -> str:
    """A layer that files call as it is called in the module."""
    return name


@dataclass(frozen=True, kw_only=True)
class Network:
    """One network of a family.

    Attributes:
        name: Its component in a diffusers folder.
        cls: Its class in diffusers.
        older_cls: What configurations call that class in older releases, or where it is a part of another one.
        released: The configuration of the released model.
        tiny: What is different in the one that `model.new` makes.
        layout: Gives its names in the authors' files for a configuration; None: those of diffusers.
        files: What its names begin with in a file of a whole model, the first as we write it.
        sized: What the sizes of its tensors, by their original names or those in diffusers, say of its configuration.
        unused: What names of weights begin with that files may have and nothing reads.
        foreign: Why a configuration is that of a model which this family is not, or None.
    """

    name: str
    cls: str
    released: Config
    tiny: Config
    layout: Callable[[Config], Layout] | None = None
    files: tuple[str, ...] = ()
    sized: Sized = lambda shapes: {}
    older_cls: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    foreign: Callable[[Config], str | None] = lambda config: None

    @property
    def library(self) -> str:
        return "diffusers"

    @property
    def stem(self) -> str:
        """The name of its weights in a folder."""
        return "diffusion_pytorch_model"

    def small(self, changed: Config) -> Config:
        """The configuration of an untrained network, with changed entries.

        Raises:
            GraphError: E_MODEL_CLASS, they make it another model's.
        """
        return self.own(merged(merged(self.released, self.tiny), changed))

    def own(self, config: dict[str, Any]) -> dict[str, Any]:
        """The same configuration, which is that of a model of this family.

        Raises:
            GraphError: E_MODEL_CLASS, it is another model's.
        """
        if (reason := self.foreign(config)) is not None:
            message = f"the {self.name.replace('_', ' ')} is none of this family: {reason}"
            raise GraphError("E_MODEL_CLASS", message, hint="choose another model")
        return config

    def make(self, config: Config) -> nn.Module:
        """The network with weights of the library's own draw."""
        import diffusers

        made: nn.Module = getattr(diffusers, self.cls).from_config(dict(config))
        return made

    def current(self, state: State) -> State:
        """Weights by their names in files as they are today; older releases may have called some otherwise."""
        return {name: value for name, value in state.items() if not name.startswith(self.unused)}

    def built(self, config: Config, read: Callable[[Shapes], State]) -> nn.Module:
        """The network with the weights that `read` gives by their names in diffusers, told the sizes of its own."""
        what = self.name.replace("_", " ")
        return build(partial(self.make, config), lambda shapes: self.current(read(shapes)), what, self.layer)

    def layer(self, name: str) -> str:
        """The name in files of a layer or parameter."""
        return name


@dataclass(frozen=True, kw_only=True)
class TextNetwork(Network):
    """A text network.

    Attributes:
        tokenizer: Its tokenizer's component in a folder.
        tokenizer_cls: The tokenizer's class in transformers.
        make_tokenizer: Makes the tokenizer of an untrained network of a configuration.
        known_tokenizer: Whether that is the released model's, so that files without one can be opened.
        embedding: The layer in which tokens become vectors.
        length: Tokens of a prompt that the family gives it.
        around: How many of them are not the user's: start, end, a template.
        comfy: What ComfyUI calls it.
        kohya: What stands for it in kohya's keys; none: they have no place for it.
        other_kohya: What else stands for it in keys of kohya's kind.
        peft: Whether diffusers reads adapters of it.
        optional: Whether a model may lack it.
        llama: Its names in the GGUF files of llama.cpp, which are read and not written; None: such are not read.
        tied: Parameters that are others: name -> which one.
        older: What names begin with in older files -> what they begin with today.
        processor_cls: The class in transformers of what the tokenizer's folder has, where that reads pictures too.
        processor: Makes that of a tokenizer and a configuration.
        processor_name: Its component in a folder, where it is not the tokenizer's.
        images: Makes, of a configuration, what turns pictures into what the network reads, as the released model has
            it; None: the family gives it no pictures.
        images_cls: The class of that in transformers.
        attention: `sdpa`, that of torch, or `eager`, where the class in transformers has it alone.
        arguments: What the class is made with beside the configuration.
    """

    tokenizer: str
    tokenizer_cls: str
    make_tokenizer: Callable[[Config], Any]
    known_tokenizer: bool = False
    embedding: str
    length: int
    around: int = 0
    comfy: str = ""
    kohya: str = ""
    other_kohya: tuple[str, ...] = ()
    peft: bool = True
    optional: bool = False
    llama: Layout | None = None
    tied: Mapping[str, str] = field(default_factory=dict)
    older: Mapping[str, str] = field(default_factory=dict)
    processor_cls: str = ""
    processor: Callable[[Any, Config], Any] | None = None
    processor_name: str = ""
    images: Callable[[Config], Any] | None = None
    images_cls: str = ""
    attention: str = "sdpa"
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def library(self) -> str:
        return "transformers"

    @property
    def stem(self) -> str:
        return "model"

    @property
    def prefix(self) -> str:
        """What the names of its layers begin with in the text encoder."""
        return f"{self.name}."

    @property
    def clip(self) -> bool:
        return self.cls.startswith("CLIP")

    def make(self, config: Config) -> nn.Module:
        import transformers

        known = {name: value for name, value in config.items() if name not in NOT_TEXT_CONFIG}
        settings = getattr(transformers, self.cls).config_class(**known)
        return private.text_network(self.cls, settings, self.attention, **self.arguments)

    def current(self, state: State) -> State:
        found = {self.layer(self._renamed(name)): value for name, value in super().current(state).items()}
        for name, source in self.tied.items():
            value = found.get(name, found.get(source))
            if value is not None:
                found |= {name: value, source: value}
        return found

    def built(self, config: Config, read: Callable[[Shapes], State]) -> nn.Module:
        made = super().built(config, read)
        if self.tied:
            tied: Any = made
            tied.tie_weights()
        return made

    def layer(self, name: str) -> str:
        return text_layer(name) if self.clip else name

    def tokenizer_of(self, config: Config, folder: Path | None, path: Path, family: str) -> Callable[[], Any]:
        """Makes the tokenizer of this network in a file: that of a folder, or the one that is known.

        Args:
            config: The configuration of the network.
            folder: A folder of tokenizers, or of a whole model.
            path: The file.
            family: Of which family the network is, for messages.

        Raises:
            GraphError: E_TOKENIZER, there is none.
        """
        for place in () if folder is None else (folder / self.tokenizer, folder):
            if place.is_dir() and any((place / name).is_file() for name in tokenizers.FILES):
                return partial(tokenizers.read, place, self.tokenizer_cls)
        if self.known_tokenizer:
            return partial(self.make_tokenizer, config)
        raise GraphError(
            "E_TOKENIZER",
            f"{path.name} has no tokenizer for the {self.name.replace('_', ' ')}",
            port="config",
            hint=f"set config to a diffusers folder of {family} that has {self.tokenizer}; its weights are not read",
        )

    def images_of(self, config: Config, places: Sequence[Path | None]) -> Callable[[], Any] | None:
        """Makes what reads pictures: that of the first of these folders that has one, or the released one.

        Args:
            config: The configuration of the network.
            places: Folders of whole models.
        """
        if self.images is None:
            return None
        for place in places:
            if place is not None and (place / self.processor_name).is_dir():
                return partial(tokenizers.read_images, place / self.processor_name, self.images_cls)
        return partial(self.images, config)

    def _renamed(self, name: str) -> str:
        for old, new in self.older.items():
            if name.startswith(old):
                return new + name.removeprefix(old)
        return name


class TextNetworks(nn.Module):
    """The text networks of a model as one module; its children have the names of their components."""

    def __init__(self, networks: Mapping[str, nn.Module]) -> None:
        super().__init__()
        for name, network in networks.items():
            self.add_module(name, network)

    def forward(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """What one of them gives."""
        return self.get_submodule(name)(*args, **kwargs)


def named_layer(networks: Iterable[TextNetwork]) -> Rename:
    """Run-time name -> name in files, of the layers of a text encoder with these networks."""
    known = {network.name: network for network in networks}

    def rename(name: str) -> str:
        network, _, layer = name.partition(".")
        return known[network].prefix + known[network].layer(layer) if layer else name

    return rename


def merged(config: Config, changed: Config) -> dict[str, Any]:
    """A configuration with changed entries; configurations in it are changed in the same way."""
    found = dict(config)
    for name, value in changed.items():
        own = found.get(name)
        found[name] = merged(own, value) if isinstance(own, Mapping) and isinstance(value, Mapping) else value
    return found


def count(shapes: Shapes, beginning: str) -> int:
    """How many numbers stand behind a beginning of names, such as `double_blocks.`."""
    return len({name.removeprefix(beginning).partition(".")[0] for name in shapes if name.startswith(beginning)})


def first(shapes: Shapes, *names: str) -> Sequence[int] | None:
    """The size of the first of these tensors that there is."""
    return next((shapes[name] for name in names if name in shapes), None)


def untied(network: Network, state: Mapping[str, Tensor]) -> State:
    """The weights without those that are others."""
    tied = network.tied if isinstance(network, TextNetwork) else {}
    return {name: value for name, value in state.items() if name not in tied}
