"""Hidden layers of the denoiser in a step: against torch's hooks, with checkpointing, plugins, compiled; REPA trains."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.diffusion.features import features
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.model.compile import compile_model
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.trainable import trainable
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.types import Conditioning, NoisyLatents, Timesteps

import hcpgraph
from hcpgraph import GraphError
from hcpgraph.testing import context

from ..graphs.hand_written import drawn


def data(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


KEYS = (("a", 0, 0), ("b", 0, 1))
NOISY, TIMES = NoisyLatents(data(2, 4, 8, 8), KEYS), Timesteps(torch.tensor([10, 500]))
TEXT = Conditioning.of(data(2, 7, 32, seed=1))
MIDDLE = "mid_block.attentions.0.transformer_blocks.0.attn1"
LAYERS = ["mid_block", MIDDLE, f"pre_hook:{MIDDLE}", "time_embedding"]


@pytest.fixture(scope="module")
def root(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("features")
    (root / "models").mkdir()
    (root / "models/tiny").symlink_to(tiny_folder)
    return root


def denoiser(root: Path, **settings: Any) -> Any:
    return load_model(context(root), path="models:tiny", **settings).denoiser


def test_they_are_what_torch_sees(root: Path) -> None:
    model = denoiser(root)
    found = features(model, NOISY, TIMES, TEXT, layers=LAYERS)
    seen: dict[str, torch.Tensor] = {}
    unet = denoiser(root).root.module
    handles = [
        unet.get_submodule("mid_block").register_forward_hook(lambda m, i, o: seen.update(mid=o)),
        unet.get_submodule(MIDDLE).register_forward_hook(lambda m, i, o: seen.update(out=o)),
        unet.get_submodule(MIDDLE).register_forward_pre_hook(lambda m, i: seen.update(into=i[0])),
        unet.get_submodule("time_embedding").register_forward_hook(lambda m, i, o: seen.update(time=o)),
    ]
    expected = unet(NOISY.data, TIMES.data, TEXT.data).sample
    for handle in handles:
        handle.remove()
    assert torch.equal(found.prediction.data, expected)
    middle, out, into, time = found.features
    assert torch.equal(middle.data, seen["mid"].flatten(2).transpose(1, 2)) and middle.grid == (4, 4)
    assert torch.equal(out.data, seen["out"]) and out.grid == (4, 4) and out.keys == KEYS
    assert torch.equal(into.data, seen["into"]) and not torch.equal(into.data, out.data)
    assert torch.equal(time.data, seen["time"]) and time.grid is None
    assert torch.equal(predict(model, NOISY, TIMES, TEXT).data, expected)


def test_taps_go_with_the_model_and_are_made_once(root: Path) -> None:
    from hcpgraph_nodes.plugins.blocks import taps

    model = denoiser(root)
    for _ in range(3):
        features(model, NOISY, TIMES, TEXT, layers=["mid_block"])
    assert model.root.tapped == ("mid_block",) and len(taps._made[model.root]) == 1 and model.stack == ()
    root_of = weakref.ref(model.root)
    del model
    gc.collect()
    assert root_of() is None


@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradients_come_from_both(root: Path, checkpointing: bool) -> None:
    """Of a loss on the prediction and on a hidden layer, against torch's hook without checkpointing."""
    made = trainable(context(root), denoiser(root, checkpointing=checkpointing))
    made.model.root.module.train()
    found = features(made.model, NOISY, TIMES, TEXT, layers=[MIDDLE])
    (found.prediction.data.square().sum() + 3 * found.features[0].data.pow(3).sum()).backward()
    ours = {name: value.grad for name, value in made.params.groups[0]["params"].items()}
    unet = denoiser(root).root.module.requires_grad_(True).train()
    seen: list[torch.Tensor] = []
    unet.get_submodule(MIDDLE).register_forward_hook(lambda m, i, o: seen.append(o))
    prediction = unet(NOISY.data, TIMES.data, TEXT.data).sample
    (prediction.square().sum() + 3 * seen[0].pow(3).sum()).backward()
    for name, value in unet.named_parameters():
        torch.testing.assert_close(ours[name], value.grad, rtol=1e-4, atol=1e-4)
    early = [name for name in ours if name.startswith("down_blocks")]
    assert any(ours[name].abs().max() > 0 for name in early)


def test_a_loss_on_a_hidden_layer_alone_reaches_what_lies_before(root: Path) -> None:
    made = trainable(context(root), denoiser(root, checkpointing=True))
    made.model.root.module.train()
    found = features(made.model, NOISY, TIMES, TEXT, layers=[MIDDLE])
    found.features[0].data.pow(3).sum().backward()
    grads = {name: value.grad for name, value in made.params.groups[0]["params"].items()}
    assert grads["conv_in.weight"].abs().max() > 0 and grads["conv_out.weight"] is None


def test_plugins_of_the_wire_are_seen(root: Path) -> None:
    model = denoiser(root)
    adapted = lora(context(root), model, layers=["@attention"], rank=2)
    with torch.no_grad():
        for value in adapted.model.stack[0].parameters():
            value.add_(0.3)
    bare, changed = (
        features(each, NOISY, TIMES, TEXT, layers=[MIDDLE]).features[0].data for each in (model, adapted.model)
    )
    assert (bare - changed).abs().max() > 1e-3
    assert torch.equal(features(model, NOISY, TIMES, TEXT, layers=[MIDDLE]).features[0].data, bare)


@pytest.mark.slow
def test_compiled_models_are_read_too(root: Path) -> None:
    made = trainable(context(root), denoiser(root))
    compiled = compile_model(made.model, backend="aot_eager")
    one, other = (features(each, NOISY, TIMES, TEXT, layers=[MIDDLE]) for each in (made.model, compiled))
    torch.testing.assert_close(one.features[0].data, other.features[0].data)
    grads = []
    for each in (one, other):
        weight = made.params.groups[0]["params"]["conv_in.weight"]
        grads.append(torch.autograd.grad(each.features[0].data.pow(3).sum(), weight)[0])
    torch.testing.assert_close(*grads, rtol=1e-4, atol=1e-5)


def test_what_cannot_be_read_is_refused(root: Path) -> None:
    def code(*layers: str) -> str:
        with pytest.raises(GraphError) as caught:
            features(denoiser(root), NOISY, TIMES, TEXT, layers=list(layers))
        return str(caught.value.problem.code)

    assert code("mid_blockk") == "E_NO_LAYER"
    assert code("mid_block.attentions") == "E_FEATURES"


@pytest.mark.slow
def test_repa_is_a_drawing(tmp_path: Path) -> None:
    """A hidden layer is projected and led to the tokens of a frozen encoder, beside the usual loss."""
    g = drawn(10)
    tiny = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 4, "image_size": 16}
    g.remove("predict")
    g.add("image_encoder.new", "dino", encoder="dinov2", config=tiny)
    g.add("projection.new", "head", width=16, out_width=24, hidden=[32], activation="silu", norm=False)
    g.add("model.trainable", "head_weights")
    inside: list[tuple[str, str, dict[str, Any]]] = [
        ("diffusion.features", "predict", {"layers": ["mid_block"]}),
        ("value.pick", "hidden", {}),
        ("feature.project", "project", {}),
        ("image.encode", "aim", {"tokens": "patches", "fit": "as_is"}),
        ("feature.resize", "same", {}),
        ("feature.distance", "apart", {"kind": "cosine"}),
        ("loss.mean", "repa", {}),
    ]
    for type_id, id, settings in inside:
        g.add(type_id, id, inside="train", settings=settings)
    for wire in [
        "whole.model predict.denoiser",
        "noisy.out predict.noisy",
        "t.out predict.timesteps",
        "text.out predict.conditioning",
        "predict.prediction mse.prediction",
        "head.out head_weights.model",
        "head_weights.params adamw.params",
        "predict.features hidden.items",
        "hidden.out project.features",
        "head_weights.model project.projection",
        "dino.out aim.encoder",
        "batch.images aim.images",
        "project.out same.features",
        "aim.tokens same.like",
        "same.out apart.features",
        "aim.tokens apart.target",
        "apart.out repa.loss",
        "repa.out train.loss",
    ]:
        g.connect(*wire.split())
    result = hcpgraph.run(g, targets=["train.losses"], workspace=tmp_path)
    assert result.status == "done", result.failed
    series = result.outputs["train.losses"].series
    assert any(values[-1][1] < values[0][1] for values in series.values())
