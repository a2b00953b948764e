"""Files of plugins of any kind: classes that packs declare, with the layers they are at and what they were made with.

A pack makes a kind known by `TABLE = {"table": "plugins", "name": "theirs", "classes": ["Rescale"]}` at the top of the
module that has the class. The header of a file names kinds, `theirs:Rescale`; they are looked up among those of the
packs that are there, and nothing is ever imported by a name that a file says (DESIGN, safety of shared files).
Tensors are called `component:block.weight`, as `Plugin.state` calls them behind the colon.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from torch import Tensor, nn

from hcpgraph import GraphError, table
from hcpgraph.errors import did_you_mean, listed
from hcpgraph.finite import READ, refuse_not_finite

from ..messages import first_line
from ..model.handles import Handle
from ..plugins.base import Adapter, Plugin, WrapPluginBlock, fill, placed
from ..plugins.blocks.block import Block
from ..plugins.blocks.hooks import Change, Gather, Hook, Join, Read, Spread, Wrap
from ..plugins.blocks.kinds import BLOCKS
from ..plugins.blocks.selector import Point, no_layer
from ..plugins.kinds import MultiPluginBlock, PluginBlock, SinglePluginBlock
from .own_header import KEY, KINDS

ANY = (SinglePluginBlock, PluginBlock, MultiPluginBlock, WrapPluginBlock)
PRE = "pre_hook:"


class Entry(BaseModel):
    """One block.

    Attributes:
        kind: `NAME:CLASS`, the row of the table and the class.
        pack: The pack that it was of, for messages.
        name: Of the block in its plugin.
        at: Its layers, with `pre_hook:` where it takes their inputs; of two lists those that it reads.
        to: The layers that it changes, of a kind that reads others.
        options: Further arguments of the class.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: str = Field(max_length=256)
    pack: str = Field(max_length=256)
    name: str = Field(max_length=4096)
    at: list[str] = Field(min_length=1, max_length=4096)
    to: list[str] = Field(default=[], max_length=4096)
    options: dict[str, Any] = {}


READER: TypeAdapter[dict[str, list[Entry]]] = TypeAdapter(dict[str, list[Entry]])


def is_own(adapter: Adapter) -> bool:
    """Whether something in it is no adapter that files of other programs have."""
    known = tuple(BLOCKS.values())
    return any(type(block) not in known for block in adapter.plugin.blocks.values())


def content(adapters: list[Adapter]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and header of the file of these plugins, one a component.

    Raises:
        GraphError: E_ADAPTER, a class that no pack declares, or options that are no JSON.
    """
    entries = {each.component: [entry.model_dump() for entry in described(each.plugin)] for each in adapters}
    state = {f"{each.component}:{name}": value for each in adapters for name, value in each.plugin.state().items()}
    try:
        said = json.dumps(entries, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        hint = "options of a block give plain numbers, texts, lists and mappings"
        raise GraphError("E_ADAPTER", f"what a plugin was made with is no JSON: {error}", hint=hint) from None
    return state, {KEY: said, "hcpgraph.family": adapters[0].family}


def described(plugin: Plugin) -> list[Entry]:
    """The blocks of a plugin with their layers.

    Raises:
        GraphError: E_ADAPTER.
    """
    at: dict[int, dict[int, str]] = {}
    to: dict[int, dict[int, str]] = {}
    by_name = {name: id(block) for name, block in plugin.blocks.items()}
    for path, hooks in plugin.hooks.items():
        for hook in hooks:
            name = PRE + path if hook.pre else path
            match hook:
                case Wrap() | Change() if type(hook) in (Wrap, Change):
                    at.setdefault(id(hook.block), {})[0] = name
                case Read():
                    at.setdefault(by_name.get(hook.name, 0), {})[0] = name
                case Gather():
                    at.setdefault(id(hook.block), {})[hook.index] = name
                case Join():
                    to.setdefault(id(hook.block), {})[0] = name
                case Spread():
                    to.setdefault(id(hook.block), {})[hook.index] = name
    found = []
    for name, block in plugin.blocks.items():
        kind, pack = _kind_of(type(block))
        places = [[each[index] for index in sorted(each)] for each in (at.get(id(block), {}), to.get(id(block), {}))]
        if not places[0]:
            hint = "make it with on() of its class"
            raise GraphError("E_ADAPTER", f"nothing says at which layer {type(block).__name__} is", hint=hint)
        found.append(Entry(kind=kind, pack=pack, name=name, at=places[0], to=places[1], options=block.options()))
    return found


def _kind_of(cls: type[Block]) -> tuple[str, str]:
    """The name of a class in files, and the pack that declares it."""
    for row in table(KINDS).values():
        if row.module == cls.__module__ and cls.__name__ in row.values.get("classes", ()):
            return f"{row.name}:{cls.__name__}", _pack(row.module, row.file)
    raise GraphError(
        "E_ADAPTER",
        f"{cls.__name__} cannot be written into a file: no pack declares this kind of plugin",
        hint=f'TABLE = {{"table": "plugins", "name": "mine", "classes": ["{cls.__name__}"]}} in its module does',
    )


def _pack(module: str, file: str) -> str:
    return Path(file).parent.name if module.startswith("hcpgraph_pack_") else module.partition(".")[0]


def entries(metadata: Mapping[str, str], name: str) -> dict[str, list[Entry]]:
    """What the header of a file says: component -> its blocks.

    Raises:
        GraphError: E_FILE.
    """
    try:
        return READER.validate_python(json.loads(metadata[KEY]))
    except (ValidationError, ValueError, RecursionError) as error:
        hint = "save it again"
        raise GraphError("E_FILE", f"the header of {name} is damaged: {first_line(error)}", hint=hint) from None


def rebuilt(
    model: Handle, component: str, blocks: list[Entry], state: Mapping[str, Tensor], *, strength: float, trainable: bool
) -> Plugin:
    """The plugin of a component.

    Args:
        model: What it will be attached to.
        component: Its name.
        blocks: What the header says.
        state: All tensors of the file.
        strength: Factor of what has one.
        trainable: Whether its weights are trained further.

    Raises:
        GraphError: E_PLUGIN_KIND, a kind that no pack has; E_NO_LAYER; E_STATE, weights that do not fit, or a class
            that refuses its options; E_HYPER_PARAM, a kind without strength; E_NOT_FINITE.
    """
    made: dict[str, Block] = {}
    hooks: dict[str, list[Hook]] = {}
    classes = {entry.kind: _class(entry) for entry in blocks}
    for entry in blocks:
        at, to = ([_point(model, name) for name in names] for names in (entry.at, entry.to))
        begin = f"{component}:{entry.name}."
        own = {key.removeprefix(begin): value for key, value in state.items() if key.startswith(begin)}
        refuse_not_finite(own.items(), entry.name, READ, port="path")
        block = placed(_made(classes[entry.kind], entry, at, to, own), model)
        if strength != 1:
            block.set_hyper_params(strength=strength)
        made[entry.name] = block
        for path, hook in _hooks(block, entry.name, at, to):
            hooks.setdefault(path, []).append(hook)
    return Plugin(made, trainable=trainable, hooks=hooks)


def _class(entry: Entry) -> type[Any]:
    """The class of a kind, among those that packs declare."""
    name, _, cls = entry.kind.partition(":")
    rows = table(KINDS)
    row = rows.get(name)
    if row is None or cls not in row.values.get("classes", ()):
        known = [f"{row.name}:{each}" for row in rows.values() for each in row.values.get("classes", ())]
        raise GraphError(
            "E_PLUGIN_KIND",
            f"the file holds a plugin of the kind '{entry.kind}' of the pack '{entry.pack}', which is not here",
            port="path",
            hint=f"install the pack, or give its folder with --pack; {did_you_mean(entry.kind, known, 'kinds')}",
        )
    found: type[Any] | None = getattr(row.load(), cls, None)
    if not isinstance(found, type) or not issubclass(found, ANY):
        raise GraphError(
            "E_PLUGIN_KIND", f"'{entry.kind}' of {row.file} is no plugin", port="path", hint="correct its TABLE"
        )
    return found


def _point(model: Handle, name: str) -> Point:
    path = name.removeprefix(PRE)
    if path not in model.root.layers:
        raise no_layer(path, model.root.layers)
    return Point(path, model.root.layers[path], name != path)


def _made(cls: type[Any], entry: Entry, at: list[Point], to: list[Point], state: Mapping[str, Tensor]) -> Any:
    """A block with these weights; one that would have others is refused before it takes memory."""
    layers: list[nn.Module | list[nn.Module]] = [point.layer for point in (*at[:1], *to[:1])]
    if issubclass(cls, MultiPluginBlock):
        layers = [[point.layer for point in each] for each in (at, to)]
    try:
        with torch.device("meta"):
            sizes = {name: value.shape for name, value in cls(*layers, **entry.options).state_dict().items()}
    except Exception:  # a class may look at numbers when it is made, which there are none of here
        sizes = {}
    if sizes and sizes != {name: value.shape for name, value in state.items()}:
        listing = listed(sorted({*sizes} ^ {*state}) or sorted(sizes))
        hint = "the file was saved by another version of the plugin, or for other layers"
        raise GraphError("E_STATE", f"the weights of {entry.name} do not fit: {listing}", port="path", hint=hint)
    try:
        with torch.random.fork_rng(devices=[]):
            block = cls(*layers, **entry.options)
    except Exception as error:
        hint = "the file was saved by another version of the plugin, or for other layers"
        message = f"{cls.__name__} refuses what the file says: {type(error).__name__}: {first_line(error)}"
        raise GraphError("E_STATE", message, port="path", hint=hint) from error
    with torch.no_grad():
        fill(block.state_dict(), state)
    return block


def _hooks(block: Any, name: str, at: list[Point], to: list[Point]) -> list[tuple[str, Hook]]:
    """What stands at the layers of a block."""
    if isinstance(block, MultiPluginBlock):
        found: list[tuple[str, Hook]] = [
            (point.path, Gather(block, index, len(at), len(to), point.pre)) for index, point in enumerate(at)
        ]
        route = type(block).__name__
        return found + [(p.path, Spread(block, index, p.pre, f"{route} to {p.name}")) for index, p in enumerate(to)]
    if isinstance(block, PluginBlock):
        return [(at[0].path, Read(name, at[0].pre)), (to[0].path, Join(block, name, to[0].pre, name))]
    if isinstance(block, SinglePluginBlock):
        return [(at[0].path, Change(block, at[0].pre))]
    return [(at[0].path, Wrap(block))]
