"""The broken graphs: name -> bytes of the file, problems that must be told (code and place), texts among them."""

import json
import random
import struct
import zlib


def node(kind, settings=None, **more):
    return {"type": kind, "version": 1, **({"settings": settings} if settings else {}), **more}


def graph(nodes, edges=None, **more):
    return json.dumps({"format": "hcpgraph/1", "nodes": nodes, "edges": edges or {}, **more}).encode()


NUMBER, ADD = node("toy.number"), node("toy.add")
LOOP = {"n": NUMBER, "loop": node("toy.repeat"), "in": node("toy.add", **{"in": "loop"})}
LOOP_WIRES = {"loop.state": "n.out", "in.a": "loop.state", "loop.next": "in.out"}
TRAIN = {
    "m": node("weights.make"),
    "o": node("weights.optimizer"),
    "t": node("weights.train"),
    "u": node("weights.use", **{"in": "t"}),
}
TRAIN_WIRES = {"o.params": "m.params", "t.optimizer": "o.out", "u.model": "m.model", "t.loss": "u.out"}
INNER = {
    "interface": {"inputs": {"text": ["w.text"]}, "outputs": {"out": "w.out"}},
    "nodes": {"w": node("toy.word")},
    "edges": {},
}


def read(path):
    return graph({"r": node("toy.read", {"path": path})})


def deep(levels):
    return b'{"format": "hcpgraph/1", "nodes": {"a": {"type": "toy.numbers", "version": 1, "settings": {"values": ' + (
        b"[" * levels + b"]" * levels + b'}}}, "edges": {}}'
    )


def png(*chunks):
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, data in (*chunks, (b"IEND", b"")):
        parts.append(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
    return b"".join(parts)


BROKEN = {
    "unknown type": (graph({"a": node("toy.numbr")}), {"E_TYPE_UNKNOWN a"}, ["did you mean 'toy.number'?"]),
    "type of no pack": (graph({"a": node("other.thing")}), {"E_TYPE_UNKNOWN a"}, ["--pack"]),
    "wrong type on a wire": (
        graph({"w": node("toy.word"), "s": ADD}, {"s.a": "w.out"}),
        {"E_TYPE s.a"},
        ["takes float, but w.out gives str"],
    ),
    "missing port": (graph({"s": ADD}), {"E_PORT_MISSING s.a"}, ["First number"]),
    "cycle": (
        graph({"a": ADD, "b": ADD, "c": ADD}, {"a.a": "c.out", "b.a": "a.out", "c.a": "b.out"}),
        {"E_CYCLE a"},
        ["a -> b -> c -> a"],
    ),
    "node wired to itself": (graph({"a": ADD}, {"a.a": "a.out"}), {"E_CYCLE a"}, ["a -> a"]),
    "setting of a wrong type": (graph({"a": node("toy.number", {"value": "x"})}), {"E_SETTING a.value"}, ['is "x"']),
    "setting out of range": (
        graph(LOOP | {"loop": node("toy.repeat", {"times": -1})}, LOOP_WIRES),
        {"E_SETTING loop.times"},
        ["at least 0", "-1"],
    ),
    "setting out of its choices": (
        graph({"n": NUMBER, "c": node("toy.choose", {"take": "z"})}, {"c.a": "n.out"}),
        {"E_SETTING c.take"},
        ["z"],
    ),
    "unknown setting": (
        graph({"a": node("toy.number", {"valeu": 1})}),
        {"E_SETTING_UNKNOWN a.valeu"},
        ["did you mean 'value'?"],
    ),
    "port written as a setting": (
        graph({"n": NUMBER, "s": node("toy.add", {"a": 1})}, {"s.b": "n.out"}),
        {"E_SETTING_UNKNOWN s.a", "E_PORT_MISSING s.a"},
        ["connect a wire to s.a"],
    ),
    "required setting missing": (graph({"r": node("toy.read")}), {"E_SETTING_MISSING r.path"}, ["The file"]),
    "edge to a missing node": (
        graph({"number": NUMBER}, {"numbr.a": "number.out"}),
        {"E_NODE_UNKNOWN numbr.a"},
        ["did you mean 'number'?"],
    ),
    "edge from a missing node": (
        graph({"s": ADD}, {"s.a": "x.out"}),
        {"E_NODE_UNKNOWN s.a", "E_PORT_MISSING s.a"},
        ["x.out"],
    ),
    "edge to a missing port": (
        graph({"n": NUMBER, "s": ADD}, {"s.a": "n.out", "s.plsu": "n.out"}),
        {"E_PORT_UNKNOWN s.plsu"},
        ["plus"],
    ),
    "edge from a missing port": (
        graph({"n": NUMBER, "s": ADD}, {"s.a": "n.result"}),
        {"E_PORT_UNKNOWN s.a", "E_PORT_MISSING s.a"},
        ["no output 'result'"],
    ),
    "edge into an output": (
        graph({"n": NUMBER, "m": NUMBER}, {"m.out": "n.out"}),
        {"E_PORT_UNKNOWN m.out"},
        ["an output, not an input"],
    ),
    "out of a region without its exit": (
        graph(LOOP | {"s": ADD}, LOOP_WIRES | {"s.a": "in.out"}),
        {"E_SCOPE s.a"},
        ["exit of 'loop'"],
    ),
    "entry read from outside": (
        graph(LOOP | {"s": ADD}, LOOP_WIRES | {"s.a": "loop.index"}),
        {"E_SCOPE s.a"},
        ["inside the region of 'loop'"],
    ),
    "owner that owns nothing": (
        graph({"n": NUMBER, "s": node("toy.add", **{"in": "n"})}, {"s.a": "n.out"}),
        {"E_REGION_OWNER s"},
        ["toy.number"],
    ),
    "unknown owner": (
        graph(LOOP | {"in": node("toy.add", **{"in": "lop"})}, LOOP_WIRES),
        {"E_REGION_UNKNOWN in", "E_SCOPE in.a"},
        ["did you mean 'loop'?"],
    ),
    "regions inside each other": (
        graph(
            {"n": NUMBER, "a": node("toy.repeat", **{"in": "b"}), "b": node("toy.repeat", **{"in": "a"})},
            {"a.state": "n.out", "b.state": "n.out"},
        ),
        {"E_REGION_CYCLE a", "E_EXIT_MISSING a.next", "E_EXIT_MISSING b.next"},
        ["contain each other"],
    ),
    "exit that nothing reaches": (
        graph({"n": NUMBER, "loop": node("toy.repeat")}, {"loop.state": "n.out"}),
        {"E_EXIT_MISSING loop.next"},
        [],
    ),
    "stale read of trained weights": (
        graph(TRAIN | {"late": node("weights.use")}, TRAIN_WIRES | {"late.model": "m.model"}),
        {"E_STALE late.model"},
        ["flow.after"],
    ),
    "wired setting inside a step": (
        graph(
            LOOP | {"in": node("toy.counter", **{"in": "loop"})},
            LOOP_WIRES | {"in.start": "loop.index"},
        ),
        {"E_WIRED in.start"},
        ["a class node takes its settings"],
    ),
    "wired path": (
        graph(
            {"n": node("toy.numbers"), "w": node("toy.write"), "r": node("toy.read")},
            {"w.value": "n.out", "r.path": "w.out"},
        ),
        {"E_WIRED r.path"},
        ["must be known before the run"],
    ),
    "list port without an index": (
        graph({"n": NUMBER, "s": node("toy.sum")}, {"s.numbers": "n.out"}),
        {"E_EDGE_LIST s.numbers", "E_PORT_MISSING s.numbers"},
        ["s.numbers.0"],
    ),
    "index on a single port": (
        graph({"n": NUMBER, "s": ADD}, {"s.a.0": "n.out"}),
        {"E_EDGE_LIST s.a", "E_PORT_MISSING s.a"},
        ["s.a"],
    ),
    "port fed as one and as a list": (
        graph({"n": NUMBER, "s": node("toy.sum")}, {"s.numbers": "n.out", "s.numbers.0": "n.out"}),
        {"E_EDGE s.numbers"},
        [],
    ),
    "bypass without a fit": (
        graph({"n": node("toy.number", mode="bypass"), "s": ADD}, {"s.a": "n.out"}),
        {"E_BYPASS n.out", "E_PORT_MISSING s.a"},
        [],
    ),
    "bypass of a region owner": (
        graph(LOOP | {"loop": node("toy.repeat", mode="bypass")}, LOOP_WIRES),
        {"E_MODE loop"},
        ["mute it"],
    ),
    "region of an unknown type": (
        graph(LOOP | {"loop": node("toy.repaet")}, LOOP_WIRES),
        {"E_TYPE_UNKNOWN loop"},
        ["did you mean 'toy.repeat'?"],
    ),
    "subgraph that contains itself": (
        graph({"a": node("graph:g")}, graphs={"g": {"nodes": {"a": node("graph:g")}, "edges": {}}}),
        {"E_GRAPH_RECURSIVE a/a"},
        ["g -> g"],
    ),
    "unknown subgraph": (
        graph({"a": node("graph:innr")}, graphs={"inner": INNER}),
        {"E_GRAPH_UNKNOWN a"},
        ["did you mean 'inner'?"],
    ),
    "name that a subgraph does not promote": (
        graph({"a": node("graph:inner", {"txt": "x"})}, graphs={"inner": INNER}),
        {"E_SETTING_UNKNOWN a.txt"},
        ["did you mean 'text'?"],
    ),
    "node newer than known": (graph({"a": {"type": "toy.number", "version": 9}}), {"E_VERSION a"}, ["update the pack"]),
    "format newer than known": (b'{"format": "hcpgraph/99", "nodes": {}}', {"E_FORMAT"}, ["pip install -U hcpgraph"]),
    "wrong format": (b'{"format": "comfyui/1", "nodes": {}}', {"E_FORMAT"}, ["hcpgraph/1"]),
    "no format": (b'{"nodes": {}}', {"E_FORMAT"}, []),
    "a ComfyUI prompt": (b'{"3": {"class_type": "KSampler", "inputs": {}}}', {"E_FOREIGN"}, ["ComfyUI", "KSampler"]),
    "a list": (b"[]", {"E_FORMAT"}, []),
    "needs a newer hcpgraph": (
        graph({"n": NUMBER}, requires={"hcpgraph": ">=99"}),
        {"E_REQUIRES"},
        ["pip install 'hcpgraph>=99'"],
    ),
    "needs an unreadable version": (graph({"n": NUMBER}, requires={"hcpgraph": "new"}), {"E_REQUIRES"}, []),
    "unknown key": (graph({"n": node("toy.number", seting={})}), {"E_FIELD n"}, ["seting"]),
    "nodes as a list": (b'{"format": "hcpgraph/1", "nodes": []}', {"E_FIELD nodes"}, []),
    "malformed id": (graph({"a b": NUMBER}), {"E_ID"}, []),
    "malformed edge": (graph({"n": NUMBER, "s": ADD}, {"s.a.b.c": "n.out"}), {"E_EDGE_SYNTAX"}, ["node.port"]),
    "key twice": (
        b'{"format": "hcpgraph/1", "nodes": {"a": {"type": "toy.number", "version": 1}, "a": {"type": "toy.word", "version": 1}}}',
        {"E_JSON_DUPLICATE_KEY nodes"},
        ["'a'"],
    ),
    "too deep": (deep(40), {"E_TOO_DEEP"}, ["32"]),
    "far too deep": (deep(100_000), {"E_TOO_DEEP"}, []),
    "NaN": (
        b'{"format": "hcpgraph/1", "nodes": {"a": {"type": "toy.number", "version": 1, "settings": {"value": NaN}}}}',
        {"E_JSON_NAN a"},
        ["finite"],
    ),
    "infinite": (
        b'{"format": "hcpgraph/1", "nodes": {"a": {"type": "toy.number", "version": 1, "settings": {"value": 1e999}}}}',
        {"E_NUMBER a"},
        ["infinite"],
    ),
    "huge integer": (graph({"a": node("toy.number", {"value": 10**400})}), {"E_NUMBER a"}, []),
    "too many nodes": (graph({f"n{index}": NUMBER for index in range(20_001)}), {"E_TOO_MANY_NODES"}, ["20001"]),
    "not JSON": (b"seed: 1\nsteps: 2\n", {"E_JSON"}, ["line 1"]),
    "cut off": (graph({"n": NUMBER})[:-5], {"E_JSON"}, []),
    "empty file": (b"", {"E_JSON"}, []),
    "binary garbage": (random.Random(0).randbytes(5000), {"E_FILE"}, ["UTF-8"]),
    "PNG without a graph": (png((b"tEXt", b"Software\0other")), {"E_FILE"}, ["no graph in this picture"]),
    "PNG with a broken graph": (png((b"tEXt", b"hcpgraph\0{")), {"E_JSON"}, []),
    "PNG cut off": (png()[:15], {"E_FILE"}, []),
    "PNG bomb": (png((b"zTXt", b"hcpgraph\0\0" + zlib.compress(b"[" * 2**26))), {"E_TOO_LARGE"}, ["8 MB"]),
    "weights without a graph": (struct.pack("<Q", 2) + b"{}", {"E_FILE"}, ["no graph in this weight file"]),
    "path with ..": (read("data:../../etc/passwd"), {"E_PATH r.path"}, ["'..'"]),
    "path with .. in the middle": (read("data:a/../../x"), {"E_PATH r.path"}, []),
    "absolute path": (read("/etc/passwd"), {"E_PATH r.path"}, ["root:relative"]),
    "absolute path behind a root": (read("data:/etc/passwd"), {"E_PATH r.path"}, ["leaves its root"]),
    "home directory": (read("~/x"), {"E_PATH r.path"}, []),
    "null byte": (read("data:a\0b"), {"E_PATH r.path"}, []),
    "Windows drive": (read("data:C:\\x"), {"E_PATH r.path"}, []),
    "Windows path": (read("C:\\Users\\x"), {"E_PATH r.path"}, []),
    "Windows ..": (read("data:a\\..\\..\\x"), {"E_PATH r.path"}, []),
    "unknown root": (read("dtaa:x"), {"E_PATH r.path"}, ["did you mean 'data'?"]),
    "URL": (read("https://example.com/x"), {"E_PATH r.path"}, []),
    "a written path that escapes": (
        graph({"n": NUMBER, "w": node("toy.write", {"path": "out:../../x"})}, {"w.value": "n.out"}),
        {"E_PATH w.path"},
        [],
    ),
    "class that is not trusted": (
        graph({"o": node("python.object", {"path": "os:system"})}),
        {"E_TRUST o.path"},
        ["hcpgraph trust add os:system"],
    ),
    "class that is a typing mistake": (
        graph({"o": node("python.object", {"path": "torch.optim:AdmaW"})}),
        {"E_TRUST o.path"},
        ["did you mean torch.optim:AdamW?"],
    ),
    "code instead of a class": (
        graph({"o": node("python.object", {"path": "__import__('os').system('x')"})}),
        {"E_TRUST o.path"},
        ["names no class"],
    ),
}
