"""What is known of the model families without importing them (torch-free).

A family is one module of any pack. It has an object `FAMILY` (`base.Family`), and at its top `TABLE`, literals alone,
which make it known to every node:

* `"table": "families"`, its `name` as settings have it, and its `title` for people;
* `folder`, `file`, `controlnet`, `denoiser`, `denoiser_file`, `text_encoder`: marks of its files (`probe`);
* `interfaces`: what its parts go together with those of other families by: parts fit where the names of `latents`,
  `text`, `controlnet` are equal;
* `process`: the kind of forward process, `vp`, `edm` or `flow`, of models that `model.new` makes and of single files
  that do not describe their scheduler;
* `predicts`: what a table of timesteps of the released model predicts, where that is not `epsilon`;
* `configured`: `model.new` makes its models by configurations alone, not by sizes of a UNet; `latent_multiple`: of what
  the sides of its latents are multiples;
* `conditions`: the parts of a conditioning beside the text that its denoisers can read, as `Conditioning` names them;
* `pictures`: how the channels of its denoisers tell which pictures they read: `reads` and `gives`, names of tensors
  whose second and first size are the channels that one reads and gives; `kinds`, how many times more it reads than it
  gives, or `more` for any other share -> what that means, see `image_conditions`;
* `no_guidance`: the scale of guidance that runs the positive prompt alone, where that is not 1;
* `reads_sizes`: its denoiser reads the sizes of pictures; `zero_negative`: it may do without a negative prompt, for its
  models can say that zeros stand for it; `skipped`: last layers of a text network that it leaves out;
  `text_networks`: how many it has; `text_images`: its text encoder takes pictures;
* `defaults`: what `auto` means in settings (`auto`);
* `adapters`: of files of adapters, `base_version` and `architecture` what the entries of their headers begin with,
  `keys` parts of names that its own have and those of few others;
  `word_widths`: widths of a word's vectors -> whose they are;
* `groups`: component -> its groups of layers: a list of what is put together, each either `{group: [selector, …]}` or
  the name of a row of the table `layer_groups` whose `groups` are that, in a module that the family imports. Layers
  without weights do not count. The group `all` is not declared.

All but the first two may be left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hcpgraph import GraphError, table
from hcpgraph.errors import did_you_mean

if TYPE_CHECKING:
    from hcpgraph.declaring.tables import Row

NAME, ENCODERS = "families", "image_encoders"
"""Tables: families of models, and kinds of image encoders (`image_encoder.kinds`)."""


def families() -> Mapping[str, Row]:
    """The families by name."""
    return table(NAME)


def named(name: str) -> Row:
    """The row of a family.

    Raises:
        GraphError: E_FAMILY, no such family.
    """
    known = families()
    if name not in known:
        raise GraphError(
            "E_FAMILY",
            f"unknown model family '{name}'",
            port="family",
            hint=did_you_mean(name, known, "families") + "; a pack that is missing is given with --pack FOLDER",
        )
    return known[name]


def said(name: Any, entry: str) -> Any:
    """What a family says under a key of its table; None: nothing, or nobody declares it."""
    known = families()
    return known[name].values.get(entry) if name in known else None


def interface(name: Any, part: str) -> str | None:
    """By which name a family's `latents`, `text` or `controlnet` fit those of others; None: by none."""
    found = (said(name, "interfaces") or {}).get(part)
    return None if found is None else str(found)


def conditions(name: Any) -> frozenset[str] | None:
    """The parts of a conditioning beside the text that denoisers of a family can read; None where it does not say."""
    found = said(name, "conditions")
    return None if found is None else frozenset(found)


def groups(name: str, component: str | None) -> dict[str, list[str]]:
    """The groups of layers of a component: name -> selectors; none of a family or image encoder that nobody declares.

    Raises:
        GraphError: E_FAMILY, it names a row of `layer_groups` that nobody declares.
    """
    found: dict[str, list[str]] = {}
    row = families().get(name) or table(ENCODERS).get(name)
    for each in (row.values.get("groups") or {} if row else {}).get(component, ()):
        for group, selectors in (each if isinstance(each, dict) else _shared(name, each)).items():
            found.setdefault(group, []).extend(selectors)
    return found


def _shared(name: str, groups: str) -> Mapping[str, list[str]]:
    rows = table("layer_groups")
    if groups not in rows:
        message, hint = (
            f"the family {name} has the layer groups of '{groups}', which nobody declares",
            "correct its TABLE",
        )
        raise GraphError("E_FAMILY", message, hint=hint)
    shared: Mapping[str, list[str]] = rows[groups].values["groups"]
    return shared
