"""What the editor shows of this pack's values while a run goes on, and which layers a selector means.

Only the worker and `hcpgraph layers` import this: it needs torch. Latents have no preview: without their VAE there is
no picture of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from hcpgraph import Context, GraphError, GraphErrors
from hcpgraph.context import RunState, Scope
from hcpgraph.paths import Roots

from .adapter_files import convert
from .data.sources.dataset import Dataset
from .model.handles import COMPONENTS, Handle
from .model.load import load_model
from .plugins.blocks.lora import LoraBlock
from .plugins.blocks.selector import Asked, Point, grouped, nearest, parse, points
from .selectors import components, split
from .types import Images, Reconstruction

SHOWN = 4
SIDE = 256
NOT_FINITE = (255, 0, 255)
"""Colour of what is infinite or no number, which no picture has by chance."""
LARGEST = 16_000_000
"""Pixels of a picture of a data set that is still decoded for a preview."""
NAMES = 500
ADAPTERS = frozenset({"plugin.lora", "plugin.loha", "plugin.lokr", "plugin.full"})
MAIN = "denoiser"
"""Of which selectors speak that name no component, where a node changes several."""
WHOLE_LAYERS = ADAPTERS | {"model.trainable"}
"""Nodes whose selectors mean layers and never their inputs."""

convert_adapter = convert.convert_adapter
"""What `hcpgraph convert` calls."""


def tensor_picture(value: Images | Reconstruction) -> Image.Image | None:
    """The first pictures of a batch side by side."""
    batch = value.data[:SHOWN].detach().float()
    if not batch.numel():
        return None
    tiles = [_tile(picture) for picture in batch]
    return _beside(tiles)


def dataset_picture(value: Dataset) -> Image.Image | None:
    """Pictures of a data set, evenly spread over it; very large ones are left out, for they take time to decode."""
    small = [index for index in range(len(value)) if value.size(index)[0] * value.size(index)[1] <= LARGEST]
    chosen = [small[len(small) * part // SHOWN] for part in range(SHOWN)] if len(small) > SHOWN else small
    tiles = [Image.fromarray(value.load(index)) for index in chosen]
    for tile in tiles:
        tile.thumbnail((SIDE // 2, SIDE // 2))
    return _beside(tiles) if tiles else None


PREVIEWS: Mapping[str, Callable[[Any], Image.Image | None]] = {
    "Images": tensor_picture,
    "Reconstruction": tensor_picture,
    "Dataset": dataset_picture,
}


def outline(value: Any) -> dict[str, Any] | None:
    """What selectors are asked of: family, component, and layers by name with classes and shapes of own weights."""
    if not isinstance(value, Handle):
        return None
    layers = {name: [_classes(layer), _shapes(layer)] for name, layer in value.root.layers.items()}
    return {"family": value.family, "component": COMPONENTS.get(type(value)), "layers": layers}


def model_outline(path: str, roots: Roots, part: str) -> dict[str, Any]:
    """The layers of a part of a model that no graph has opened; its weights go nowhere.

    Args:
        path: As `model.load` takes it.
        roots: Where named roots lie.
        part: denoiser, text_encoder or vae.

    Raises:
        GraphError: what `model.load` and the reading of weights raise.
    """
    model = load_model(Context("layers", RunState(roots=roots, device="meta"), Scope()), path=path)
    found = outline(getattr(model, part))
    assert found is not None
    return found


def part_of(patterns: Sequence[str]) -> str:
    """The part of a model that selectors speak of; the denoiser if they do not say.

    Raises:
        GraphErrors: E_SELECTOR, of several.
    """
    named = components(patterns) or (MAIN,)
    if len(named) > 1:
        raise GraphErrors.one(
            "E_SELECTOR", f"the selectors speak of {' and '.join(named)}", hint="ask for one part at a time"
        )
    return named[0]


def matching(known: Mapping[str, Any], patterns: Sequence[str], *, hooks: bool = True) -> list[Point]:
    """The places that selectors mean in an outline; the layers are stand-ins with nothing but their class's name.

    Raises:
        GraphErrors: E_SELECTOR, E_NO_LAYER with near misses; all of them at once.
    """
    stand_ins, asked = _stand_ins(known), _asked(known)
    found: dict[tuple[str, bool], Point] = {}
    problems = []
    for pattern in patterns:
        try:
            found.update(((point.path, point.pre), point) for point in points(stand_ins, [pattern], asked, hooks=hooks))
        except GraphError as error:
            problems.append(error.problem)
    if problems:
        raise GraphErrors(problems)
    return list(found.values())


def groups(known: Mapping[str, Any]) -> dict[str, list[str]]:
    """The layers of the groups of an outline: @group -> names."""
    return {f"@{name}": found for name, found in grouped(_stand_ins(known), _asked(known)).items()}


def layers(parts: Sequence[Mapping[str, Any]], patterns: Sequence[str], node_type: str) -> dict[str, Any]:
    """What the selectors of a node match.

    Args:
        parts: The outlines of the parts of a model that the node changes. Of several the layers and groups begin with
            their component, but for those of the denoiser, of which selectors speak that name no other.
        patterns: The selectors.
        node_type: The node they are for: a LoRA goes to layers of its own kinds among and below what is selected,
            model.trainable to all there that have weights; of any other the places themselves, as `hcpgraph layers`
            lists them.

    Returns:
        The number of layers that the node could use and of places that it would, their names, near misses where a
        selector matches nothing, and how many layers each group has of those that the node could use.

    Raises:
        GraphErrors: E_SELECTOR, a selector cannot be read.
    """
    replies = {}
    for known in parts:
        named = [each for each in patterns if len(parts) == 1 or _component(each) == known["component"]]
        replies[known["component"]] = _layers(known, named, node_type)
    strangers = [each for each in patterns if len(parts) > 1 and _component(each) not in replies]
    if strangers:
        message = f"'{strangers[0]}' speaks of a {_component(strangers[0])}, which the node does not change"
        raise GraphErrors.one("E_SELECTOR", message, hint=f"it changes: {', '.join(replies)}")
    before = {name: "" if len(parts) == 1 or name == MAIN else f"{name}:" for name in replies}
    return {
        "total": sum(reply["total"] for reply in replies.values()),
        "matched": sum(reply["matched"] for reply in replies.values()),
        "names": [before[name] + each for name, reply in replies.items() for each in reply["names"]][:NAMES],
        "near": [before[name] + each for name, reply in replies.items() for each in reply["near"]],
        "groups": {before[name] + each: n for name, reply in replies.items() for each, n in reply["groups"].items()},
    }


def _component(pattern: str) -> str:
    return split(pattern).component or MAIN


def _layers(known: Mapping[str, Any], patterns: Sequence[str], node_type: str) -> dict[str, Any]:
    below = node_type in WHOLE_LAYERS
    of = known["layers"]
    usable = [name for name, (classes, weights) in of.items() if not below or _usable(classes, weights, node_type)]
    sizes = {name: len(set(usable).intersection(found)) for name, found in groups(known).items()}
    near: list[str] = []
    selected: list[Point] = []
    for pattern in patterns:
        try:
            selected += matching(known, [pattern], hooks=not below)
        except GraphErrors as errors:
            if errors.problems[0].code != "E_NO_LAYER":
                raise
            near += sizes if parse(pattern).group else nearest(pattern, _stand_ins(known))
    if below:
        roots = {point.path for point in selected}
        found = [name for name in usable if "" in roots or any(part in roots for part in _prefixes(name))]
    else:
        found = list(dict.fromkeys(point.name for point in selected))
    return {
        "total": len(usable),
        "matched": len(found),
        "names": found[:NAMES],
        "near": list(dict.fromkeys(near)),
        "groups": {name: size for name, size in sizes.items() if size},
    }


def _tile(picture: torch.Tensor) -> Image.Image:
    """A picture (3, H, W) in about [0, 1], made small where it is."""
    factor = SIDE / max(picture.shape[-2:])
    if factor < 1:
        size = [max(1, round(side * factor)) for side in picture.shape[-2:]]
        picture = functional.interpolate(picture[None], size=size, mode="area")[0]
    pixels = (picture.nan_to_num(0.0).clamp(0, 1) * 255).round().to(torch.uint8)
    loud = torch.tensor(NOT_FINITE, dtype=torch.uint8, device=pixels.device)
    pixels = torch.where(picture.isfinite().all(dim=0), pixels, loud[:, None, None])
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())


def _beside(tiles: list[Image.Image]) -> Image.Image:
    """One picture, or a square of up to four."""
    if len(tiles) == 1:
        return tiles[0]
    width, height = max(tile.width for tile in tiles), max(tile.height for tile in tiles)
    rows = (len(tiles) + 1) // 2
    sheet = Image.new("RGB", (2 * width, rows * height), (128, 128, 128))
    for number, tile in enumerate(tiles):
        row, column = divmod(number, 2)
        sheet.paste(tile, (column * width + (width - tile.width) // 2, row * height + (height - tile.height) // 2))
    return sheet


def _classes(layer: nn.Module) -> list[str]:
    """Names of a layer's class and its bases below `nn.Module`."""
    return [cls.__name__ for cls in type(layer).__mro__ if cls is not nn.Module and issubclass(cls, nn.Module)]


def _shapes(layer: nn.Module) -> dict[str, list[int]]:
    return {name: list(weights.shape) for name, weights in layer.named_parameters(recurse=False)}


def _stand_ins(known: Mapping[str, Any]) -> dict[str, Any]:
    """In place of layers something with their class's name and as many weights: all that is looked at."""
    return {name: _stand_in(classes, shapes) for name, (classes, shapes) in known["layers"].items()}


def _stand_in(classes: Sequence[str], shapes: Mapping[str, Any]) -> Any:
    return type(classes[0] if classes else "Module", (), {"parameters": lambda self, recurse: iter(shapes)})()


def _asked(known: Mapping[str, Any]) -> Asked:
    return Asked(known["family"], known["component"])


def _usable(classes: Sequence[str], weights: Any, node_type: str) -> bool:
    if node_type in ADAPTERS:
        return any(cls.__name__ in classes for cls in LoraBlock.wraps)
    return bool(weights)


def _prefixes(name: str) -> list[str]:
    """The names of a layer and of all that it lies in."""
    parts = name.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]
