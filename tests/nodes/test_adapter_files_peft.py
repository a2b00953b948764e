"""PEFT's and diffusers' layouts, against both libraries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.plugins.load import load_plugin
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.plugins.save import save_plugin
from hcpgraph_nodes.text.encode import encode_text
from hcpgraph_nodes.types import Conditioning
from safetensors.torch import save_file

from hcpgraph import GraphError
from hcpgraph.testing import context

from .adapter_models import NOISY, PROMPT, TEXT, TEXT_LAYERS, TIME, UNET_LAYERS, attached, fill, random


@pytest.fixture
def model(workspace: Path):
    return load_model(context(workspace), path="models:tiny")


@pytest.fixture
def pipe(workspace: Path):
    from diffusers import StableDiffusionPipeline

    return StableDiffusionPipeline.from_pretrained(workspace / "models/tiny", local_files_only=True)


def both(workspace: Path, model):
    unet = fill(lora(context(workspace, node="u"), model.denoiser, layers=UNET_LAYERS, rank=4, alpha=1.5), 1)
    text = fill(lora(context(workspace, node="t"), model.text_encoder, layers=TEXT_LAYERS, rank=3, alpha=6), 2)
    return unet, text


@pytest.mark.parametrize("beside", [True, False])
def test_peft_layout_equals_peft(workspace: Path, model, pipe, beside: bool) -> None:
    """A folder that PEFT saved (alpha in adapter_config.json), and a diffusers file (alpha in the header)."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=3, lora_alpha=7, target_modules=["to_q", "to_v", "conv1", "proj_in", "ff.net.2"], alpha_pattern={"conv1": 2}
    )
    path = "data:peft"
    if beside:
        wrapped = get_peft_model(pipe.unet, config)
        module = wrapped
    else:
        pipe.unet.add_adapter(config)
        module = pipe.unet
    with torch.no_grad():
        for index, (name, parameter) in enumerate(module.named_parameters()):
            if ".lora_" in name:
                parameter.copy_(0.2 * random(*parameter.shape, seed=index))
        reference = module(NOISY.data, TIME.data, TEXT.data).sample
    if beside:
        wrapped.save_pretrained(workspace / "data" / "peft")
    else:
        from diffusers import StableDiffusionPipeline
        from diffusers.training_utils import _collate_lora_metadata
        from peft.utils import get_peft_model_state_dict

        StableDiffusionPipeline.save_lora_weights(
            workspace / "data",
            unet_lora_layers=get_peft_model_state_dict(pipe.unet),
            weight_name="peft.safetensors",
            **_collate_lora_metadata({"unet": pipe.unet}),
        )
        path = "data:peft.safetensors"
    loaded = load_plugin(context(workspace), model.denoiser, path=path)
    assert (predict(loaded.model, NOISY, TIME, TEXT).data - reference).abs().max() <= 1e-5
    assert (predict(model.denoiser, NOISY, TIME, TEXT).data - reference).abs().max() > 1e-2


def test_old_diffusers_layouts(workspace: Path, model) -> None:
    unet, text = both(workspace, model)
    stem = "down_blocks.0.attentions.0.transformer_blocks.0.attn1"
    q, out = (unet.adapter.plugin.blocks[f"{stem}.{name}"] for name in ("to_q", "to_out.0"))
    word = text.adapter.plugin.blocks["text_model.encoder.layers.1.self_attn.q_proj"]
    flat, nested = (
        "text_encoder.encoder.layers.1.self_attn.q_proj",
        "text_encoder.text_model.encoder.layers.1.self_attn.q_proj",
    )
    for text_stem in (flat, nested):
        state = {
            f"unet.{stem}.processor.to_q_lora.down.weight": q.down.weight,
            f"unet.{stem}.processor.to_q_lora.up.weight": q.up.weight,
            f"unet.{stem}.processor.to_out_lora.down.weight": out.down.weight,
            f"unet.{stem}.processor.to_out_lora.up.weight": out.up.weight,
            f"{text_stem}.lora_linear_layer.down.weight": word.down.weight,
            f"{text_stem}.lora_linear_layer.up.weight": word.up.weight,
        }
        (workspace / "data").mkdir(exist_ok=True)
        save_file({key: value.detach() for key, value in state.items()}, workspace / "data" / "old.safetensors")
        loaded = load_plugin(context(workspace), model.denoiser, path="data:old.safetensors").adapter.plugin.blocks
        assert list(loaded) == [f"{stem}.to_q", f"{stem}.to_out.0"]
        assert torch.equal(loaded[f"{stem}.to_out.0"].up.weight, out.up.weight)
        assert loaded[f"{stem}.to_q"].scale == 1.0
        words = load_plugin(context(workspace), model.text_encoder, path="data:old.safetensors").adapter.plugin.blocks
        assert list(words) == ["text_model.encoder.layers.1.self_attn.q_proj"]


def test_rslora_metadata_and_dora(workspace: Path, model) -> None:
    key = "unet.conv_in"
    state = {f"{key}.lora_A.weight": torch.ones(4, 4, 3, 3), f"{key}.lora_B.weight": torch.ones(16, 4, 1, 1)}
    (workspace / "data").mkdir()
    file = workspace / "data" / "x.safetensors"
    for extra, scale in (({"unet.use_rslora": True}, 8 / 2), ({}, 8 / 4)):
        save_file(state, file, {"lora_adapter_metadata": json.dumps({"unet.r": 4, "unet.lora_alpha": 8, **extra})})
        loaded = load_plugin(context(workspace), model.denoiser, path="data:x.safetensors")
        assert loaded.adapter.plugin.blocks["conv_in"].scale == scale
    save_file(state, file, {"lora_adapter_metadata": json.dumps({"unet.use_dora": True})})
    with pytest.raises(GraphError, match="without its magnitude") as caught:
        load_plugin(context(workspace), model.denoiser, path="data:x.safetensors")
    assert caught.value.problem.code == "E_LORA_SHAPE"


@pytest.mark.parametrize("variant", ["lora", "dora"])
def test_peft_layout_loads_in_diffusers_exactly(workspace: Path, model, pipe, variant: str) -> None:
    """Ranks and alphas that differ from layer to layer travel in the header."""
    unet, text = attached(model.denoiser, UNET_LAYERS, variant), attached(model.text_encoder, TEXT_LAYERS, variant)
    adapters = (unet.adapter, text.adapter)
    save_plugin(context(workspace), adapters, path="out:p.safetensors", layout="peft", dtype="fp32")
    pipe.load_lora_weights(workspace / "out", weight_name="p.safetensors")
    with torch.no_grad():
        embedding = pipe.encode_prompt(list(PROMPT.texts), "cpu", 1, False)[0]
        prediction = pipe.unet(NOISY.data, TIME.data, embedding).sample
    assert (encode_text(text.model, PROMPT).data - embedding).abs().max() <= 1e-5
    assert (encode_text(model.text_encoder, PROMPT).data - embedding).abs().max() > 1e-2
    assert (predict(unet.model, NOISY, TIME, Conditioning.of(embedding)).data - prediction).abs().max() <= 1e-5
    assert (predict(model.denoiser, NOISY, TIME, Conditioning.of(embedding)).data - prediction).abs().max() > 1e-2
