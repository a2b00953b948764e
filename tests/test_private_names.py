"""What other libraries do not promise is there, works, and is used in one module of each of our packages alone."""

from __future__ import annotations

import ast
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from types import ModuleType

import hcpgraph_nodes.private
import pytest
import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from torch import nn

import hcpgraph.private

ROOT = Path(__file__).parents[1]
OURS = {ROOT / "hcpgraph": hcpgraph.private, ROOT / "nodes/hcpgraph_nodes": hcpgraph_nodes.private}
UNDOCUMENTED = ("aiohttp.http_exceptions", "datasets.config", "diffusers.loaders", "diffusers.models")
DOCUMENTED = {"os._exit", "_fields", "_field_defaults"}
"""Names with a `_` in front that Python documents."""
STANDARD = {"hcpgraph/processes/readers.py"}
"""Processes of our own kind are made of parts of multiprocessing, which ships with Python."""


def tensor_version() -> None:
    tensor = torch.zeros(2)
    before = hcpgraph.private.tensor_version(tensor)
    tensor += 1
    assert hcpgraph.private.tensor_version(tensor) == before + 1


def malformed_request() -> None:
    from aiohttp.http_exceptions import BadStatusLine

    assert issubclass(BadStatusLine, hcpgraph.private.malformed_request())


def map_tensors() -> None:
    values = ({"a": [torch.ones(1), 2]}, torch.ones(1))
    changed = hcpgraph_nodes.private.map_tensors(lambda tensor: float(tensor) + 1, values)
    assert changed == ({"a": [2.0, 2]}, 2.0)


def convolved() -> None:
    layer, x = nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), torch.randn(1, 2, 5, 5)
    assert hcpgraph_nodes.private.convolved(layer, x, layer.weight, layer.bias).equal(layer(x))


def scales_with_lanczos() -> None:
    assert hcpgraph_nodes.private.scales_with_lanczos()


def compile_errors() -> None:
    for error in hcpgraph_nodes.private.compile_errors():
        assert issubclass(error, Exception)
    _, untraceable = hcpgraph_nodes.private.compile_errors()
    with pytest.raises(untraceable):
        torch.compile(lambda x: x if x.sum() > 0 else -x, fullgraph=True, backend="eager")(torch.ones(1))


def tracing() -> None:
    from hcpgraph_nodes.model.compiled import GRAPHS, TRACING
    from torch._dynamo import config

    with hcpgraph_nodes.private.tracing(TRACING | {"recompile_limit": GRAPHS}):
        assert config.recompile_limit == GRAPHS
        assert [getattr(config, name) for name in TRACING] == list(TRACING.values())


def inductor_options() -> None:
    assert hcpgraph_nodes.private.inductor_options("default") == {}
    assert hcpgraph_nodes.private.inductor_options("max-autotune-no-cudagraphs")["max_autotune"]


def has_cpp_compiler() -> None:
    from torch._inductor import config

    with config.patch({"cpp.cxx": ("no-such-compiler",)}):
        assert not hcpgraph_nodes.private.has_cpp_compiler()


def has_triton() -> None:
    assert isinstance(hcpgraph_nodes.private.has_triton(), bool)


def forget_accelerator() -> None:
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    Accelerator(cpu=True)
    assert AcceleratorState().initialized
    hcpgraph_nodes.private.forget_accelerator()
    assert not AcceleratorState._shared_state


def text_network() -> None:
    from transformers import CLIPTextConfig

    config = CLIPTextConfig(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2)
    network = hcpgraph_nodes.private.text_network("CLIPTextModel", config)
    assert network.config._attn_implementation == "sdpa"


def rotary_grid() -> None:
    cosines, sines = hcpgraph_nodes.private.rotary_grid(8, ((0, 0), (2, 2)), (2, 2), torch.device("cpu"))
    columns, rows = torch.tensor([0.0, 1, 0, 1]), torch.tensor([0.0, 0, 1, 1])
    assert torch.allclose(cosines[:, 0], columns.cos()) and torch.allclose(cosines[:, 4], rows.cos())
    assert torch.allclose(cosines.square() + sines.square(), torch.ones(4, 8))


def open_clip_weights() -> None:
    width, prefix = 64, "cond_stage_model.model."
    state = {f"{prefix}transformer.resblocks.0.attn.in_proj_weight": torch.randn(3 * width, width)}
    found = hcpgraph_nodes.private.open_clip_weights(state, width, prefix)
    key = next(name for name in found if name.endswith("layers.0.self_attn.k_proj.weight"))
    assert found[key].equal(next(iter(state.values()))[width : 2 * width])


def vae_weights() -> None:
    state = {"first_stage_model.encoder.conv_in.weight": torch.zeros(1)}
    config = {"down_block_types": ["DownEncoderBlock2D"], "up_block_types": ["UpDecoderBlock2D"]}
    found = hcpgraph_nodes.private.vae_weights(state, config)
    assert list(found) == ["encoder.conv_in.weight"]


def dc_weights() -> None:
    state = {"encoder.stages.0.op_list.0.context_module.main.qkv.conv.weight": torch.randn(6, 2, 1, 1)}
    found = hcpgraph_nodes.private.dc_weights(state)
    assert found["encoder.down_blocks.0.0.attn.to_k.weight"].equal(next(iter(state.values()))[2:4, :, 0, 0])


def condition_reader() -> None:
    network = hcpgraph_nodes.private.condition_reader(4, 3, [2, 2])
    assert network(torch.zeros(1, 3, 8, 8)).shape[1] == 4


def resampler() -> None:
    sizes = {"width": 6, "out_width": 4, "tokens": 3, "hidden": 8, "depth": 1, "heads": 2, "head_width": 4, "grows": 2}
    made = hcpgraph_nodes.private.resampler(**sizes)
    assert made(torch.ones(2, 5, 6)).shape == (2, 3, 4)


def table_fingerprint() -> None:
    datasets = pytest.importorskip("datasets")
    make = datasets.Dataset.from_dict
    first, same, other = make({"a": [1]}), make({"a": [1]}), make({"a": [2]})
    assert hcpgraph_nodes.private.table_fingerprint(first) == hcpgraph_nodes.private.table_fingerprint(same)
    assert hcpgraph_nodes.private.table_fingerprint(first) != hcpgraph_nodes.private.table_fingerprint(other)


def table_folders() -> None:
    pytest.importorskip("datasets")
    assert all(folder.is_absolute() for folder in hcpgraph_nodes.private.table_folders())


USES = {
    tensor_version: "torch.Tensor._version",
    malformed_request: "aiohttp.http_exceptions.HttpProcessingError",
    map_tensors: "torch.utils._pytree.tree_map_only",
    convolved: "torch.nn.Conv2d._conv_forward",
    scales_with_lanczos: "torch.ops.aten._upsample_lanczos2d_aa",
    compile_errors: "torch._dynamo.exc",
    tracing: "torch._dynamo.config",
    inductor_options: "torch._inductor.list_mode_options",
    has_cpp_compiler: "torch._inductor.cpp_builder.get_cpp_compiler",
    has_triton: "torch.utils._triton.has_triton",
    forget_accelerator: "accelerate.state.AcceleratorState._reset_state",
    text_network: "transformers.PreTrainedModel._from_config",
    rotary_grid: "diffusers.models.embeddings.get_2d_rotary_pos_embed",
    open_clip_weights: "diffusers.loaders.single_file_utils.convert_open_clip_checkpoint",
    vae_weights: "diffusers.loaders.single_file_utils.convert_ldm_vae_checkpoint",
    dc_weights: "diffusers.loaders.single_file_utils.convert_autoencoder_dc_checkpoint_to_diffusers",
    condition_reader: "diffusers.models.controlnets.controlnet.ControlNetConditioningEmbedding",
    table_fingerprint: "datasets.Dataset._fingerprint",
    resampler: "diffusers.models.embeddings.IPAdapterPlusImageProjection",
    table_folders: "datasets.config",
}


def check(use: Callable[[], None], name: str) -> None:
    library = name.partition(".")[0]
    try:
        use()
    except Exception as error:  # whatever it is, it is the release that differs
        told = f"{library} {version(library)} has no {name} as we use it: {type(error).__name__}: {error}"
        pytest.fail(f"{told}; mend private.{use.__name__}, or bound the version in pyproject.toml", pytrace=False)


@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
def test_a_private_name_of_a_library_is_there_and_works(use: Callable[[], None]):
    check(use, USES[use])


def test_a_lost_name_is_told_with_the_version(monkeypatch: pytest.MonkeyPatch):
    from accelerate.state import AcceleratorState

    monkeypatch.delattr(AcceleratorState, "_reset_state")
    with pytest.raises(pytest.fail.Exception) as failure:
        check(forget_accelerator, USES[forget_accelerator])
    told = f"accelerate {version('accelerate')} has no accelerate.state.AcceleratorState._reset_state as we use it: "
    assert str(failure.value).startswith(told)


def functions(module: ModuleType) -> set[str]:
    return {name for name, value in vars(module).items() if callable(value) and value.__module__ == module.__name__}


def test_every_private_name_is_tried():
    assert {use.__name__ for use in USES} == set().union(*map(functions, OURS.values()))


def test_the_versions_that_are_tested_are_those_that_are_asked_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    bounds = {canonicalize_name(each.name): each.specifier for each in map(Requirement, asked)}
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
    tested = {canonicalize_name(name): pin for name, pin in pins.items()}
    assert {name: str(bound) for name, bound in bounds.items() if tested[name] not in bound} == {}
    libraries = {name.partition(".")[0] for name in USES.values()}
    assert {name for name in libraries if not any(each.operator == "<" for each in bounds[name])} == set()


def names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Dotted names, imports and attributes that are asked for by a text, each with its line."""
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    inner = {id(node.value) for node in attributes}
    yield from ((node.lineno, dotted(node)) for node in attributes if id(node) not in inner)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("attr"):
            yield node.lineno, str(getattr(node.args[1], "value", ""))


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def own_names(trees: list[ast.AST]) -> set[str]:
    """Names that our own code gives: functions, classes, and what it assigns to."""
    found = set()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(node.name)
            elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
                found.add(node.id if isinstance(node, ast.Name) else node.attr)
    return found


def strangers(folder: Path, allowed: set[str]) -> list[str]:
    """Private names of others in a folder of code, each with file and line."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.py"))}
    own = own_names(list(trees.values()))
    found = []
    for path, tree in trees.items():
        place = path.relative_to(folder.parent).as_posix()
        if place in allowed:
            continue
        for line, name in sorted(names(tree)):
            private = [part for part in name.split(".") if part.startswith("_") and not part.startswith("__")]
            foreign = [part for part in private if part not in own and part not in DOCUMENTED]
            if name not in DOCUMENTED and (
                foreign or f"{name}.".startswith(tuple(f"{each}." for each in UNDOCUMENTED))
            ):
                found.append(f"{place}:{line}: {name}")
    return found


@pytest.mark.parametrize("folder", OURS, ids=lambda folder: folder.name)
def test_no_other_module_touches_a_private_name(folder: Path):
    assert strangers(folder, {f"{folder.name}/private.py"} | STANDARD) == []


def test_a_private_name_is_found_wherever_it_stands(tmp_path: Path):
    folder = tmp_path / "pack"
    folder.mkdir()
    text = """
        import torch._dynamo
        from diffusers.loaders.single_file_utils import convert
        from torch.utils import _pytree

        class Own:
            def __init__(self, network):
                self._network = network

            def __call__(self, name):
                value = getattr(self._network, "_hidden")
                return self._network._forward_hooks, datasets.config.HF_CACHE_HOME, os._exit(1)
        """
    (folder / "node.py").write_text(textwrap.dedent(text))
    assert strangers(folder, set()) == [
        "pack/node.py:2: torch._dynamo",
        "pack/node.py:3: diffusers.loaders.single_file_utils.convert",
        "pack/node.py:4: torch.utils._pytree",
        "pack/node.py:11: _hidden",
        "pack/node.py:12: datasets.config.HF_CACHE_HOME",
        "pack/node.py:12: self._network._forward_hooks",
    ]
