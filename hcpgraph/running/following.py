"""Settings that come over wires in every pass of a region: read from slots and checked, without a model of pydantic."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from ..declaring.node import Impl
from ..errors import GraphError

Check = Callable[[Any], Any]
SCALARS = frozenset({float, int, bool, str, type(None)})


class Following:
    """The settings of one op as keyword arguments, some of them anew in every pass.

    Args:
        checks: The settings that follow, in the order of their values, and what checks each.
        whole: Validates all settings, given those that follow; it is asked once.
    """

    def __init__(self, checks: Mapping[str, Check], whole: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._checks = list(checks.items())
        self._whole = whole
        self._all: dict[str, Any] | None = None

    def __call__(self, values: Sequence[Any]) -> dict[str, Any]:
        """All settings of this pass; the same dictionary every time.

        Args:
            values: Begin with those that follow.

        Raises:
            GraphError: E_SETTING, a value does not fit; it says which setting.
        """
        if (settings := self._all) is None:
            named = ((name, value) for (name, _), value in zip(self._checks, values, strict=False))
            settings = self._all = self._whole(dict(named))
            return settings
        for (name, check), value in zip(self._checks, values, strict=False):
            settings[name] = check(value)
        return settings


def checker(impl: Impl, id: str, name: str) -> Check:
    """Checks one setting by the rules of all settings: those of JSON, nothing is coerced."""
    from pydantic import ConfigDict, TypeAdapter, ValidationError
    from pydantic.errors import PydanticUserError

    field = impl.model.model_fields[name]
    kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    try:
        adapter = TypeAdapter(kind, config=ConfigDict(strict=True, regex_engine="python-re"))
    except PydanticUserError:  # a model, which has a configuration of its own
        adapter = TypeAdapter(kind)
    as_it_is = field.annotation if not field.metadata and field.annotation in SCALARS else None
    plain, from_text = adapter.validator.validate_python, adapter.validator.validate_json

    def check(value: Any) -> Any:
        if type(value) is as_it_is:
            return value
        try:
            return plain(value) if type(value) in SCALARS else from_text(json.dumps(value), strict=True)
        except ValidationError as error:
            raise GraphError("E_SETTING", error.errors()[0]["msg"], node=id, port=name) from None
        except (TypeError, ValueError) as error:
            raise GraphError("E_SETTING", f"no JSON value: {error}", node=id, port=name) from None

    return check
