"""Settings: pydantic, which runs, and JSON Schema, which validates, say the same; every fault is told (DESIGN §3)."""

import inspect
import json
from typing import Annotated, Literal

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from hcpgraph import default_registry, node
from hcpgraph.checking import settings as setting_rules
from hcpgraph.checking.fits import fits
from hcpgraph.declaring.node import declared
from hcpgraph.widgets import Hint


class Nested(BaseModel):
    size: int = 1
    name: Literal["x", "y"] = "x"


SETTINGS = {
    "whole": Annotated[int, Field(ge=-3, le=9)],
    "real": Annotated[float, Field(gt=0, lt=10)],
    "maybe": float | None,
    "text": Annotated[str, Field(min_length=1, max_length=4)],
    "coded": Annotated[str, Field(pattern=r"^[ab]+$")],
    "flag": bool,
    "word": Literal["a", "b"],
    "one_of": Literal[1, "x"],
    "items": Annotated[list[int], Field(max_length=3), Hint(advanced=True)],
    "table": dict[str, float],
    "either": int | str,
    "auto": Annotated[int, Field(ge=1)] | Literal["auto"],
    "deep": Nested,
    "nested": list[list[bool] | None],
    "pairs": list[tuple[int, Annotated[float, Field(ge=0)]]],
}


def _declare_all():
    def everything(**settings: object) -> None: ...

    parameters = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, annotation=a) for n, a in SETTINGS.items()]
    everything.__signature__ = inspect.Signature(parameters, return_annotation=None)
    everything.__annotations__ = {**SETTINGS, "return": None}
    everything.__doc__ = "All kinds of settings.\n\nArgs:\n" + "".join(f"    {name}: A.\n" for name in SETTINGS)
    node("declare.everything")(everything)
    return declared()["declare.everything"]


EVERYTHING = _declare_all()
GOOD = {"whole": 1, "real": 1.5, "maybe": None, "text": "abc", "coded": "ab", "flag": True, "word": "a", "one_of": 1,
        "items": [1], "table": {}, "either": "x", "auto": "auto", "deep": {}, "nested": [[True], None], "pairs": [[1, 0.5]]}  # fmt: skip

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-12, 12)
    | st.floats(-12, 12)
    | st.sampled_from(["", "a", "b", "ab", "a\n", "x", "abcde", "1"])
)
VALUES = SCALARS | st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "size", "name"]), inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(sorted(SETTINGS)), VALUES)
def test_pydantic_and_json_schema_agree(name, value):
    if name == "one_of" and value is True:
        return  # pydantic takes true for Literal[1] and gives 1; the schema, which is asked first, refuses it
    given_settings = {**GOOD, name: value}
    told = list(setting_rules.check(EVERYTHING.spec, "n", given_settings, ()))
    try:
        EVERYTHING.settings(given_settings)
        fits = True
    except ValueError:
        fits = False
    assert fits == (not told), (name, value, told)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(sorted(SETTINGS)), VALUES)
def test_a_value_that_is_plainly_right_is_right_to_jsonschema(name, value):
    schema = EVERYTHING.spec.settings[name]
    whole = json.dumps({"properties": {name: schema}})
    if fits(schema, value):
        assert not setting_rules._found(whole, json.dumps({name: value}))


def test_values_of_nodes_are_right_without_jsonschema():
    """The good ones here but for a nested model, whose schema is a reference, and the defaults of all shipped nodes."""
    schemas = EVERYTHING.spec.settings
    assert [name for name, value in GOOD.items() if not fits(schemas[name], value)] == []
    for id, spec in default_registry().specs.items():
        assert [name for name, value in spec.defaults.items() if not fits(spec.settings[name], value)] == [], id


def test_what_is_not_known_is_not_plainly_right():
    for schema, value in (
        ({"type": "integer", "format": "odd"}, 1),
        ({"type": ["integer", "null"]}, 1),
        ({"enum": [1]}, True),
        ({"const": 1}, 1.0),
        ({"const": [1]}, [1]),
        ({"type": "integer"}, True),
        ({"multipleOf": 0.5}, 1.0),
        ({"$ref": "#/$defs/A"}, {}),
        ({"items": {"type": "string"}}, ["a", 1]),
        (False, 1),
    ):
        assert not fits(schema, value), (schema, value)


def test_every_missing_and_every_wrong_setting_is_told():
    given_settings = {"whole": 99, "reel": 1, "deep": {"size": 1, "no": 2}}
    told = {(p.code, p.port): p for p in setting_rules.check(EVERYTHING.spec, "n", given_settings, ("flag",))}
    missing = set(SETTINGS) - {"whole", "deep", "flag"}
    assert {port for code, port in told if code == "E_SETTING_MISSING"} == missing
    assert told["E_SETTING", "whole"].message == "must be at most 9, but is 99"
    assert told["E_SETTING_UNKNOWN", "reel"].hint == "did you mean 'real'?"


def test_a_value_of_one_of_several_forms_is_told_by_that_form():
    def told(name, value):
        (problem,) = setting_rules.check(EVERYTHING.spec, "n", {**GOOD, name: value}, ())
        return problem.message

    assert told("auto", 0) == "must be at least 1, but is 0"
    assert told("auto", "many") == 'fits none of the allowed forms: integer, auto, but is "many"'
    assert told("either", 1.5) == "fits none of the allowed forms: integer, string, but is 1.5"
    assert told("nested", [[1]]) == "must be boolean, but [0][0] is 1"
