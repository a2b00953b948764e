"""Torch-free relations between settings, ports and facts: probes and rules of this pack.

`PROBERS`: name -> function(settings, resolve) that reads a fact from small files; None where it cannot be known.
`RULES`: functions(view) -> problems; a view has node, type, settings, connected, wires and facts.
`PASSES`: type of a node with a region -> function(settings) -> how often its body runs with the same weights; the
settings that say it where only the run knows the number; None where it is not known.
`SHARES`: type of a node that says which optimizers a loss is for -> function(settings of several, steps of the loop):
how many of them these optimizers do.
`LENGTHS`: node type -> settings as long as the training -> function(settings): whether anything depends on it.
`DEFAULTS`: node type -> settings that may be `auto` -> function(facts of input ports) -> what that stands for, and why.
`ASKED`: node type -> input ports that are read for their facts alone.
`CODE`: name of a fact or setting -> its values -> the module whose code each means, for cache keys; or the name of a
table whose rows are the values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hcpgraph.errors import GraphError, Problem

from .adapter_files import own_header, parts
from .condition import rule as conditions
from .controlnet.rule import acts_at_all, control_family, family_has_controlnets
from .diffusion.guide_rule import scale_needs_timesteps
from .diffusion.predicts import PREDICTS
from .families import auto, contradiction, file_marks, image_conditions, part_probe, small, table, text_probe
from .image_encoder.probe import encoder_fact
from .pairs import counts, files, inside, layers, lengths, objectives, sizes, training
from .process import rule as processes
from .process.refusals import no_signal
from .python.rule import untrusted
from .sample.samplers import NODES
from .tensor.formula_rule import rows_make_sense
from .tensor.rule import settings_agree
from .text.rule import constant_texts, pictures_are_taken

Prober = Callable[[Mapping[str, Any], Callable[[str], Path]], Any]
Rule = Callable[[Any], list[Problem]]

PROBERS: dict[str, Prober] = {}
RULES: list[Rule] = []
PASSES: dict[str, Callable[[Mapping[str, Any]], int | Mapping[str, Any] | None]] = lengths.PASSES
LENGTHS: dict[str, dict[str, Callable[[Mapping[str, Any]], bool]]] = lengths.LENGTHS
SHARES = objectives.SHARES
CODE = {"family": table.NAME, "encoder": table.ENCODERS, "plugin": own_header.KINDS}
DEFAULTS, ASKED = auto.DEFAULTS, auto.ASKED


def prober(name: str) -> Callable[[Prober], Prober]:
    """Register a function as the fact `Probe(name)`."""

    def register(function: Prober) -> Prober:
        PROBERS[name] = function
        return function

    return register


def rule(function: Rule) -> Rule:
    """Register a rule."""
    RULES.append(function)
    return function


@prober("family")
def family(settings: Mapping[str, Any], resolve: Callable[[str], Path]) -> str | None:
    """The model family that `family` names, or that lies at `path`."""
    named = settings.get("family", "auto")
    if named != "auto":
        return str(named)
    path = settings.get("path")
    if not isinstance(path, str):
        return None
    from .families.probe import probe_family

    return probe_family(resolve(path))


def interface(between: str) -> Prober:
    """The fact by which parts of several families fit: `latents` or `text`."""

    def fact(settings: Mapping[str, Any], resolve: Callable[[str], Path]) -> str | None:
        return table.interface(family(settings, resolve), between)

    return fact


for _name in ("latents", "text"):
    prober(_name)(interface(_name))
PARTS: dict[str, Callable[[list[Path]], str | None]] = {
    "denoiser": lambda paths: part_probe.probe_denoiser(paths[0]),
    "text_encoder": text_probe.probe_text_encoder,
}
"""Component -> what tells the family of its files."""


def of_part(component: str, said: Callable[[str], str | None]) -> Prober:
    """A fact of a loader of one part: what is said of the family that `family` names, or that lies at its paths."""

    def fact(settings: Mapping[str, Any], resolve: Callable[[str], Path]) -> str | None:
        named = settings.get("family", "auto")
        places = contradiction.places(settings, resolve)
        found = (PARTS[component](places) if places else None) if named == "auto" else str(named)
        return None if found is None else said(found)

    return fact


for _part in PARTS:
    prober(f"{_part} family")(of_part(_part, str))
    for _name in ("latents", "text"):
        prober(f"{_part} {_name}")(of_part(_part, partial(table.interface, part=_name)))
prober("image")(image_conditions.image_fact)
prober("new image")(image_conditions.new_image_fact)


@rule
def guidance_has_two_sides(view: Any) -> list[Problem]:
    """Guidance compares with a negative prompt; a negative prompt without guidance is never read, which nobody is told
    whose guidance is `auto` and whose model does without.

    It begins above 1, but for families whose scale counts from 0.
    """
    if view.type not in NODES:
        return []
    guidance = view.settings.get("guidance", 1.0)
    if not isinstance(guidance, int | float):
        return []
    family = view.facts.get("denoiser", {}).get("family")
    may_do_without, bare = table.said(family, "zero_negative"), table.said(family, "no_guidance")
    bare = 1 if bare is None else bare
    if guidance < bare and family in table.families():
        message = f"guidance {guidance:g} leads away from the positive prompt"
        return [Problem("E_SETTING", message, node=view.node, port="guidance", hint=f"{bare:g} runs it alone")]
    image = view.settings.get("image_guidance", 1.0)
    apart = isinstance(image, int | float) and image != 1
    guides = guidance > bare
    scale = f"guidance {guidance:g}" if guides else f"image_guidance {image:g}"
    if (guides or apart) and "negative" not in view.connected and not may_do_without:
        return [
            Problem(
                "E_NO_NEGATIVE",
                f"{scale} compares with a negative prompt, and none is wired",
                node=view.node,
                port="negative",
                hint=f"wire text.encode of an empty prompt to it, or set guidance to {bare:g}",
            )
        ]
    if guides or apart or "guidance" in view.auto:
        return []
    unused = [name for name in ("negative", "negative_denoiser") if name in view.connected]
    return [
        Problem(
            "W_NEGATIVE_UNUSED",
            f"the negative {'prompt' if name == 'negative' else 'model'} has no effect at guidance {guidance:g}",
            node=view.node,
            port=name,
            hint=f"raise guidance above {bare:g}",
            severity="warning",
        )
        for name in unused
    ]


@rule
def sizes_are_read(view: Any) -> list[Problem]:
    """Sizes that do not come with the batch have no effect on a family whose denoiser does not read them."""
    if any(giver.type in ("data.batch", "data.latent_batch") for giver in view.givers("sizes")):
        return []
    family = view.facts.get("denoiser", {}).get("family")
    if view.type not in PREDICTS or "sizes" not in view.connected or family not in table.families():
        return []
    if table.said(family, "reads_sizes"):
        return []
    return [
        Problem(
            "W_SIZES_UNUSED",
            f"a denoiser of the family {family} does not read the sizes of pictures",
            node=view.node,
            port="sizes",
            hint="take the wire away, or use a model that does, such as SDXL",
            severity="warning",
        )
    ]


@rule
def family_is_known(view: Any) -> list[Problem]:
    """The setting `family` names a family that some pack declares."""
    name = view.settings.get("family")
    widget = view.widgets.get("family", {}) if isinstance(name, str) else {}
    if widget.get("table") != table.NAME or name in widget.get("also", ()):
        return []
    try:
        table.named(name)
    except GraphError as error:
        return [replace(error.problem, node=view.node)]
    return []


prober("impossible")(file_marks.impossible)
for _fact in ("process", "predicts", "zero_snr", "num_train_timesteps"):
    prober(f"{_fact} of the files")(file_marks.process_fact(_fact))
    prober(f"{_fact} of the family")(file_marks.new_process_fact(_fact))
prober("selected parts")(parts.selected)
prober("parts of the adapter")(parts.adapter_parts)
prober("plugin of the file")(own_header.kind_fact)
prober("parts of the part file")(parts.part_file)
prober("parts of the wire")(parts.unknown)
for _node in contradiction.LOADERS:
    prober(f"contradicts {_node}")(contradiction.family_fact(_node))
rule(contradiction.family_is_that_of_the_files)


@rule
def prediction_is_possible(view: Any) -> list[Problem]:
    """A process without signal at its end cannot be left with a prediction of the noise."""
    kind = view.gives.get("schedule", {}).get("impossible")
    if kind is None:
        return []
    message = no_signal(kind)
    return [Problem("E_SCHEDULE", message, node=view.node, port="prediction_type", hint=file_marks.HINT)]


def layout_problem(path: str, layout: str) -> str | None:
    """What is wrong with the path of a saved model or ControlNet: single files have their ending, folders do not."""
    single = path.endswith(".safetensors")
    if layout == "single_file" and not single:
        return f"a single file ends with .safetensors, and '{path}' does not"
    if layout == "diffusers" and single:
        return f"'{path}' is the name of a file, and layout is diffusers, which is a folder"
    return None


@rule
def saved_model_path(view: Any) -> list[Problem]:
    """The path of `model.save` and `controlnet.save` fits its layout."""
    path, layout = view.settings.get("path"), view.settings.get("layout")
    if view.type not in ("model.save", "controlnet.save") or not isinstance(path, str) or not isinstance(layout, str):
        return []
    if problem := layout_problem(path, layout):
        return [Problem("E_SETTING", problem, node=view.node, port="path", hint="change path or layout")]
    return []


@rule
def timestep_range(view: Any) -> list[Problem]:
    """`low` lies below `high`."""
    if view.type != "diffusion.timesteps":
        return []
    low, high = view.settings.get("low"), view.settings.get("high")
    if isinstance(low, int) and isinstance(high, int) and low >= high:
        return [
            Problem(
                "E_RANGE",
                f"no timestep lies between low = {low} and high = {high}",
                node=view.node,
                hint="high is exclusive and must be greater than low",
            )
        ]
    return []


@rule
def loss_weights(view: Any) -> list[Problem]:
    """`loss.weighted_sum` has one weight a loss."""
    if view.type != "loss.weighted_sum":
        return []
    weights = view.settings.get("weights")
    wired = view.wires.get("losses", 0)
    if isinstance(weights, list) and weights and wired > 1 and len(weights) != wired:
        return [
            Problem(
                "E_WEIGHTS_COUNT",
                f"{len(weights)} weights for {wired} losses",
                node=view.node,
                hint="write one weight a loss, or none for 1 each",
            )
        ]
    return []


@rule
def small_model_sizes(view: Any) -> list[Problem]:
    """Sizes of `model.new` fit each other."""
    if view.type != "model.new":
        return []
    s = view.settings
    if table.said(s.get("family"), "configured"):
        found = small.unread(s.get("family"), s)
        return [] if found is None else [replace(found, node=view.node)]
    pairs = [("text_width", s.get("text_width"), "text_heads", s.get("text_heads"))]
    pairs += [("channels", size, "heads", s.get("heads")) for size in s.get("channels") or []]
    skipped = table.said(s.get("family"), "skipped") or 0
    unused = [
        Problem(
            "E_SIZE",
            f"{s.get('family')} leaves out the last text layer: text_layers {s.get('text_layers')} is none",
            node=view.node,
            port="text_layers",
            hint=f"set text_layers to {skipped + 1} or more",
        )
    ]
    return (unused if skipped and s.get("text_layers") in range(1, skipped + 1) else []) + [
        Problem(
            "E_SIZE",
            f"{name} {size} is no multiple of {parts_name} {parts}",
            node=view.node,
            hint=f"change {name} or {parts_name}",
        )
        for name, size, parts_name, parts in pairs
        if isinstance(size, int) and isinstance(parts, int) and size % parts
    ]


for module in (lengths, training, objectives, files, counts, sizes, inside, layers, conditions, processes):
    for each in module.RULES:
        rule(each)
rule(untrusted)
rule(constant_texts)
rule(pictures_are_taken)
prober("controlnet_family")(control_family)
prober("image encoder")(encoder_fact)
rule(acts_at_all)
rule(family_has_controlnets)
rule(scale_needs_timesteps)
rule(settings_agree)
rule(rows_make_sense)
