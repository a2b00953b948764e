"""What `@node` reads, what it refuses at import (DESIGN §3)."""

from typing import Annotated, Generic, Literal, NamedTuple, TypeVar

import pytest
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from hcpgraph import Body, Choose, Context, Facts, Lazy, Many, Port, Setting, node
from hcpgraph.checking import settings as setting_rules
from hcpgraph.declaring.node import declared
from hcpgraph.declaring.spec import NodeSpec
from hcpgraph.errors import SpecError
from hcpgraph.widgets import Slider

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")


class Pair(NamedTuple, Generic[A, B]):
    left: A
    right: B


@node("declare.full", version=3, packages=("numpy",), choose=Choose("pick", {"a": ["late"]}))
def full(
    ctx: Context,
    first: float,
    many: Many[int],
    late: Lazy[T] = None,
    *,
    strength: Annotated[float, Field(ge=0, le=1), Slider(step=0.01)] = 0.05,
    pick: Literal["a", "b"] = "a",
    size: Annotated[int, Field(ge=8)] | Literal["auto"] = "auto",
    must: int,
) -> Pair[T, list[int]]:
    """A first line.

    A body of
    two lines.

    Args:
        first: The first port,
            told on two lines.
        many: A list port.
        late: A lazy one.
        strength: How much.
        pick: Which.
        size: A number, or as it is elsewhere.
        must: Has no default.

    Returns:
        left: What is on the left.
    """
    return Pair(late, list(many))


def test_a_function_becomes_a_spec_and_stays_itself():
    spec = declared()["declare.full"].spec
    assert full(None, 1.0, (1, 2), "x", must=1) == Pair("x", [1, 2])
    assert (spec.title, spec.help, spec.doc.split("\n")[:2], spec.version) == (
        "Full",
        "A first line.",
        ["A body of", "two lines."],
        3,
    )
    assert [(p.name, p.type, p.optional, p.many, p.lazy) for p in spec.inputs] == [
        ("first", "float", False, False, False),
        ("many", "int", False, True, False),
        ("late", "$T", True, False, True),
    ]
    assert spec.input["first"].help == "The first port, told on two lines."
    assert [(p.name, p.type, p.help) for p in spec.outputs] == [
        ("left", "$T", "What is on the left."),
        ("right", "list[int]", ""),
    ]
    assert spec.defaults == {"strength": 0.05, "pick": "a", "size": "auto"} and spec.required == {"must"}
    assert spec.settings["strength"]["x-widget"] == {"kind": "slider", "step": 0.01}
    assert spec.settings["strength"]["maximum"] == 1 and spec.settings["pick"]["enum"] == ["a", "b"]
    assert spec.setting_types == {"strength": "float", "pick": "str", "size": "int", "must": "int"}
    assert spec.takes_ctx and spec.multi and spec.pure and not spec.body
    assert NodeSpec.from_json(spec.to_json()) == spec


class Start(NamedTuple, Generic[T]):
    state: T


class End(NamedTuple, Generic[T]):
    next: T
    stop: bool = False


@node("declare.owner", effects={"state", "random"})
class Owner:
    """Owns a region.

    Args:
        value: What goes in.
        times: How often.

    Body:
        state: Inside.
        next: Back.
        stop: Enough.
    """

    def __init__(self, *, times: int = 1) -> None:
        self.times = times

    def __call__(self, value: T, body: Body[Start[T], End[T]]) -> None:
        pass


def test_a_class_with_a_body():
    spec = declared()["declare.owner"].spec
    assert spec.is_class and spec.body and not spec.takes_ctx and spec.outputs == ()
    assert [p.name for p in spec.inputs] == ["value"]
    assert [(p.name, p.type) for p in spec.entries] == [("state", "$T")]
    assert [(p.name, p.optional) for p in spec.exits] == [("next", False), ("stop", True)]
    assert spec.effects == ("random", "state")


def ok(value: int = 0) -> int:
    """Fine.

    Args:
        value: Fine.
    """


def test_facts_land_in_the_spec():
    @node("declare.facts", effects="resource")
    def facts(
        model: T, *, family: str = "auto"
    ) -> Annotated[T, Facts(family=Setting("family"), size=Port("model"), of=Port("model", "kind"), trainable=True)]:
        """Facts.

        Args:
            model: A model.
            family: A fact.
        """

    found = declared()["declare.facts"].spec.output["out"].facts
    assert found == {
        "family": {"setting": "family"},
        "size": {"port": "model"},
        "of": {"port": "model", "fact": "kind"},
        "trainable": {"literal": True},
    }


def no_docstring(a: int) -> int:
    return a


def no_annotation(a) -> int:
    """A.

    Args:
        a: A.
    """


def no_return(a: int):
    """A.

    Args:
        a: A.
    """


def no_help(a: int) -> int:
    """A."""


def no_setting_help(*, a: int = 0) -> int:
    """A."""


def starred(*values: int) -> int:
    """A.

    Args:
        values: A.
    """


def stranger(a: BaseModel) -> int:
    """A.

    Args:
        a: A.
    """


def validated(*, a: Annotated[int, AfterValidator(abs)] = 0) -> int:
    """A.

    Args:
        a: A.
    """


def validated_inside(*, a: list[Annotated[int, BeforeValidator(int)]] = []) -> int:  # noqa: B006
    """A.

    Args:
        a: A.
    """


def bad_default(*, a: Annotated[int, Field(ge=1)] = 0) -> int:
    """A.

    Args:
        a: A.
    """


def wrong_default(*, a: int = "x") -> int:
    """A.

    Args:
        a: A.
    """


def body_misnamed(region: Body[Start[int], None]) -> int:
    """A.

    Args:
        region: A.
    """


class Clash(NamedTuple):
    a: int


def clash(a: int, body: Body[None, Clash]) -> int:
    """A.

    Args:
        a: A.

    Body:
        a: A.
    """


class Out(NamedTuple):
    state: int


def clash_outside(body: Body[Start[int], None]) -> Out:
    """A.

    Body:
        state: A.
    """


class Positional:
    """A.

    Args:
        a: A.
    """

    def __init__(self, a: int) -> None: ...

    def __call__(self) -> int: ...


class SettingInCall:
    """A.

    Args:
        a: A.
    """

    def __call__(self, *, a: int = 0) -> int: ...


def fact_of_nothing(a: Annotated[int, Facts(size=Setting("nothing"))]) -> int:
    """A.

    Args:
        a: A.
    """


def lazy_alone(a: Lazy[int] = 0) -> int:
    """A.

    Args:
        a: A.
    """


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        (no_docstring, {}, "docstring is missing"),
        (no_annotation, {}, "'a' has no annotation"),
        (no_return, {}, "return annotation is missing"),
        (no_help, {}, "'a' has no help line"),
        (no_setting_help, {}, "setting 'a' has no help line"),
        (starred, {}, "are not ports"),
        (stranger, {}, "no port type"),
        (validated, {}, "validator"),
        (validated_inside, {}, "validator"),
        (bad_default, {}, "default of 'a' does not fit"),
        (wrong_default, {}, "default of 'a' does not fit"),
        (body_misnamed, {}, "named 'body'"),
        (clash, {}, r"inputs, exits and settings share the names \['a'\]"),
        (clash_outside, {}, r"entries and outputs share the names \['state'\]"),
        (Positional, {}, "stands after"),
        (SettingInCall, {}, "keyword-only parameters of __init__"),
        (fact_of_nothing, {}, "nothing"),
        (lazy_alone, {}, "lazy"),
        (ok, {"effects": "magic"}, "unknown effects"),
        (ok, {"effects": {"pure", "random"}}, "'pure' excludes"),
        (ok, {"mutates": ("other",)}, "other"),
        (ok, {"trains": ("other",)}, "other"),
        (ok, {"resumes": ("steps",)}, "steps"),
        (ok, {"choose": Choose("pick", {})}, "pick"),
        (ok, {"effects": "random", "fold": True}, "fold"),
        (ok, {"cache": "moon"}, "cache"),
    ],
)
def test_wrong_declarations_fail_at_import(target, options, message):
    with pytest.raises(SpecError, match=message) as raised:
        node("declare.wrong", **options)(target)
    assert "declare.wrong" in str(raised.value) and "declare.wrong" not in declared()


@pytest.mark.parametrize("id", ["one", "Upper.case", "a.b-c", "a..b", ".a", ""])
def test_ids_are_checked(id):
    with pytest.raises(SpecError, match=r"category\.name"):
        node(id)(ok)


def test_an_id_belongs_to_one_function():
    node("declare.once")(ok)
    node("declare.once")(ok)
    with pytest.raises(SpecError, match="twice"):
        node("declare.once")(bad_default_free)


def bad_default_free() -> int:
    """Another function."""


def test_a_port_named_as_setting_is_explained():
    spec = declared()["declare.full"].spec
    told = list(setting_rules.check(spec, "n", {"first": 1, "must": 2}, ()))
    assert told[0].hint == "'first' is a port: connect a wire to n.first"
