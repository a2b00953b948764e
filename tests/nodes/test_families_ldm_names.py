"""Names of the original UNet layout against diffusers' own conversion of it."""

from __future__ import annotations

from typing import Any

import pytest
from hcpgraph_nodes.families.ldm_names import UNetNames

from . import conftest as tiny

PREFIX = "model.diffusion_model."
FULL: dict[str, Any] = {
    "block_out_channels": (320, 640, 1280, 1280),
    "down_block_types": (*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"),
    "up_block_types": ("UpBlock2D", *["CrossAttnUpBlock2D"] * 3),
    "layers_per_block": 2,
}
SD15 = {**FULL, "cross_attention_dim": 768, "attention_head_dim": 8}
SD21 = {**FULL, "cross_attention_dim": 1024, "attention_head_dim": (5, 10, 20, 20), "use_linear_projection": True}
SDXL = {
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "layers_per_block": 2,
    "transformer_layers_per_block": (1, 2, 10),
    "cross_attention_dim": 2048,
    "attention_head_dim": (5, 10, 20),
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
CONFIGS = {
    "tiny": tiny.UNET,
    "tiny_sd2": tiny.SD2_UNET,
    "tiny_sdxl": tiny.SDXL_UNET,
    "three_layers": {**tiny.UNET, "layers_per_block": 3},
    "class_labels": {**tiny.UNET, "class_embed_type": "projection", "projection_class_embeddings_input_dim": 8},
    "noise_levels": {**tiny.UNET, "num_class_embeds": 10},
    "SD1.5": SD15,
    "SD2.1": SD21,
    "SDXL": SDXL,
}


def unet(config: dict[str, Any]) -> Any:
    from accelerate import init_empty_weights
    from diffusers import UNet2DConditionModel

    with init_empty_weights():
        return UNet2DConditionModel(**config)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_diffusers_reads_the_names(config: dict[str, Any]) -> None:
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

    module = unet(config)
    names = UNetNames(module.config)
    own = list(module.state_dict())
    original = {name: names.to_ldm(name) for name in own}
    assert None not in original.values() and len(set(original.values())) == len(own)
    checkpoint = {PREFIX + str(name): key for key, name in original.items()}
    converted = convert_ldm_unet_checkpoint(checkpoint, config=dict(module.config))
    assert {name: key for name, key in converted.items() if name != key} == {}
    assert converted.keys() == set(own)
    assert all(names.to_diffusers(str(other)) == name for name, other in original.items())


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_every_layer_with_weights_goes_there_and_back(config: dict[str, Any]) -> None:
    module = unet(config)
    names = UNetNames(module.config)
    for name, layer in module.named_modules():
        if any(True for _ in layer.parameters(recurse=False)) or type(layer).__name__ == "ResnetBlock2D":
            assert names.to_diffusers(str(names.to_ldm(name))) == name


def test_known_names() -> None:
    """As in the released files."""
    names = UNetNames(SDXL)
    pairs = {
        "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q": "input_blocks.4.1.transformer_blocks.0.attn1.to_q",
        "down_blocks.0.downsamplers.0.conv": "input_blocks.3.0.op",
        "up_blocks.0.upsamplers.0.conv": "output_blocks.2.2.conv",
        "up_blocks.2.resnets.2.conv_shortcut.weight": "output_blocks.8.0.skip_connection.weight",
        "mid_block.resnets.1": "middle_block.2",
        "add_embedding.linear_2.bias": "label_emb.0.2.bias",
    }
    assert {name: names.to_ldm(name) for name in pairs} == pairs
    assert UNetNames(SD15).to_ldm("up_blocks.0.upsamplers.0.conv") == "output_blocks.2.1.conv"
    assert UNetNames(SD15).to_ldm("add_embedding.linear_2") is None


@pytest.mark.parametrize("name", ["down_blocks.0", "conv_inn.weight", "", "down_blocks.9.resnets.0.norm1"])
def test_names_without_a_counterpart(name: str) -> None:
    assert UNetNames(SD15).to_ldm(name) is None


def test_a_controlnet_has_no_way_up() -> None:
    from diffusers import ControlNetModel

    module = ControlNetModel.from_unet(unet_with_weights())
    names = UNetNames(module.config)
    missing = {name for name in module.state_dict() if names.to_ldm(name) is None}
    assert {name.split(".")[0] for name in missing} == {
        "controlnet_cond_embedding",
        "controlnet_down_blocks",
        "controlnet_mid_block",
    }


def unet_with_weights() -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(**tiny.UNET)


@pytest.mark.parametrize("name", ["sd15", "tiny", "pixels"])
def test_diffusers_reads_the_names_of_the_vae(name: str) -> None:
    from accelerate import init_empty_weights
    from diffusers import AutoencoderKL
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint
    from hcpgraph_nodes.families.ldm_vae import original_vae
    from hcpgraph_nodes.families.pixel_vae import pixel_vae_config
    from hcpgraph_nodes.families.sizes import Sizes, vae_config

    config = {"sd15": vae_config(Sizes()), "tiny": dict(tiny.VAE), "pixels": pixel_vae_config(16, 1.0)}[name]
    with init_empty_weights():
        module = AutoencoderKL(**config)
    state = module.state_dict()
    original = {f"first_stage_model.{key}": value for key, value in original_vae(state, module.config).items()}
    assert len(original) == len(state)
    converted = convert_ldm_vae_checkpoint(original, dict(module.config))
    assert {key: value.shape for key, value in converted.items()} == {key: value.shape for key, value in state.items()}
