"""What other programs write for diffusion transformers: names, layers of several, and what is refused of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.adapter_files.parts import of_keys
from hcpgraph_nodes.model.new import new_model
from torch import Tensor

from hcpgraph import GraphError
from hcpgraph.testing import context

from .adapters import loaded

BLOCK = "transformer_blocks.0.attn."
QKV = [f"{BLOCK}to_{part}" for part in "qkv"]
ORIGINAL = "joint_blocks.0.x_block.attn.qkv"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("adapters")


@pytest.fixture(scope="module")
def models(root: Path) -> dict[str, Any]:
    return {}


def model_of(root: Path, models: dict[str, Any], name: str) -> Any:
    if name not in models:
        models[name] = new_model(context(root), family=name, seed=1)
    return models[name]


@pytest.fixture
def sd3(root: Path, models: dict[str, Any]) -> Any:
    return model_of(root, models, "sd3")


def lora(sd3: Any, rank: int = 2) -> dict[str, Tensor]:
    """A LoRA of query, key and value as trainers of the original network have it."""
    layers = sd3.denoiser.root.layers
    rows, wide = sum(len(layers[path].weight) for path in QKV), layers[QKV[0]].in_features
    seeded = torch.Generator().manual_seed(5)
    up = torch.randn(rows, rank, generator=seeded)
    return {"down": torch.randn(rank, wide, generator=seeded), "up": up, "alpha": torch.tensor(0.5)}


@pytest.mark.parametrize(
    ("stem", "down", "up"),
    [
        (f"lora_unet_{ORIGINAL.replace('.', '_')}", "lora_down.weight", "lora_up.weight"),
        (f"lycoris_{ORIGINAL.replace('.', '_')}", "lora_down.weight", "lora_up.weight"),
        (f"diffusion_model.{ORIGINAL}", "lora_A.weight", "lora_B.weight"),
        (f"model.diffusion_model.{ORIGINAL}", "lora_A.weight", "lora_B.weight"),
        (f"transformer.{ORIGINAL}", "lora_A.weight", "lora_B.weight"),
        (f"base_model.model.{ORIGINAL}", "lora_A.weight", "lora_B.weight"),
        (f"diffusion_model.base_model.model.{ORIGINAL}", "lora_A.default.weight", "lora_B.default.weight"),
        (ORIGINAL, "lora.down.weight", "lora.up.weight"),
    ],
)
def test_original_names_are_cut_into_layers(root: Path, sd3: Any, stem: str, down: str, up: str) -> None:
    given = lora(sd3)
    state = {f"{stem}.{down}": given["down"], f"{stem}.{up}": given["up"], f"{stem}.alpha": given["alpha"]}
    blocks = loaded(root, sd3.denoiser, state)
    assert list(blocks) == QKV
    whole = 0.25 * given["up"] @ given["down"]
    rows = len(whole) // 3
    for index, path in enumerate(QKV):
        delta = blocks[path].delta(sd3.denoiser.root.layers[path].weight)
        assert torch.allclose(delta, whole[index * rows : (index + 1) * rows], atol=1e-6)


@pytest.mark.parametrize(
    "stem",
    [
        "lora_unet_transformer_blocks_0_attn_to_q",
        "lora_transformer_transformer_blocks_0_attn_to_q",
        "lycoris_transformer_blocks_0_attn_to_q",
        f"transformer.{QKV[0]}",
        f"base_model.model.{QKV[0]}",
        f"transformer.base_model.model.{QKV[0]}",
        f"diffusion_model.{QKV[0]}",
        QKV[0],
    ],
)
def test_names_of_diffusers_are_read(root: Path, sd3: Any, stem: str) -> None:
    layer = sd3.denoiser.root.layers[QKV[0]]
    state = {
        f"{stem}.lora_A.weight": torch.ones(2, layer.in_features),
        f"{stem}.lora_B.weight": torch.ones(len(layer.weight), 2),
    }
    assert list(loaded(root, sd3.denoiser, state)) == QKV[:1]


def test_halves_in_the_other_order_are_turned_back(root: Path, sd3: Any) -> None:
    layer = sd3.denoiser.root.layers["norm_out.linear"]
    up = torch.randn(len(layer.weight), 2)
    state = {"lora_down.weight": torch.randn(2, layer.in_features), "lora_up.weight": up}
    stem = "lora_unet_final_layer_adaLN_modulation_1"
    (block,) = loaded(root, sd3.denoiser, {f"{stem}.{name}": value for name, value in state.items()}).values()
    assert torch.equal(block.tensors()["lora_up.weight"], up.roll(len(up) // 2, 0))


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"up": torch.zeros(50, 2)}, "E_LORA_SHAPE", r"lora_up.weight of the shape \[50, 2\], where the layers have"),
        ({"up": torch.zeros(48, 3)}, "E_LORA_SHAPE", r"lora_up.weight of the shape \[48, 3\] on lora_down.weight"),
        ({"down": torch.zeros(2, 5)}, "E_LORA_SHAPE", r"the shape \[2, 5\]"),
        ({"up": torch.zeros(48)}, "E_LORA_SHAPE", r"lora_up.weight of the shape \[48\]"),
    ],
)
def test_files_of_other_sizes_are_refused(root: Path, sd3: Any, change: Any, code: str, message: str) -> None:
    given = lora(sd3) | change
    stem = f"diffusion_model.{ORIGINAL}"
    with pytest.raises(GraphError, match=message) as caught:
        loaded(root, sd3.denoiser, {f"{stem}.lora_A.weight": given["down"], f"{stem}.lora_B.weight": given["up"]})
    assert caught.value.problem.code == code


@pytest.mark.parametrize(
    ("kind", "tensors"),
    [
        ("LoHa", {f"hada_w{n}_{side}": (48, 2) if side == "a" else (2, 16) for n in (1, 2) for side in "ab"}),
        ("LoKr", {"lokr_w1": (2, 2), "lokr_w2": (24, 8)}),
        ("DoRA", {"lora_down.weight": (2, 16), "lora_up.weight": (48, 2), "dora_scale": (48, 1)}),
    ],
)
def test_what_cannot_be_divided_is_refused(
    root: Path, sd3: Any, kind: str, tensors: dict[str, tuple[int, int]]
) -> None:
    state = {f"lora_unet_{ORIGINAL.replace('.', '_')}.{name}": torch.ones(*shape) for name, shape in tensors.items()}
    with pytest.raises(GraphError, match=f"cannot be divided: {QKV[0]} .*no {kind} where") as caught:
        loaded(root, sd3.denoiser, state)
    assert caught.value.problem.code == "E_LORA_KIND"
    other = {
        "transformer.proj_out.lora_A.weight": torch.ones(1, 16),
        "transformer.proj_out.lora_B.weight": torch.ones(16, 1),
    }
    assert list(loaded(root, sd3.denoiser, state | other, unknown="ignore")) == ["proj_out"]


def test_a_layer_is_named_once(root: Path, sd3: Any) -> None:
    given = lora(sd3)
    state = {f"{ORIGINAL}.lora_A.weight": given["down"], f"{ORIGINAL}.lora_B.weight": given["up"]}
    state |= {f"{QKV[1]}.lora_A.weight": torch.ones(1, 16), f"{QKV[1]}.lora_B.weight": torch.ones(16, 1)}
    with pytest.raises(GraphError, match=f"{QKV[1]} .a second adapter"):
        loaded(root, sd3.denoiser, state)


def test_t5_of_flux_is_also_the_second_network(root: Path, models: dict[str, Any]) -> None:
    """Of OneTrainer and older scripts."""
    handle = model_of(root, models, "flux").text_encoder
    path = "text_encoder_2.encoder.block.0.layer.0.SelfAttention.q"
    out, wide = handle.root.layers[path].weight.shape
    stem = "lora_te2_encoder_block_0_layer_0_SelfAttention_q"
    state = {f"{stem}.lora_down.weight": torch.ones(1, wide), f"{stem}.lora_up.weight": torch.ones(out, 1)}
    assert list(loaded(root, handle, state)) == [path]


@pytest.mark.parametrize(
    ("keys", "parts"),
    [
        (
            ["lora_unet_double_blocks_0_img_attn_qkv.alpha", "lora_te3_encoder_block_0.alpha"],
            ("denoiser", "text_encoder"),
        ),
        (["lora_transformer_transformer_blocks_0_attn_to_q.alpha"], ("denoiser",)),
        (["base_model.model.transformer_blocks.0.attn.to_q.lora_A.weight"], ("denoiser",)),
        (["model.diffusion_model.joint_blocks.0.x_block.attn.qkv.lora_A.weight"], ("denoiser",)),
        (["text_encoders.t5xxl.transformer.encoder.block.0.alpha"], ("text_encoder",)),
        (["lycoris_single_transformer_blocks_0_attn_to_q.lokr_w1", "bundle_emb.cat.t5xxl"], ("denoiser",)),
        (["layers.0.attention.qkv.lora_A.weight"], None),
    ],
)
def test_the_header_says_which_parts_a_file_is_about(keys: list[str], parts: tuple[str, ...] | None) -> None:
    assert of_keys(keys) == parts
