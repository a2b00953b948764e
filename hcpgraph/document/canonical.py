"""Canonical JSON: the bytes that hashes are made of, and the text that people read and merge."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from json.encoder import encode_basestring as _quote
from typing import Any

from .fileformat import FORMAT, MAX_INT, Body, GraphFile, NodeEntry, gaps, target_order

OBJECT_COLUMNS = 120
ARRAY_COLUMNS = 100


def number(value: float) -> str:
    """A float as ECMAScript and RFC 8785 write it.

    Raises:
        ValueError: the value is NaN or infinite.
    """
    if value == 0:
        return "0"
    if value - value != 0:
        raise ValueError(f"{value} is not a JSON number")
    if value.is_integer() and abs(value) <= MAX_INT:
        return str(int(value))
    sign = "-" if value < 0 else ""
    mantissa, _, power = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(power or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= 21:
        return f"{sign}{digits}{'0' * (point - count)}"
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    exponent = f"e{point - 1:+d}"
    return f"{sign}{digits[0]}{'.' if count > 1 else ''}{digits[1:]}{exponent}"


def canonical_bytes(value: Any) -> bytes:
    """The RFC 8785 (JCS) bytes of a JSON value; tuples are arrays.

    Raises:
        TypeError: something in the value is not JSON.
        ValueError: a number is NaN, infinite or an integer beyond ±(2^53−1), or a string has no UTF-8 form.
    """
    return _compact(value).encode()


def one_line(value: Any) -> str:
    """JSON on one line in the order given, with numbers that `load` reads back as they were."""
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, dict):
        return "{" + ", ".join([f"{_quote(name)}: {one_line(item)}" for name, item in value.items()]) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join([one_line(item) for item in value]) + "]"
    if isinstance(value, float) and MAX_INT < abs(value) < 1e21:
        return repr(float(value))  # plain digits would be read back as an integer that is too large
    return _scalar(value)


class Open(dict[str, Any]):
    """An object that `pretty` always writes one entry a line."""


def pretty(value: Any, indent: int = 0, column: int = 0) -> str:
    """Readable JSON in the order given: what fits on its line stays on one line.

    Args:
        value: Any JSON value.
        indent: Spaces before the line on which the value begins.
        column: Where on that line the value begins.
    """
    if not value or not isinstance(value, (dict, list)):
        return one_line(value)
    if not isinstance(value, Open):
        text = one_line(value)
        limit = ARRAY_COLUMNS if isinstance(value, list) else OBJECT_COLUMNS
        if column + len(text) < limit:
            return text
    inner = indent + 2
    if isinstance(value, list):
        return _block("[", [pretty(item, inner, inner) for item in value], "]", indent)
    labels = [f"{_quote(name)}: " for name in value]
    items = [pretty(item, inner, inner + len(label)) for label, item in zip(labels, value.values(), strict=True)]
    return _block("{", [label + item for label, item in zip(labels, items, strict=True)], "}", indent)


def graph_value(graph: GraphFile) -> dict[str, Any]:
    """The JSON value of a graph file in canonical order; what is empty is left out, except nodes and edges."""
    return Open(
        format=FORMAT,
        **_filled(
            meta=_filled(**graph.meta.model_dump()),
            requires=_filled(
                hcpgraph=graph.requires.hcpgraph,
                packs=_in_order(graph.requires.packs),
                files={
                    path: _filled(**graph.requires.files[path].model_dump()) for path in sorted(graph.requires.files)
                },
            ),
            run=_run_value(graph),
        ),
        **_body_value(graph, graph),
    )


def _run_value(graph: GraphFile) -> dict[str, Any]:
    """Seed and precision of the run, where they are not the usual ones."""
    return graph.run.model_dump(exclude_defaults=True)


def graph_text(graph: GraphFile) -> str:
    """The canonical text of a graph file.

    Raises:
        ValueError: a number that JSON cannot hold was put into the graph past its methods.
        TypeError: the same for a value that is not JSON.
    """
    return pretty(graph_value(graph)) + "\n"


def content_hash(graph: GraphFile, defaults: Callable[[str], Mapping[str, Any]] | None = None) -> str:
    """The sha256 of what a graph computes: nodes, edges, interface, subgraphs, run; not meta, view, titles.

    Args:
        graph: The graph.
        defaults: Gives the default settings of a node type, so that a setting left out counts as its default.
    """
    whole = {"graphs": {name: _meaning(body, defaults) for name, body in graph.graphs.items()}}
    return sha256(canonical_bytes(_meaning(graph, defaults) | whole | _filled(run=_run_value(graph)))).hexdigest()


def _body_value(body: Body, graph: GraphFile | None = None) -> dict[str, Any]:
    moved = gaps(body.edges, body.interface.inputs)
    edges = {moved.get(target, target): source for target, source in body.edges.items()}
    bodies = graph.graphs if graph else {}
    return Open(
        **_filled(interface=_interface_value(body, moved)),
        nodes=Open((node, node_value(body.nodes[node])) for node in sorted(body.nodes)),
        edges=Open((target, edges[target]) for target in sorted(edges, key=target_order)),
        **_filled(
            graphs=Open((name, _body_value(bodies[name])) for name in sorted(bodies)),
            view=_filled(
                nodes=_in_order(body.view.nodes),
                notes=_in_order(body.view.notes),
                frames=_in_order(body.view.frames),
            ),
        ),
    )


def _interface_value(body: Body, moved: Mapping[str, str]) -> dict[str, Any]:
    inputs = body.interface.inputs
    return _filled(
        inputs={name: [moved.get(target, target) for target in inputs[name]] for name in sorted(inputs)},
        outputs=_in_order(body.interface.outputs),
    )


def node_value(node: NodeEntry) -> dict[str, Any]:
    value: dict[str, Any] = {"type": node.type, "version": node.version}
    if node.inside is not None:
        value["in"] = node.inside
    if node.mode is not None:
        value["mode"] = node.mode
    if node.stream is not None:
        value["stream"] = node.stream
    if node.title is not None:
        value["title"] = node.title
    if node.settings:
        value["settings"] = _in_order(node.settings)
    return value


def _meaning(body: Body, defaults: Callable[[str], Mapping[str, Any]] | None) -> dict[str, Any]:
    value = _body_value(body)
    value.pop("view", None)
    for node in value["nodes"].values():
        node.pop("title", None)
        if defaults and not node["type"].startswith("graph:"):
            node["settings"] = {**defaults(node["type"]), **node.get("settings", {})}
    return value


def _filled(**parts: Any) -> dict[str, Any]:
    """The parts that say something: not None, not empty."""
    return {name: part for name, part in parts.items() if part not in (None, [], {})}


def _in_order(value: Any) -> Any:
    """A copy of a JSON value in which the keys of every object are sorted."""
    if isinstance(value, dict):
        return {name: _in_order(value[name]) for name in sorted(value)}
    if isinstance(value, (list, tuple)):
        return [_in_order(item) for item in value]
    return value


def _block(begin: str, lines: list[str], end: str, indent: int) -> str:
    gap = "\n" + " " * (indent + 2)
    return f"{begin}{gap}{f',{gap}'.join(lines)}\n{' ' * indent}{end}"


def _compact(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return _quote(value)
    if kind is dict:
        return "{" + ",".join([f"{_quote(name)}:{_compact(value[name])}" for name in _sorted(value)]) + "}"
    if kind is list or kind is tuple:
        return "[" + ",".join([_compact(item) for item in value]) + "]"
    if isinstance(value, str):
        return _quote(str.__str__(value))
    if isinstance(value, Mapping):
        return _compact(dict(value))
    if isinstance(value, (list, tuple)):
        return _compact(list(value))
    return _scalar(value)


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        if -MAX_INT <= value <= MAX_INT:
            return int.__repr__(value)
        raise ValueError("an integer beyond ±(2^53−1) is not exact in JSON; write it as a string")
    if isinstance(value, float):
        return number(float(value))
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def _sorted(names: Mapping[str, Any]) -> list[str]:
    """Keys by UTF-16 code units, which differs from the order of code points above U+D7FF only."""
    try:
        if all(map(str.isascii, names)):
            return sorted(names)
    except TypeError:
        raise TypeError("a JSON object has string keys only") from None
    return sorted(names, key=lambda name: name.encode("utf-16-be"))
