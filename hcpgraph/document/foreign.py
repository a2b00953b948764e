"""What other programs' files are: named, with what they contain, where a graph of ours was expected.

Formats: ComfyUI's workflow and API JSON, its PNG chunks `workflow` and `prompt`; InvokeAI's workflows and graphs,
its chunks `invokeai_metadata` and `invokeai_workflow`; the chunk `parameters` of AUTOMATIC1111's webui; the header of
kohya's sd-scripts (`ss_*`), its presets and its caption files; configurations of diffusers, OneTrainer and ai-toolkit.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import GraphErrors, listed
from . import strict_json
from .fileformat import MAX_DEPTH

CHUNKS = ("parameters", "prompt", "workflow", "invokeai_metadata", "invokeai_workflow", "invokeai_graph")
"""Keywords of text in PNG pictures that other programs write."""
DRAW = "draw it with nodes of hcpgraph: hcpgraph new quickstart/generate makes a graph to begin with"
LOAD = "load it with the node plugin.load"
SHOWN = 6
_STEPS = re.compile(r"^(?:.*, )?Steps: \d+, ", re.MULTILINE)


def refused(found: tuple[str, str]) -> GraphErrors:
    """The error for what one of the functions below found."""
    what, hint = found
    return GraphErrors.one("E_FOREIGN", f"{what}; it is no graph of hcpgraph", hint=hint)


def in_value(raw: Any) -> tuple[str, str] | None:
    """What a JSON value is of another program, and what to do with it; None where nobody's sign is on it."""
    if not isinstance(raw, dict) or "format" in raw:
        return None
    comfy = _comfy(raw)
    if comfy is not None:
        return f"this is a ComfyUI workflow of {_counted(comfy)}", DRAW
    invoke = _invoke(raw)
    if invoke is not None:
        return f"this is an InvokeAI workflow of {_counted(invoke)}", DRAW
    if "_class_name" in raw and "_diffusers_version" in raw:
        hint = "give its folder to model.load, vae.load or controlnet.load"
        return f"this is the configuration of a {_short(raw['_class_name'])} of diffusers", hint
    if "pretrained_model_name_or_path" in raw and {"network_dim", "LoRA_type", "train_data_dir"} & raw.keys():
        return f"this is a preset of kohya's trainer{_said(raw, KOHYA)}", TRAIN
    if "training_method" in raw and {"concepts", "concept_file_name", "base_model_name"} & raw.keys():
        return f"this is a configuration of OneTrainer{_said(raw, ONETRAINER)}", TRAIN
    if isinstance(raw.get("config"), dict) and "process" in raw["config"]:
        return f"this is a job of ai-toolkit{_said(raw['config'], ('name',))}", TRAIN
    texts = [item for item in raw.values() if isinstance(item, dict) and {"tags", "caption"} & item.keys()]
    if raw and len(texts) == len(raw):
        return f"this is a caption file of kohya's trainer with {len(texts)} pictures", "name it in data.list_file"
    return None


TRAIN = "set the same on a training graph: hcpgraph templates lists them"
KOHYA = ("LoRA_type", "network_dim", "network_alpha", "learning_rate", "max_train_steps", "epoch")
ONETRAINER = ("training_method", "model_type", "learning_rate", "epochs", "lora_rank")


def in_picture(chunks: Mapping[str, str]) -> tuple[str, str] | None:
    """The same of the text in a picture, by its keyword."""
    for name in ("workflow", "prompt", "invokeai_workflow", "invokeai_graph"):
        if name in chunks and (found := in_value(_parsed(chunks[name]))) is not None:
            return found[0].replace("this is", "this picture carries", 1), found[1]
    if "invokeai_metadata" in chunks:
        told = _parsed(chunks["invokeai_metadata"])
        names = ("positive_prompt", "width", "height", "seed", "steps", "scheduler")
        return f"this picture carries parameters of InvokeAI{_said(told, names)}", DRAW
    text = chunks.get("parameters", "")
    if _STEPS.search(text):
        prompt = re.split(r"\nNegative prompt: |\n(?=Steps: )", text)[0]
        settings = _STEPS.search(text)
        assert settings is not None
        rest = text[settings.start() :].splitlines()[0]
        what = f"this picture carries parameters of AUTOMATIC1111's webui: prompt '{_short(prompt)}', {_short(rest)}"
        return what, DRAW
    return None


def in_weights(metadata: Mapping[str, str]) -> tuple[str, str] | None:
    """The same of the header of a weight file."""
    if any(name in metadata for name in ("ss_network_module", "ss_network_dim")):
        names = ("network_module", "network_dim", "network_alpha", "base_model_version", "steps", "num_train_images")
        told = {name: metadata[f"ss_{name}"] for name in names if f"ss_{name}" in metadata}
        return f"this is a LoRA, or a kin of it, in the layout of kohya's trainer{_said(told, names)}", LOAD
    for name in ("workflow", "prompt"):
        if name in metadata and (found := in_value(_parsed(metadata[name]))) is not None:
            return found[0].replace("this is", "this weight file carries", 1), found[1]
    return None


def _comfy(raw: Mapping[str, Any]) -> list[Any] | None:
    """The types of the nodes of a ComfyUI workflow, in the form of the page or of the API."""
    nodes = raw.get("nodes")
    if isinstance(nodes, list) and ("links" in raw or "last_node_id" in raw):
        return [node.get("type") for node in nodes if isinstance(node, dict)]
    inner = raw.get("prompt") if isinstance(raw.get("prompt"), dict) else raw
    if inner and all(isinstance(node, dict) and "class_type" in node for node in inner.values()):
        return [node["class_type"] for node in inner.values()]
    return None


def _invoke(raw: Mapping[str, Any]) -> list[Any] | None:
    """The types of the nodes of an InvokeAI workflow or graph."""
    nodes, edges = raw.get("nodes"), raw.get("edges")
    if not isinstance(edges, list):
        return None
    if isinstance(nodes, list):
        inner = [node.get("data") for node in nodes if isinstance(node, dict)]
        return [data.get("type") for data in inner if isinstance(data, dict)]
    if isinstance(nodes, dict) and all(isinstance(edge, dict) and "source" in edge for edge in edges):
        return [node.get("type") for node in nodes.values() if isinstance(node, dict)]
    return None


def _counted(types: Iterable[Any]) -> str:
    """How many nodes, and of which types."""
    found = Counter(_short(each) for each in types)
    return f"{sum(found.values())} nodes: {listed(found, shown=SHOWN)}" if found else "no nodes"


def _said(told: Any, names: Iterable[str]) -> str:
    """Some entries in brackets, those that are there."""
    known = told if isinstance(told, Mapping) else {}
    found = [f"{name} {_short(known[name])}" for name in names if isinstance(known.get(name), str | int | float)]
    return f" ({', '.join(found)})" if found else ""


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 80 else f"{text[:79]}…"


def _parsed(text: str) -> Any:
    """A JSON value that is not nested too deep, else None."""
    try:
        return json.loads(text) if strict_json.depth(text) <= MAX_DEPTH else None
    except ValueError:
        return None
