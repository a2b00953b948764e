"""The reference of nodes: a page a category, made of the manifest and the locale of the packs that are installed."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

import hcpgraph
from hcpgraph.cli.nodes import limits
from hcpgraph.declaring.registry import Registry
from hcpgraph.server.helpers.locales import categories, localized, localized_type

TEXTS = {
    "en": {
        "index": "All nodes",
        "lead": "Every node type of the node library, by category: what it does, its ports and its settings. "
        "`hcpgraph nodes` and the editor say the same.",
        "types": "Port types",
        "types lead": "What wires carry. A wire fits where the type of its source is the type of its target, or one of "
        "those below it.",
        "below": "is also",
        "version": "version",
        "inputs": "Inputs",
        "outputs": "Outputs",
        "entries": "Given to the region",
        "exits": "Taken from the region",
        "settings": "Settings",
        "many": "many wires",
        "optional": "optional",
        "lazy": "run only if chosen",
        "required": "required",
        "default": "default",
        "one of": "one of",
        "read": "reads what {names} names",
        "write": "writes what {names} names",
        "writes": "writes files",
        "random": "draws from its random stream",
        "step": "reads the position of the loop",
        "state": "changes between calls",
        "resource": "makes weights",
        "mutates": "changes the weights behind {names}",
        "trains": "makes the weights behind {names} trainable",
        "body": "owns a region",
        "classes": "imports the class that {names} names, if it is trusted",
        "and": ", ",
    },
    "zh-CN": {
        "index": "全部节点",
        "lead": "节点库的全部节点类型，按类别排列：作用、端口和设置。`hcpgraph nodes` 和编辑器给出同样的说明。",
        "types": "端口类型",
        "types lead": "连线所传递的内容。来源的类型与目标的类型相同，或属于目标类型时，连线才匹配。",
        "below": "也是",
        "version": "版本",
        "inputs": "输入",
        "outputs": "输出",
        "entries": "提供给区域",
        "exits": "取自区域",
        "settings": "设置",
        "many": "可接多条连线",
        "optional": "可选",
        "lazy": "被选中时才运行",
        "required": "必填",
        "default": "默认",
        "one of": "可选值",
        "read": "读取 {names} 指明的内容",
        "write": "写入 {names} 指明的位置",
        "writes": "写入文件",
        "random": "从自己的随机流中抽取随机数",
        "step": "读取循环的位置",
        "state": "在多次调用之间保持状态",
        "resource": "创建权重",
        "mutates": "改变 {names} 背后的权重",
        "trains": "使 {names} 背后的权重可训练",
        "body": "拥有一个区域",
        "classes": "导入 {names} 指明的类（须受信任）",
        "and": "，",
    },
}
FOLDER = "reference"


def pages(language: str) -> dict[str, str]:
    """Path below the pages of a language -> Markdown; the first one lists the others."""
    registry = hcpgraph.default_registry()
    say = TEXTS[language]
    names: dict[str, str] = {}
    for pack in registry.packs.values():
        names |= categories(pack, language)
    nodes = [
        localized(spec.drawn() | {"schema": registry.shown(spec)}, registry.packs[spec.pack], language)
        for _, spec in sorted(registry.specs.items())
    ]
    found = {}
    rows = [f"# {say['index']}", say["lead"]]
    for category, members in groupby(nodes, key=lambda node: str(node["id"]).partition(".")[0]):
        listed = list(members)
        title = names.get(category, category)
        shown = f"{title} (`{category}`)" if title != category else f"`{category}`"
        rows += [f"## [{shown}]({category}.md)", "\n".join(_link(category, node) for node in listed)]
        found[f"{FOLDER}/{category}.md"] = "\n\n".join([f"# {shown}", *(_node(node, say) for node in listed)]) + "\n"
    rows += [f"## [{say['types']}](types.md)"]
    found[f"{FOLDER}/types.md"] = "\n\n".join(_types(registry, say, language)) + "\n"
    return {f"{FOLDER}/index.md": "\n\n".join(rows) + "\n", **found}


def _link(category: str, node: Mapping[str, Any]) -> str:
    return f"- [`{node['id']}`]({category}.md#{node['id']}) {_line(node['help'])}"


def _node(node: Mapping[str, Any], say: Mapping[str, str]) -> str:
    parts = [f"## {node['title']} `{node['id']}` {{ #{node['id']} }}", node["help"], node["doc"]]
    parts.append(f"*{say['version']} {node['version']}{''.join(say['and'] + fact for fact in _facts(node, say))}*")
    for side in ("inputs", "entries", "exits", "outputs"):
        parts += _section(say[side], ((port["name"], _port(port, say), port.get("help")) for port in node[side]))
    settings = node["schema"].get("properties", {})
    rows = ((name, _setting(node, name, schema, say), schema.get("description")) for name, schema in settings.items())
    parts += _section(say["settings"], rows)
    return "\n\n".join(part for part in parts if part)


def _facts(node: Mapping[str, Any], say: Mapping[str, str]) -> Iterator[str]:
    """What a call of the node does besides computing its outputs."""
    widgets = {name: schema.get("x-widget", {}) for name, schema in node["schema"].get("properties", {}).items()}
    paths = {name: widget for name, widget in widgets.items() if widget.get("kind") in ("path", "model")}
    reads = [name for name, widget in paths.items() if not widget.get("write")]
    writes = [name for name, widget in paths.items() if widget.get("write")]
    if node["body"]:
        yield say["body"]
    if reads:
        yield say["read"].format(names=_names(reads, say))
    if writes:
        yield say["write"].format(names=_names(writes, say))
    elif "write" in node["effects"]:
        yield say["writes"]
    yield from (say[effect] for effect in ("random", "step", "state", "resource") if effect in node["effects"])
    for key in ("mutates", "trains", "classes"):
        if node[key]:
            yield say[key].format(names=_names(node[key], say))


def _names(names: Iterable[str], say: Mapping[str, str]) -> str:
    return say["and"].join(f"`{name}`" for name in names)


def _section(title: str, rows: Iterable[tuple[str, str, str | None]]) -> Iterator[str]:
    """A list of definitions: a name and what it takes, and below it what it is."""
    listed = [f"**`{name}`** {told}" + (f"\n:   {_line(help)}" if help else "") for name, told, help in rows]
    if listed:
        yield f"**{title}**"
        yield "\n\n".join(listed)


def _port(port: Mapping[str, Any], say: Mapping[str, str]) -> str:
    notes = [say[note] for note in ("many", "optional", "lazy") if port.get(note)]
    return say["and"].join([_type(port["type"]), *notes])


def _type(written: str) -> str:
    """A port type with a link to its help; a variable stands for what it is bound to."""
    shown = re.sub(r"\$\w+", "any", re.sub(r"\$\w+:", "", written))
    name = re.sub(r"^\w+\[|[\]?]", "", shown)
    return f"[`{shown}`](types.md#{name})" if name[:1].isupper() else f"`{shown}`"


def _setting(node: Mapping[str, Any], name: str, schema: Mapping[str, Any], say: Mapping[str, str]) -> str:
    told = [f"`{node['setting_types'].get(name, 'any')}`"]
    if name in node["schema"].get("required", ()):
        told.append(say["required"])
    else:
        told.append(f"{say['default']} `{json.dumps(node['defaults'].get(name), ensure_ascii=False)}`")
    told += limits(schema)
    if "enum" in schema:
        told.append(f"{say['one of']} {', '.join(f'`{json.dumps(choice)}`' for choice in schema['enum'])}")
    return say["and"].join(told)


def _types(registry: Registry, say: Mapping[str, str], language: str) -> Iterator[str]:
    yield f"# {say['types']}"
    yield say["types lead"]
    for name, info in sorted(registry.types.items()):
        told = info.to_json()
        for pack in registry.packs.values():
            told = localized_type(told, pack, language)
        bases = f" *{say['below']} {_names(told['bases'], say)}*" if told["bases"] else ""
        yield f"## {name} {{ #{name} }}"
        yield f"{_line(told['help'])}{bases}"


def _line(text: str) -> str:
    return " ".join(text.split())
