"""The torch-free rules of forward processes: what a process, its training and its sampling cannot do together.

They look at the facts of process wires: `process` (the kind), `predicts`, `zero_snr`, `num_train_timesteps`. A fact
that is not known is no problem. That times, predictions and targets of two processes meet is told by the facts alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hcpgraph.errors import Problem

from ..diffusion.predicts import PREDICTS
from ..pairs.told import around, error, number, origin, warning
from ..sample.samplers import BY_KIND as SAMPLES
from ..sample.samplers import NO_ZERO_SNR, NODES, SAMPLERS, no_sampler
from . import refusals
from .kinds.classes import EDM, FLOW, FLOW_SOLVERS
from .tables import DISTRIBUTIONS, NAMES, READ, no_distribution, no_numbers, no_timestep

DYNAMIC = ("base_shift", "max_shift", "base_image_seq_len", "max_image_seq_len", "patch")
"""Settings of a shift that only a dynamic one reads."""


def process_can_change(view: Any) -> list[Problem]:
    """A process becomes one that exists: no epsilon without signal, no table and no shift where there is none."""
    if view.type not in ("process.predict", "process.zero_terminal_snr", "process.shift", "loss.weighting"):
        return []
    facts = view.facts.get("process", {})
    kind = facts.get("process")
    if view.type == "loss.weighting":
        of_flows = view.settings.get("scheme") in refusals.FLOW_WEIGHTINGS
        wrong = of_flows and kind not in (None, "flow") and refusals.no_weighting(kind)
        return [error(view, "E_SCHEDULE", "process", wrong, "take min_snr")] if wrong else []
    if view.type == "process.shift":
        wrong = kind not in (None, "flow") and refusals.no_shift(kind)
        return [error(view, "E_SCHEDULE", "process", wrong, "take process.flow")] if wrong else []
    zero = view.type == "process.zero_terminal_snr"
    if kind not in (None, "vp"):
        message = refusals.no_table(kind, "zero terminal SNR" if zero else "another prediction")
        return [error(view, "E_SCHEDULE", "process", message, "take the process of a model with a table")]
    predicted = facts.get("predicts") if zero else view.settings.get("prediction_type")
    if predicted != refusals.IMPOSSIBLE or not (zero or facts.get("zero_snr")):
        return []
    port = "process" if zero else "prediction_type"
    return [error(view, "E_SCHEDULE", port, refusals.no_signal(predicted), refusals.HINT)]


def process_has_the_times(view: Any) -> list[Problem]:
    """A process has timesteps of the distribution and in the range that are asked for."""
    facts = view.facts.get("schedule", {})
    kind, count = facts.get("process"), facts.get("num_train_timesteps")
    if view.type != "diffusion.timesteps" or kind not in DISTRIBUTIONS:
        return []
    found = []
    distribution = view.settings.get("distribution")
    if distribution in NAMES and distribution not in DISTRIBUTIONS[kind]:
        message = no_distribution(kind, distribution)
        found.append(error(view, "E_DISTRIBUTION", "distribution", message, "take one that it has"))
    low, high = number(view, "low") or 0, number(view, "high")
    if kind == "edm" and (low > 0 or high is not None):
        hint = "leave both as they are and set mean and std"
        found.append(error(view, "E_RANGE", "low" if low else "high", no_numbers(), hint))
    elif type(count) is int and low >= count:
        found.append(error(view, "E_RANGE", "low", no_timestep(low, count), f"low lies below {count}"))
    elif type(count) is int and high is not None and high > count:
        message = f"high is {high}, and the process has {count} timesteps: it ends there"
        found.append(warning(view, "W_UNREAD", "high", message, "leave high empty for all of them"))
    return found


def shape_of_times_is_read(view: Any) -> list[Problem]:
    """What shapes a distribution or a shift is only set where it is read."""
    if view.type == "diffusion.timesteps":
        used = view.settings.get("distribution")
        unread = [name for name, readers in READ.items() if used in NAMES and used not in readers]
        where = f"{used} times"
    elif view.type in ("process.flow", "process.shift"):
        dynamic = view.settings.get("use_dynamic_shifting")
        unread = ["shift"] if dynamic else list(DYNAMIC)
        where = "a dynamic shift" if dynamic else "a shift that is the same for all sizes"
        if type(dynamic) is not bool:
            return []
    else:
        return []
    return [
        warning(view, "W_UNREAD", name, f"{name} is not read by {where}", "leave it as it was")
        for name in unread
        if name in view.settings and view.settings[name] != view.defaults.get(name)
    ]


def prediction_says_it(view: Any) -> list[Problem]:
    """A prediction is not converted where it says nothing: the noise where nothing is left of the picture."""
    if view.type != "diffusion.convert":
        return []
    facts, given = view.facts.get("process", {}), view.facts.get("prediction", {}).get("prediction")
    if given != refusals.IMPOSSIBLE or not facts.get("zero_snr") or view.settings.get("to") == given:
        return []
    times = origin(view, "timesteps")
    high = None if times is None else number(times, "high")
    if high is not None and high < (facts.get("num_train_timesteps") or 0):
        return []
    hint = "convert a v_prediction, or keep high of diffusion.timesteps below the last timestep"
    return [error(view, "E_SCHEDULE", "prediction", refusals.no_signal(given), hint)]


def network_is_told_the_process(view: Any) -> list[Problem]:
    """A network is told noise levels only with the process that they are of."""
    kind = view.facts.get("timesteps", {}).get("process")
    if view.type not in PREDICTS or "schedule" in view.connected or kind not in ("flow", "edm"):
        return []
    message = f"the timesteps are those of a process of the kind {kind}, and the network is run without it"
    return [error(view, "E_TIMESTEPS", "schedule", message, "wire that process to schedule")]


def sampler_knows_the_process(view: Any) -> list[Problem]:
    """A sampler, or a scheduler of one's own choice, undoes the process of the model."""
    if view.type != "sample.denoise":
        return []
    facts = view.facts.get("schedule", {})
    kind = facts.get("process")
    if kind is None:
        return []
    if "scheduler" in view.connected:
        return _own_scheduler(view, kind)
    name = view.settings.get("sampler")
    if name not in SAMPLERS:
        return []
    if name not in SAMPLES[kind]:
        return [error(view, "E_SETTING", "sampler", no_sampler(kind, name), "take one that it has")]
    if kind == "vp" and facts.get("zero_snr") and name in NO_ZERO_SNR:
        message = f"{name} cannot follow a process that leaves no signal at its last timestep"
        return [error(view, "E_SETTING", "sampler", message, "take ddim, euler, dpmpp_2m or unipc")]
    return []


def _own_scheduler(view: Any, kind: str) -> list[Problem]:
    """A class of diffusers that is known to be for another kind of process."""
    chosen = origin(view, "scheduler")
    path = chosen.settings.get("path") if chosen is not None and chosen.type == "python.object" else None
    module, _, name = str(path).partition(":")
    if path is None or module.partition(".")[0] != "diffusers":
        return []
    fits = {"vp": name not in FLOW | EDM, "flow": name in FLOW | FLOW_SOLVERS, "edm": name in EDM}[kind]
    if fits:
        return []
    message = f"{name} runs another forward process than the model's, which is of the kind {kind}"
    return [error(view, "E_OBJECT", "scheduler", message, "name a class for this kind of process")]


def drawn_as_trained(view: Any) -> list[Problem]:
    """A model is drawn with by the process that it is trained for in the same graph."""
    if view.type not in NODES:
        return []
    own, model = view.facts.get("schedule", {}), origin(view, "denoiser")
    if model is None:
        return []
    for other, trained in _trainings(view, model.node):
        for name, what in WORDS.items():
            if name in own and name in trained and own[name] != trained[name]:
                message = f"'{other}' trains the model for {what} {trained[name]}, and here it is {own[name]}"
                hint = "wire the process of the training here too"
                return [warning(view, "W_PROCESS", "schedule", message, hint)]
    return []


WORDS = {"process": "a process of the kind", "predicts": "the prediction", "zero_snr": "zero terminal SNR"}
"""Fact of a process -> what it is called."""


def _trainings(view: Any, model: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The nodes in training loops that run a model, and what is known of the process they run it with."""
    for other in view.everything():
        if other.type not in PREDICTS or not any(owner.type == "train.loop" for owner in around(other)):
            continue
        source = origin(other, "denoiser")
        if source is not None and source.node == model:
            yield other.node, {**other.facts.get("timesteps", {}), **other.facts.get("schedule", {})}


RULES = (
    process_can_change,
    process_has_the_times,
    shape_of_times_is_read,
    prediction_says_it,
    network_is_told_the_process,
    sampler_knows_the_process,
    drawn_as_trained,
)
