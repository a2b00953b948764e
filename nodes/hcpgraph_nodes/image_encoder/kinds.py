"""The kinds of image encoders (torch-free until one is asked for).

A kind is one module of any pack. It has an object `KIND` (`networks.Kind`), and at its top `TABLE`, literals alone:

* `"table": "image_encoders"`, its `name` as settings have it, and its `title` for people;
* `model_types`: what `model_type` is in a `config.json` of it, or of a model that has it as its vision part;
* `groups`: `{"image_encoder": [{group: [selector, …]}]}`, its groups of layers, as in the table of a family.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hcpgraph import GraphError, table
from hcpgraph.errors import did_you_mean

from ..families.table import ENCODERS

if TYPE_CHECKING:
    from .networks import Kind

NAME = ENCODERS


def kind(name: str) -> Kind:
    """The implementation of a kind.

    Raises:
        GraphError: E_FAMILY, no such kind.
    """
    known = table(NAME)
    if name not in known:
        hint = did_you_mean(name, known, "image encoders") + "; a pack that is missing is given with --pack FOLDER"
        raise GraphError("E_FAMILY", f"unknown kind of image encoder '{name}'", port="encoder", hint=hint)
    made: Kind = known[name].load().KIND
    return made
