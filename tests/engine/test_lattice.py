"""The rule of compatibility between port types, and how types are written (DESIGN §3)."""

from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import pytest

from hcpgraph.errors import SpecError
from hcpgraph.types import TypeRef, accepts, describe, parse, port_type, registered, substitute

T = TypeVar("T")


@port_type(color="#112233", facts=("family",), told=("size", "place"), weights="runs")
@dataclass(frozen=True)
class LatticeBase:
    """A base."""


@port_type(shape="square", facts=("size",))
@dataclass(frozen=True)
class LatticeChild(LatticeBase):
    """A child."""


LATTICE = registered()


@pytest.mark.parametrize(
    ("target", "source", "fits"),
    [
        ("int", "int", True),
        ("float", "int", True),
        ("int", "float", False),
        ("bool", "int", False),
        ("int", "bool", False),
        ("LatticeBase", "LatticeChild", True),
        ("LatticeChild", "LatticeBase", False),
        ("int?", "int", True),
        ("int", "int?", False),
        ("int?", "none", True),
        ("int", "none", False),
        ("any", "LatticeBase?", True),
        ("str", "any", True),
        ("list[float]", "list[int]", True),
        ("list[int]", "list[float]", False),
        ("list[LatticeBase]?", "list[LatticeChild]", True),
        ("list[any]", "list[str]", True),
        ("list[int]", "int", False),
        ("dict", "dict", True),
        ("float", "int?", False),
        ("Nothing", "int", False),
        ("$B:LatticeBase", "LatticeChild", True),
        ("$B:LatticeBase", "LatticeBase?", True),
        ("$B:LatticeBase", "int", False),
        ("$B:LatticeBase", "list[LatticeBase]", False),
        ("$B:LatticeBase", "any", True),
        ("$B:LatticeBase", "$T", True),
        ("list[$B:LatticeBase]", "list[int]", False),
    ],
)
def test_accepts(target, source, fits):
    assert accepts(LATTICE, parse(target), parse(source)) is fits


def test_a_variable_is_bound_once_and_to_the_wider_of_two():
    bound: dict[str, TypeRef] = {}
    assert accepts(LATTICE, parse("$T"), parse("LatticeChild"), bound)
    assert accepts(LATTICE, parse("$T"), parse("LatticeBase"), bound)
    assert str(bound["$T"]) == "LatticeBase"
    assert accepts(LATTICE, parse("$T"), parse("LatticeChild"), bound)
    assert str(bound["$T"]) == "LatticeBase"
    assert not accepts(LATTICE, parse("$T"), parse("str"), bound)


def test_a_bounded_variable_keeps_the_type_it_was_given():
    assert describe(TypeVar("B", bound=LatticeBase)) == "$B:LatticeBase"
    bound: dict[str, TypeRef] = {}
    assert accepts(LATTICE, parse("$B:LatticeBase"), parse("LatticeChild"), bound)
    assert str(substitute(parse("list[$B:LatticeBase]"), bound)) == "list[LatticeChild]"
    assert not accepts(LATTICE, parse("$B:LatticeBase"), parse("str"), {})


def test_a_variable_inside_a_list_is_bound_to_the_item():
    bound: dict[str, TypeRef] = {}
    assert accepts(LATTICE, parse("list[$T]"), parse("list[str]"), bound)
    assert str(substitute(parse("$T"), bound)) == "str"
    assert str(substitute(parse("list[$T]?"), bound)) == "list[str]?"
    assert str(substitute(parse("$T?"), bound)) == "str?"
    assert str(substitute(parse("$R"), bound)) == "$R"


def test_an_optional_variable_is_bound_to_what_is_there():
    bound: dict[str, TypeRef] = {}
    assert accepts(LATTICE, parse("$T?"), parse("str?"), bound)
    assert str(bound["$T"]) == "str"


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (int, "int"),
        (float | None, "float?"),
        (list[LatticeBase], "list[LatticeBase]"),
        (tuple[int, ...], "list[int]"),
        (list[list[str] | None], "list[list[str]?]"),
        (T, "$T"),
        (list[T], "list[$T]"),
        (Literal["a", "b"], "str"),
        (Literal["a", 1], "any"),
        (dict[str, int], "dict"),
        (Any, "any"),
        (list, "list[any]"),
        (None, "none"),
    ],
)
def test_annotations_are_written_and_read(annotation, text):
    assert describe(annotation) == text
    assert str(parse(text)) == text


def test_unregistered_classes_and_unions_are_refused():
    class Stranger:
        pass

    with pytest.raises(SpecError, match="port_type"):
        describe(Stranger)
    with pytest.raises(SpecError, match="one type"):
        describe(int | str)


def test_children_inherit_bases_weights_and_facts():
    info = LATTICE["LatticeChild"]
    assert (info.bases, info.weights, info.facts, info.shape) == (
        ("LatticeBase",),
        "runs",
        ("size", "family"),
        "square",
    )
    assert info.told == ("place",), "what a child agrees on is not only told"
    assert info.help == "A child."
    assert type(info).from_json(info.to_json()) == info


def test_a_name_belongs_to_one_class():
    with pytest.raises(SpecError, match="already registered"):

        @port_type(name="LatticeBase")
        class Other:
            pass
