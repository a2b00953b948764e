"""Networks in single files: of a whole model, of a part alone, in the authors' layout or in that of diffusers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hcpgraph import GraphError

from ...process.kinds.classes import kind_of
from .. import file_marks, ldm_file
from ..networks import Config, State
from ..open_clip import from_open_clip
from ..tensor_files import header, read
from ..weights import checked_config, read_config, read_folder
from .layout import Layout, Shapes
from .networks import Network, TextNetwork

Read = Callable[[Shapes], State]
DENOISER = ("model.diffusion_model.", "diffusion_model.", "")
"""What the names of a denoiser begin with in a file of a whole model, or alone."""


@dataclass(frozen=True)
class Found:
    """A network on disk.

    Attributes:
        config: Its configuration.
        read: Gives its weights by their names in diffusers, told the sizes that the module wants.
    """

    config: dict[str, Any]
    read: Read


def in_folder(network: Network, folder: Path) -> Found:
    """A network in its own folder."""
    config = read_config(folder, "config.json", network.cls, network.older_cls)
    return Found(network.own(config), lambda shapes: read_folder(folder, network.stem))


def there(network: Network, path: Path, *, alone: bool) -> bool:
    """Whether a single file has the network."""
    return _prefix(network, header(path).shapes, alone=alone) is not None


def in_file(network: Network, path: Path, config: Path | None, *, alone: bool) -> Found:
    """A network in a single file.

    Args:
        network: The network.
        path: The file.
        config: A folder of it, or of a whole model, whose configuration describes it; None: what the header says, if we
            wrote the file, else the released model with the sizes of the tensors.
        alone: Whether the file may hold it without a prefix.

    Raises:
        GraphError: E_WEIGHTS, the file does not hold it; E_MODEL_FOLDER, E_MODEL_CLASS.
    """
    told = header(path)
    prefix = _prefix(network, told.shapes, alone=alone)
    if prefix is None:
        raise GraphError(
            "E_WEIGHTS",
            f"{path.name} has no weights of the {network.name.replace('_', ' ')}",
            port="path",
            hint="give a whole checkpoint, or the file of this network",
        )
    shapes = {name.removeprefix(prefix): size for name, size in told.shapes.items() if name.startswith(prefix)}
    if (names := _llama(network, shapes)) is not None:
        shapes = {own: size for name, size in shapes.items() for own in names.own(name)}
    described = _described(network, config) or _written(network, told.metadata, path)
    found = network.own(described or {**network.released, **network.sized(shapes)})
    return Found(found, partial(_state, network, found, path, prefix))


def _described(network: Network, config: Path | None) -> dict[str, Any] | None:
    """The configuration in a folder of the network or of a whole model; a folder that has none says nothing."""
    if config is None:
        return None
    folder = config / network.name if (config / network.name / "config.json").is_file() else config
    there = (folder / "config.json").is_file()
    return read_config(folder, "config.json", network.cls, network.older_cls) if there else None


def _written(network: Network, metadata: Mapping[str, str], path: Path) -> dict[str, Any] | None:
    written = (file_marks.written_configs(dict(metadata)) or {}).get(network.name)
    return None if written is None else checked_config(written, f"the header of {path.name}", network.cls)


def _prefix(network: Network, shapes: Shapes, *, alone: bool) -> str | None:
    known = (*network.files, *([""] if alone else ()))
    return next((prefix for prefix in known if any(name.startswith(prefix) for name in shapes)), None)


def _state(network: Network, config: Config, path: Path, prefix: str, shapes: Shapes) -> State:
    state = {name.removeprefix(prefix): value for name, value in read(path, lambda key: key.startswith(prefix)).items()}
    if isinstance(network, TextNetwork) and network.clip and ldm_file.OPEN_CLIP_TOKENS in state:
        return from_open_clip(state, "", {"hidden_size": state[ldm_file.OPEN_CLIP_TOKENS].shape[1]})
    if (names := _llama(network, state)) is not None:
        return names.read(state, shapes)
    layout = None if network.layout is None else network.layout(config)
    return layout.read(state, shapes) if layout is not None and layout.is_original(state) else state


def _llama(network: Network, names: Iterable[str]) -> Layout | None:
    """The layout of llama.cpp, where names are in it."""
    layout = network.llama if isinstance(network, TextNetwork) else None
    return layout if layout is not None and layout.is_original(names) else None


def schedule_of(path: Path, config: Path | None, released: Config) -> Config:
    """The scheduler's configuration of a single file: as a folder or the header has it, else the released model's.

    What a table of timesteps predicts may be said by the header alone, as modelspec does.
    """
    if config is not None and (config / "scheduler" / "scheduler_config.json").is_file():
        return read_config(config / "scheduler", "scheduler_config.json")
    told = header(path)
    written = (file_marks.written_configs(told.metadata) or {}).get("scheduler")
    if written is not None or kind_of(released) != "vp":
        return released if written is None else written
    marked = file_marks.marked_prediction(told.metadata, told.shapes)
    return {**released, **({"prediction_type": marked} if marked else {})}


def placed(texts: Sequence[TextNetwork], paths: Sequence[Path], family: str) -> list[tuple[TextNetwork, Path]]:
    """Where each text network lies: all in one place, or one in each.

    Args:
        texts: The networks of a family.
        paths: The places.
        family: Its name, for messages.

    Raises:
        GraphError: E_SETTING, another number of places.
    """
    needed = [text for text in texts if not text.optional]
    if len(paths) == 1 and len(texts) > 1:
        (path,) = paths
        return [(text, path) for text in texts if not text.optional or _has(text, path)]
    if not len(needed) <= len(paths) <= len(texts):
        raise GraphError(
            "E_SETTING",
            f"{len(paths)} places for the {len(texts)} text networks of {family}",
            port="path_2",
            hint="give one place that has all of them, or one for each, in the order of diffusers",
        )
    return list(zip(texts, paths, strict=False))


def _has(text: TextNetwork, path: Path) -> bool:
    return (path / text.name).is_dir() if path.is_dir() else there(text, path, alone=False)
