"""Value nodes: what they return, and that they need no torch."""

from __future__ import annotations

import math
import subprocess
import sys
from importlib import import_module
from typing import Any

import pytest

from hcpgraph.declaring.node import declared
from hcpgraph.errors import GraphError

CATEGORY = ["int", "float", "bool", "text", "list", "seed", "math", "round", "join", "format", "pick", "collect"]
CATEGORY += ["at_step", "curve", "compare", "logic"]
MODULES = {name: import_module(f"hcpgraph_nodes.value.{name}") for name in CATEGORY}


def call(name: str, *ports: Any, **settings: Any) -> Any:
    return declared()[f"value.{name}"].target(*ports, **settings)


def test_all_are_folded_and_torch_free() -> None:
    for name in CATEGORY:
        spec = declared()[f"value.{name}"].spec
        assert spec.fold and spec.pure and not spec.takes_ctx, name
    code = "; ".join(f"import hcpgraph_nodes.value.{name}" for name in CATEGORY)
    code += "; import hcpgraph_nodes.text.prompt, hcpgraph_nodes.text.template"
    code += "; import sys; assert not {'torch', 'numpy', 'PIL'} & set(sys.modules), sorted(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [("int", 7), ("float", 0.5), ("bool", True), ("text", "a\nb"), ("list", [1, "a", None]), ("seed", 42)],
)
def test_constants(name: str, value: Any) -> None:
    assert call(name, value=value) == value
    assert declared()[f"value.{name}"].model(value=value).value == value  # type: ignore[attr-defined]


def test_seeds_are_32_bit() -> None:
    schema = declared()["value.seed"].spec.settings["value"]
    assert (schema["minimum"], schema["maximum"]) == (0, 2**32 - 1)
    assert declared()["value.seed"].spec.seeds == ("value",)


@pytest.mark.parametrize("a", [7.0, -7.0, 0.5, 0.0])
@pytest.mark.parametrize("b", [2.0, -3.0, 0.25])
def test_math(a: float, b: float) -> None:
    expected: dict[str, float] = {
        "add": a + b,
        "sub": a - b,
        "mul": a * b,
        "div": a / b,
        "floordiv": math.floor(a / b),
        "mod": a - b * math.floor(a / b),
        "min": sorted((a, b))[0],
        "max": sorted((a, b))[1],
    }
    for operation, value in expected.items():
        got = call("math", operation=operation, a=a, b=b)
        assert got == pytest.approx(value) and isinstance(got, float), operation
    assert call("math", operation="pow", a=abs(a) + 1, b=b) == pytest.approx(math.exp(b * math.log(abs(a) + 1)))


@pytest.mark.parametrize(
    ("operation", "a", "b"),
    [
        ("div", 1, 0),
        ("mod", 1, 0),
        ("floordiv", 1, 0),
        ("pow", -1, 0.5),
        ("pow", 10, 400),
        ("mul", 1e200, 1e200),
        ("pow", 0, -1),
    ],
)
def test_math_without_a_result(operation: str, a: float, b: float) -> None:
    with pytest.raises(GraphError, match="E_VALUE"):
        call("math", operation=operation, a=a, b=b)


def test_round() -> None:
    assert [call("round", value=v) for v in (0.5, 1.5, 2.4, -2.6)] == [0, 2, 2, -3]
    assert call("round", value=2.9, mode="down") == 2 and call("round", value=-2.1, mode="up") == -2
    assert isinstance(call("round", value=3.0), int)
    with pytest.raises(GraphError, match="E_VALUE"):
        call("round", value=math.inf)


def test_join() -> None:
    assert call("join", ("a", "", "b")) == "a, b"
    assert call("join", ("a", "", "b"), separator="-", skip_empty=False) == "a--b"
    assert call("join", ()) == ""


def test_format_is_plain_replacement() -> None:
    values = {"name": "cat", "n": 3, "lr": 1e-4, "on": True}
    assert call("format", template="out:{name}-{n}-{lr}-{on}", values=values) == "out:cat-3-0.0001-true"
    assert call("format", template="{a}{b}", values={"a": "{b}", "b": "x"}) == "{b}x"
    assert call("format", template="{a.__class__} {0!r} {} {{a}}", values={"a": "A"}) == "{a.__class__} {0!r} {} {A}"
    with pytest.raises(GraphError, match=r"E_SLOT.*\{nme\}.*\n.*'name'"):
        call("format", template="{nme}", values=values)


def test_pick() -> None:
    assert call("pick", [1, 2, 3], index=1) == 2 and call("pick", ["a", "b"], index=-1) == "b"
    for items, index in (([1], 1), ([1], -2), ([], 0)):
        with pytest.raises(GraphError, match="E_VALUE"):
            call("pick", items, index=index)
    spec = declared()["value.pick"].spec
    assert (spec.input["items"].type, spec.output["out"].type) == ("list[$T]", "$T")
