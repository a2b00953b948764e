"""The original single-file layout of SD 1.x."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.families.probe import probe_family
from hcpgraph_nodes.families.sizes import Sizes, text_configs, unet_config, vae_config
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.new import new_model
from hcpgraph_nodes.model.save import save_model
from safetensors.torch import save_file

from hcpgraph import GraphError
from hcpgraph.testing import context


def test_default_sizes_are_those_of_stable_diffusion_1_5() -> None:
    """Parameter counts of the released model: UNet 859,520,964, text encoder 123,060,480, VAE 83,653,863."""
    from accelerate import init_empty_weights
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    with init_empty_weights():
        modules = (
            UNet2DConditionModel(**unet_config(Sizes())),
            CLIPTextModel(CLIPTextConfig(**text_configs(Sizes())[0])),
            AutoencoderKL(**vae_config(Sizes())),
        )
    assert [sum(p.numel() for p in m.parameters()) for m in modules] == [859_520_964, 123_060_480, 83_653_863]


def inverse(convert, keys: list[str], own: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Original names for diffusers' weights: convert numbered scalars, see where each number ends."""
    numbered = {key: torch.tensor([float(index)]) for index, key in enumerate(keys)}
    names = {name: keys[int(value.item())] for name, value in convert(numbered).items()}
    return {names[name]: value for name, value in own.items()}


def unet_keys(layers: int) -> list[str]:
    """Keys of the original UNet with two resolutions, attention at the first; Compvis' openaimodel.py."""
    res = ["in_layers.0", "in_layers.2", "emb_layers.1", "out_layers.0", "out_layers.3"]
    block = [f"attn{a}.to_{x}.weight" for a in (1, 2) for x in "qkv"]
    block += [f"attn{a}.to_out.0.{p}" for a in (1, 2) for p in ("weight", "bias")]
    block += [f"{n}.{p}" for n in ("ff.net.0.proj", "ff.net.2", "norm1", "norm2", "norm3") for p in ("weight", "bias")]

    def resnet(at: str, skip: bool = False) -> list[str]:
        return [f"{at}.{r}.{p}" for r in [*res, *(["skip_connection"] if skip else [])] for p in ("weight", "bias")]

    def attention(at: str) -> list[str]:
        outer = [f"{at}.{n}.{p}" for n in ("norm", "proj_in", "proj_out") for p in ("weight", "bias")]
        return [*outer, *(f"{at}.transformer_blocks.0.{n}" for n in block)]

    assert layers == 1
    keys = [
        f"{n}.{p}"
        for n in ("time_embed.0", "time_embed.2", "input_blocks.0.0", "out.0", "out.2")
        for p in ("weight", "bias")
    ]
    keys += resnet("input_blocks.1.0") + attention("input_blocks.1.1")
    keys += ["input_blocks.2.0.op.weight", "input_blocks.2.0.op.bias", *resnet("input_blocks.3.0", True)]
    keys += resnet("middle_block.0") + attention("middle_block.1") + resnet("middle_block.2")
    keys += resnet("output_blocks.0.0", True) + resnet("output_blocks.1.0", True)
    keys += ["output_blocks.1.1.conv.weight", "output_blocks.1.1.conv.bias"]
    keys += [k for i in (2, 3) for k in resnet(f"output_blocks.{i}.0", True) + attention(f"output_blocks.{i}.1")]
    return ["model.diffusion_model." + key for key in keys]


def vae_keys() -> list[str]:
    """Keys of the original VAE with two resolutions and two ResNet blocks each."""

    def resnet(at: str, skip: bool = False) -> list[str]:
        names = ["norm1", "conv1", "norm2", "conv2", *(["nin_shortcut"] if skip else [])]
        return [f"{at}.{n}.{p}" for n in names for p in ("weight", "bias")]

    def middle(half: str) -> list[str]:
        inner = [f"{half}.mid.attn_1.{n}.{p}" for n in ("norm", "q", "k", "v", "proj_out") for p in ("weight", "bias")]
        return [*resnet(f"{half}.mid.block_1"), *inner, *resnet(f"{half}.mid.block_2")]

    keys = [f"{n}.{p}" for n in ("quant_conv", "post_quant_conv") for p in ("weight", "bias")]
    for half in ("encoder", "decoder"):
        keys += [f"{half}.{n}.{p}" for n in ("conv_in", "norm_out", "conv_out") for p in ("weight", "bias")] + middle(
            half
        )
    keys += resnet("encoder.down.0.block.0") + resnet("encoder.down.0.block.1")
    keys += ["encoder.down.0.downsample.conv.weight", "encoder.down.0.downsample.conv.bias"]
    keys += resnet("encoder.down.1.block.0", True) + resnet("encoder.down.1.block.1")
    keys += [k for i in range(3) for k in resnet(f"decoder.up.1.block.{i}")]
    keys += ["decoder.up.1.upsample.conv.weight", "decoder.up.1.upsample.conv.bias"]
    keys += [k for i in range(3) for k in resnet(f"decoder.up.0.block.{i}", i == 0)]
    return ["first_stage_model." + key for key in keys]


@pytest.fixture
def single(tmp_path: Path):
    """A small model, its diffusers folder and its single file."""
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint

    ctx = context(tmp_path)
    model = new_model(
        ctx, channels=[8, 16], heads=4, text_width=32, vocab_size=600, resolution=16, vae_channels=[8, 16]
    )
    save_model(ctx, *model, path="models:folder")
    unet, vae, text = (h.root.module for h in (model.denoiser, model.vae, model.text_encoder))
    state = inverse(lambda c: convert_ldm_unet_checkpoint(c, config=dict(unet.config)), unet_keys(1), unet.state_dict())
    numbered = {key: torch.full((1, 1), float(index)) for index, key in enumerate(vae_keys())}
    places = {
        name: vae_keys()[int(v.flatten()[0])]
        for name, v in convert_ldm_vae_checkpoint(numbered, dict(vae.config)).items()
    }
    for name, value in vae.state_dict().items():
        linear = ".attentions." in name and name.endswith("weight") and value.dim() == 2
        state[places[name]] = value[..., None, None] if linear else value
    state |= {
        f"cond_stage_model.transformer.text_model.{k.removeprefix('text_model.')}": v
        for k, v in text.state_dict().items()
    }
    state["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(77)[None]
    save_file({key: value.contiguous() for key, value in state.items()}, tmp_path / "models" / "one.safetensors")
    return ctx, model


def test_single_file_gives_the_same_weights(single) -> None:
    ctx, model = single
    assert probe_family(ctx.path("models:one.safetensors")) == "sd15"
    loaded = load_model(ctx, path="models:one.safetensors", config="models:folder")
    for own, other in zip(model[:3], loaded[:3], strict=True):
        a, b = own.root.module.state_dict(), other.root.module.state_dict()
        assert a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)
    assert loaded.schedule.config == model.schedule.config
    text = "a photo of a cat"
    assert (
        loaded.text_encoder.clips[0].tokens.tokenizer(text).input_ids
        == model.text_encoder.clips[0].tokens.tokenizer(text).input_ids
    )


def test_single_file_of_other_sizes_is_an_error_at_first_use(single) -> None:
    ctx, _ = single
    loaded = load_model(ctx, path="models:one.safetensors")
    with pytest.raises(GraphError) as caught:
        _ = loaded.text_encoder.root.module
    assert caught.value.problem.code == "E_WEIGHTS"


def test_ckpt_is_refused(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "old.ckpt").write_bytes(b"\x80\x02")
    ctx = context(tmp_path)
    with pytest.raises(GraphError, match="safetensors"):
        load_model(ctx, path="models:old.ckpt")
    with pytest.raises(GraphError) as caught:
        _ = load_model(ctx, path="models:old.ckpt", family="sd15").denoiser.root.module
    assert caught.value.problem.code == "E_NO_SAFETENSORS"
