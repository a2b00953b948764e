"""`hcpgraph nodes`: the node types there are, or everything about one of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import GraphErrors
from .common import Command, json_option, machine, pack_option, report, said

if TYPE_CHECKING:
    from ..declaring.spec import NodeSpec, PortSpec


@click.command("nodes", cls=Command)
@click.argument("filter", required=False)
@json_option
@pack_option
def command(filter: str | None, as_json: bool, packs: tuple[Path, ...]) -> None:
    """List the node types by category. FILTER is an id, which shows its help, or a part of an id or of a tooltip."""
    from ..declaring.registry import default_registry

    registry = default_registry(packs)
    report(registry.problems)
    one = registry.specs.get(filter or "")
    if one is not None:
        if as_json:
            machine(one.to_json() | {"schema": registry.shown(one)})
        else:
            _show(one, registry.shown(one).get("properties", {}))
        return
    asked = (filter or "").lower()
    found = [spec for id, spec in sorted(registry.specs.items()) if asked in id.lower() or asked in spec.help.lower()]
    if not found:
        message = f"no node type fits '{filter}'" if filter else "there are no node types"
        raise GraphErrors.one("E_TYPE_UNKNOWN", message, hint=registry.suggestion(filter or ""))
    if as_json:
        machine([_row(spec) for spec in found])
        return
    width = max(len(spec.id) for spec in found)
    for category, specs in groupby(found, key=lambda spec: spec.id.partition(".")[0]):
        said(category, bold=True)
        for spec in specs:
            said(f"  {spec.id:<{width}}  {spec.help}")


def _row(spec: NodeSpec) -> dict[str, Any]:
    return {
        "id": spec.id,
        "version": spec.version,
        "title": spec.title,
        "help": spec.help,
        "pack": spec.pack,
        "inputs": {port.name: port.type for port in spec.inputs},
        "outputs": {port.name: port.type for port in spec.outputs},
        "settings": list(spec.settings),
    }


def _show(spec: NodeSpec, settings: Mapping[str, Mapping[str, Any]]) -> None:
    said(f"{spec.id}  (version {spec.version}, pack {spec.pack})", bold=True)
    said(spec.help)
    if spec.doc:
        said(f"\n{spec.doc}")
    _ports("Inputs", spec.inputs)
    _ports("Outputs", spec.outputs)
    _ports("Given to the region", spec.entries)
    _ports("Taken from the region", spec.exits)
    if settings:
        said("\nSettings", bold=True)
    for name, schema in settings.items():
        default = "required" if name in spec.required else f"default {json.dumps(spec.defaults.get(name))}"
        choices = [f"one of {', '.join(map(json.dumps, schema['enum']))}"] if "enum" in schema else []
        said(f"  {name}: {', '.join([spec.setting_types.get(name, 'any'), default, *limits(schema), *choices])}")
        if text := schema.get("description"):
            said(f"      {text}")


def _ports(title: str, ports: Iterable[PortSpec]) -> None:
    found = list(ports)
    if found:
        said(f"\n{title}", bold=True)
    for port in found:
        notes = [note for note, there in (("many wires", port.many), ("optional", port.optional)) if there]
        said(f"  {port.name}: {port.type}{''.join(f', {note}' for note in notes)}")
        if port.help:
            said(f"      {port.help}")


def limits(schema: Mapping[str, Any]) -> list[str]:
    """The range that a schema allows, such as `≥ 0` and `≤ 1`."""
    told = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return [f"{sign} {schema[key]}" for key, sign in told.items() if key in schema]
