"""Adapter files of SDXL and SD 2.x against diffusers' pipelines."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.adapter_files.names import Spelling
from hcpgraph_nodes.adapter_files.stems import Names, Target
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.families.registry import family
from hcpgraph_nodes.families.sizes import unet_config
from hcpgraph_nodes.plugins.load import load_plugin
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.plugins.save import save_plugin
from hcpgraph_nodes.text.encode import encode_text
from safetensors.torch import load_file, save_file

from hcpgraph.testing import context

from .adapter_models import NOISY, PROMPT, TEXT_LAYERS, TIME, attached, fill, opened

pytestmark = pytest.mark.slow

Q = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("sdxl")


@pytest.fixture(scope="module")
def sdxl(place: Path, tiny_sdxl_folder: Path):
    return opened(place, tiny_sdxl_folder, "sdxl")


@pytest.fixture(scope="module")
def sd2(place: Path, tiny_sd2_folder: Path):
    return opened(place, tiny_sd2_folder, "sd2")


@pytest.mark.parametrize("family", ["sdxl", "sd2"])
@pytest.mark.parametrize(("layout", "variant"), [("kohya", "lora"), ("peft", "lora"), ("peft", "dora")])
def test_files_give_the_same_in_diffusers(place: Path, request, family: str, layout: str, variant: str) -> None:
    import diffusers

    model = request.getfixturevalue(family)
    if layout == "kohya":  # diffusers 0.42 loses alphas that differ from layer to layer of a text encoder
        unet = fill(lora(context(place), model.denoiser, layers=[""], rank=4, alpha=1.5), 1)
        text = fill(lora(context(place), model.text_encoder, layers=TEXT_LAYERS, rank=3, alpha=6), 2)
    else:
        unet, text = attached(model.denoiser, [""], variant), attached(model.text_encoder, TEXT_LAYERS, variant)
    saved = save_plugin(
        context(place), (unet.adapter, text.adapter), path=f"out:{family}.safetensors", layout=layout, dtype="fp32"
    )
    cls = diffusers.StableDiffusionXLPipeline if family == "sdxl" else diffusers.StableDiffusionPipeline
    pipe = cls.from_pretrained(place / "models" / family, local_files_only=True)
    pipe.load_lora_weights(place / "out", weight_name=saved.uri.removeprefix("out:"))
    with torch.no_grad():
        found = pipe.encode_prompt(
            list(PROMPT.texts), device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False
        )
        extra = {}
        if family == "sdxl":
            sizes = torch.tensor([[16, 16, 0, 0, 16, 16]] * 2)
            extra = {"added_cond_kwargs": {"text_embeds": found[2], "time_ids": sizes}}
        prediction = pipe.unet(NOISY.data, TIME.data, found[0], **extra).sample
    ours, plain = encode_text(text.model, PROMPT), encode_text(model.text_encoder, PROMPT)
    assert (ours.data - found[0]).abs().max() <= 1e-5
    assert (plain.data - found[0]).abs().max() > 1e-2
    if family == "sdxl":
        assert (ours.pooled - found[2]).abs().max() <= 1e-5
    assert (predict(unet.model, NOISY, TIME, ours).data - prediction).abs().max() <= 2e-5
    assert (predict(model.denoiser, NOISY, TIME, ours).data - prediction).abs().max() > 1e-2


UNET_STEMS = (
    "lora_unet_" + Q.replace(".", "_"),
    "lora_unet_input_blocks_3_1_transformer_blocks_0_attn1_to_q",
    "diffusion_model.input_blocks.3.1.transformer_blocks.0.attn1.to_q",
    "unet." + Q,
    "denoiser." + Q,
    "lycoris_" + Q.replace(".", "_"),
)
LAYER = "text_model.encoder.layers.0.mlp.fc1"
TEXT_STEMS = {
    "text_encoder.": (
        "lora_te1_text_model_encoder_layers_0_mlp_fc1",
        "lora_te1_encoder_layers_0_mlp_fc1",
        "text_encoder." + LAYER,
        "text_encoders.clip_l.transformer." + LAYER,
    ),
    "text_encoder_2.": (
        "lora_te2_text_model_encoder_layers_0_mlp_fc1",
        "text_encoder_2." + LAYER,
        "text_encoders.clip_g.transformer." + LAYER,
    ),
}
HCP_STEMS = {
    "text_encoder.": (f"lora:clip_B.{LAYER}", f"TE.clip_L.{LAYER}", f"clip_L.{LAYER}"),
    "text_encoder_2.": (f"lora:clip_bigG.{LAYER}", f"TE.clip_bigG.{LAYER}"),
}


def read_one(place: Path, handle, state) -> dict:
    (place / "data").mkdir(exist_ok=True)
    save_file(state, place / "data/one.safetensors")
    return load_plugin(context(place), handle, path="data:one.safetensors").adapter.plugin.blocks


@pytest.mark.parametrize("stem", UNET_STEMS)
def test_both_names_of_the_unet_are_read(place: Path, sdxl, stem: str) -> None:
    layer = sdxl.denoiser.root.layers[Q]
    down, up = torch.ones(2, layer.in_features), torch.ones(layer.out_features, 2)
    assert list(read_one(place, sdxl.denoiser, {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up})) == [Q]


def test_both_text_networks_by_all_their_names(place: Path, sdxl) -> None:
    for own, stems in TEXT_STEMS.items():
        layer = sdxl.text_encoder.root.layers[own + LAYER]
        down, up = torch.ones(2, layer.in_features), torch.ones(layer.out_features, 2)
        for stem in stems:
            state = {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up}
            assert list(read_one(place, sdxl.text_encoder, state)) == [own + LAYER], stem
        for stem in HCP_STEMS[own]:
            state = {
                f"{stem}.___.layer.W_down": down,
                f"{stem}.___.layer.W_up": up,
                f"{stem}.___.alpha": torch.tensor(0.5),
            }
            (block,) = read_one(place, sdxl.text_encoder, state).values()
            assert (block.alpha, block.scale) == (1.0, 0.5), stem


def test_hcp_layout_names_the_networks_as_0_9_does(place: Path, sdxl) -> None:
    made = attached(sdxl.text_encoder, [r"re:.*layers\.0\.mlp\.fc1"])
    saved = save_plugin(context(place), (made.adapter,), path="out:te.safetensors", layout="hcp", overwrite=True)
    keys = {key.rpartition(".___.")[0] for key in load_file(place / "out" / saved.uri.removeprefix("out:"))}
    assert keys == {f"lora:clip_B.{LAYER}", f"lora:clip_bigG.{LAYER}"}


def test_kohya_keys_of_the_released_sdxl() -> None:
    """As in files of kohya's sd-scripts for SDXL base 1.0, layer by layer."""
    config = unet_config(family("sdxl").sizes)
    names = Spelling("sdxl", config)
    known = {
        "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q": "input_blocks_4_1_transformer_blocks_0_attn1_to_q",
        "down_blocks.2.attentions.1.proj_in": "input_blocks_8_1_proj_in",
        "mid_block.attentions.0.transformer_blocks.9.ff.net.0.proj": "middle_block_1_transformer_blocks_9_ff_net_0_proj",
        "up_blocks.0.attentions.2.proj_out": "output_blocks_2_1_proj_out",
        "up_blocks.1.attentions.0.transformer_blocks.1.attn2.to_out.0": "output_blocks_3_1_transformer_blocks_1_attn2_to_out_0",
        "up_blocks.0.upsamplers.0.conv": "output_blocks_2_2_conv",
        "down_blocks.0.downsamplers.0.conv": "input_blocks_3_0_op",
        "up_blocks.2.resnets.0.conv_shortcut": "output_blocks_6_0_skip_connection",
        "down_blocks.1.resnets.1.time_emb_proj": "input_blocks_5_0_emb_layers_1",
        "add_embedding.linear_1": "label_emb_0_0",
        "conv_in": "input_blocks_0_0",
        "conv_out": "out_2",
    }
    for path, flat in known.items():
        assert names.kohya("denoiser", path) == "lora_unet_" + flat
    assert names.kohya("text_encoder", f"text_encoder_2.{LAYER}") == "lora_te2_text_model_encoder_layers_0_mlp_fc1"


def test_no_two_layers_have_one_name(sdxl, sd2) -> None:
    for model in (sdxl, sd2):
        handles = {"denoiser": model.denoiser, "text_encoder": model.text_encoder}
        names = Names(handles)
        for component, handle in handles.items():
            for path in (path for path, layer in handle.root.layers.items() if hasattr(layer, "weight")):
                for spell in (names.kohya, names.peft):
                    assert names.find(spell(component, path)) == Target(component, (path,))
