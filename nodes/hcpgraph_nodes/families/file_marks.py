"""What a model's small files say of its forward process, and whether its network's output means anything (torch-free).

A process that leaves no signal at its last timestep (zero terminal SNR) gives a network nothing to tell noise from: a
picture cannot be computed from a prediction of that noise, the division by the signal is not finite.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from hcpgraph.fingerprint import stamp

from ..process.kinds.classes import kind_of
from ..process.refusals import IMPOSSIBLE
from .file_header import header
from .probe import probe_family
from .table import said

CONFIGS = "hcpgraph.configs"
"""Entry of the header that holds the configurations of a model that we wrote, as JSON by component."""
V_MARK, ZERO_SNR_MARK = "v_pred", "ztsnr"
"""Empty tensors by which files of SDXL models say v-prediction, and a schedule rescaled to zero terminal SNR."""
ZERO_SNR: Mapping[str, Any] = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
HINT = "set prediction_type to v_prediction, as such models are released, or take a schedule with signal at its end"


def written_configs(metadata: Mapping[str, str]) -> dict[str, dict[str, Any]] | None:
    """The configurations by component in the header of a file that `model.save` wrote; None in other files."""
    try:
        found = json.loads(metadata[CONFIGS])
    except (KeyError, ValueError, RecursionError):
        return None
    whole = isinstance(found, dict) and all(isinstance(part, dict) for part in found.values())
    return found if whole else None


def marked_prediction(metadata: Mapping[str, str], keys: Collection[str]) -> str | None:
    """What the model predicts, where the file says so: by modelspec's entry or by the mark of SDXL files."""
    if V_MARK in keys:
        return "v_prediction"
    named = metadata.get("modelspec.prediction_type")
    return {"epsilon": "epsilon", "v": "v_prediction"}.get(str(named))


def impossible(settings: Mapping[str, Any], resolve: Callable[[str], Path]) -> str | None:
    """The fact `Probe("impossible")` of `model.load`: the prediction that its process cannot give, None if it can."""
    config = _scheduler(resolve(settings["path"]), settings.get("config"), resolve)
    asked = settings.get("prediction_type", "auto")
    kind = config.get("prediction_type") or "epsilon" if asked == "auto" else asked
    return kind if kind == IMPOSSIBLE and ends_in_noise(config) else None


def process_fact(name: str) -> Callable[[Mapping[str, Any], Callable[[str], Path]], Any]:
    """A probe of `model.load` for one of the facts of a process: process, predicts, zero_snr, num_train_timesteps."""

    def probe(settings: Mapping[str, Any], resolve: Callable[[str], Path]) -> Any:
        source = resolve(settings["path"])
        config, asked = _scheduler(source, settings.get("config"), resolve), settings.get("prediction_type", "auto")
        if asked != "auto":
            config = {**config, "prediction_type": asked}
        if "_class_name" in config or source.is_dir():
            return process_facts(config, kind_of(config)).get(name)
        named = settings.get("family", "auto")
        of = probe_family(source) if named == "auto" else named
        if config.get("prediction_type") is None and said(of, "configured"):
            config = {**config, "prediction_type": said(of, "predicts") or "epsilon"}
        return process_facts(config, said(of, "process")).get(name)

    return probe


def new_process_fact(name: str) -> Callable[[Mapping[str, Any], Callable[[str], Path]], Any]:
    """The same of `model.new`: the process of its family."""

    def probe(settings: Mapping[str, Any], resolve: Callable[[str], Path]) -> Any:
        asked, own = settings.get("prediction_type"), said(settings.get("family"), "predicts") or "epsilon"
        config = {"prediction_type": own if asked == "auto" else asked}
        return process_facts(config, said(settings.get("family"), "process")).get(name)

    return probe


def process_facts(config: Mapping[str, Any], kind: str | None) -> dict[str, Any]:
    """What a scheduler's configuration says of a process of a kind; what it leaves open is missing.

    Args:
        config: The configuration; a prediction_type of None is not known, one that is missing is that of diffusers.
        kind: `vp`, `edm` or `flow`; None: not known, and nothing is.
    """
    if kind is None:
        return {}
    facts = {"process": kind, "num_train_timesteps": config.get("num_train_timesteps") or 1000}
    if kind != "vp":
        return {**facts, "predicts": kind, "zero_snr": False}
    predicts = config.get("prediction_type", IMPOSSIBLE)
    return {**facts, **({} if predicts is None else {"predicts": predicts}), "zero_snr": ends_in_noise(config)}


def ends_in_noise(config: Mapping[str, Any]) -> bool:
    """Whether the process of a diffusers scheduler configuration ends in noise alone."""
    betas = [*(config.get("trained_betas") or ()), config.get("beta_end", 0)]
    return bool(config.get("rescale_betas_zero_snr")) or any(beta >= 1 for beta in betas)


def _scheduler(source: Path, config: str | None, resolve: Callable[[str], Path]) -> dict[str, Any]:
    """The scheduler's configuration, as `model.load` finds it."""
    if source.is_dir() or config is not None:
        return _in_folder(source if config is None or source.is_dir() else resolve(config))
    return _in_file(source, stamp(source))


@lru_cache(maxsize=16)
def _in_file(source: Path, stamped: str) -> dict[str, Any]:
    """What a single file says of it; a file is read again when it was written anew."""
    found = header(source)
    if (written := written_configs(found.metadata)) is not None:
        return written["scheduler"]
    rescaled = ZERO_SNR if ZERO_SNR_MARK in found.shapes else {}
    return {"prediction_type": marked_prediction(found.metadata, found.shapes), **rescaled}


def _in_folder(folder: Path) -> dict[str, Any]:
    """That of a whole model, also where the folder is the one of a part in it."""
    part = not (folder / "scheduler").is_dir() and (folder.parent / "model_index.json").is_file()
    whole = folder.parent if part else folder
    return dict(json.loads((whole / "scheduler" / "scheduler_config.json").read_text("utf-8")))
