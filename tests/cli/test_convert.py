"""`hcpgraph convert`: adapter files from one layout into another."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from hcpgraph.paths import BUILTIN

EMOJI = BUILTIN / "emoji"
LAYER = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
WORD = "text_model.encoder.layers.0.self_attn.q_proj"


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def kohya(width, text=768, **others):
    unet, word = "lora_unet_" + LAYER.replace(".", "_"), "lora_te_" + WORD.replace(".", "_")
    return {
        f"{unet}.lora_down.weight": random(4, width),
        f"{unet}.lora_up.weight": random(width, 4, seed=1),
        f"{unet}.alpha": torch.tensor(2.0),
        f"{word}.lora_down.weight": random(4, text, seed=2),
        f"{word}.lora_up.weight": random(text, 4, seed=3),
        f"{word}.alpha": torch.tensor(4.0),
        **others,
    }


@pytest.fixture(scope="module")
def sizes():
    from diffusers import UNet2DConditionModel

    config = json.loads((EMOJI / "text_encoder" / "config.json").read_text("utf-8"))
    layer = UNet2DConditionModel.from_pretrained(EMOJI / "unet", local_files_only=True).get_submodule(LAYER)
    return layer.in_features, config["hidden_size"]


def test_there_and_back_with_a_model(cli, tmp_path, sizes):
    source, peft, back = (tmp_path / f"{name}.safetensors" for name in ("kohya", "peft", "back"))
    state = kohya(*sizes)
    save_file(state, source, {"ss_base_model_version": "sd_v1", "ss_learning_rate": "1e-4", "sshs_model_hash": "old"})
    told = json.loads(cli("convert", source, peft, "--to", "peft", "--model", EMOJI, "--json").stdout)
    assert told["layers"] == {"denoiser": 1, "text_encoder": 1} and told["kinds"]["denoiser"] == ["LoRA"]
    written = load_file(peft)
    assert torch.equal(written[f"unet.{LAYER}.lora_A.weight"], random(4, sizes[0]))
    assert f"text_encoder.{WORD}.lora_B.weight" in written and not any("alpha" in key for key in written)
    shown = cli("convert", peft, back, "--to", "kohya", "--model", "builtin:emoji")
    assert "denoiser: 1 layers, LoRA" in shown.stderr and f"wrote {back}" in shown.stderr
    again = load_file(back)
    assert again.keys() == state.keys() and all(torch.equal(again[key], state[key]) for key in state)
    with safe_open(back, "pt") as file:
        header = file.metadata()
    assert header["ss_learning_rate"] == "1e-4" and header["ss_network_alpha"] == "Dynamic"
    assert "lora_adapter_metadata" not in header and header["sshs_model_hash"] != "old"


def test_the_released_model_names_the_layers_of_a_file_that_tells_its_family(cli, tmp_path):
    source, target = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_file(kohya(320), source, {"ss_base_model_version": "sd_v1"})
    cli("convert", source, target, "--to", "hcp", "--part", "denoiser", "--dtype", "bf16")
    written = load_file(target)
    assert {key: value.dtype for key, value in written.items()} == {
        f"lora:{LAYER}.___.alpha": torch.float32,
        f"lora:{LAYER}.___.layer.W_down": torch.bfloat16,
        f"lora:{LAYER}.___.layer.W_up": torch.bfloat16,
    }
    assert written[f"lora:{LAYER}.___.alpha"] == 0.5


@pytest.mark.parametrize(
    ("state", "arguments", "code", "text"),
    [
        (kohya(640), (), "E_FAMILY", "--family"),
        (kohya(320), ("--family", "sd99"), "E_FAMILY", "sd99"),
        (kohya(64), ("--family", "sd15"), "E_LORA_SHAPE", LAYER),
        (kohya(320, odd=torch.zeros(1)), ("--family", "sd15"), "E_LORA_KEYS", "odd"),
        ({"odd": torch.zeros(1)}, ("--family", "sd15"), "E_LORA_KEYS", "odd"),
        (kohya(320), ("--family", "sd15", "--to", "hcp"), "E_ADAPTER", "one component"),
        (
            {f"lora_unet_{LAYER.replace('.', '_')}.diff": torch.zeros(320, 320)},
            ("--family", "sd15"),
            "E_ADAPTER",
            "no full weights",
        ),
    ],
)
def test_what_does_not_fit_is_an_error_and_writes_nothing(cli, tmp_path, state, arguments, code, text):
    source, target = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_file(state, source)
    told = cli("convert", source, target, "--to", "peft", *arguments, "--json", code=2).stdout
    (problem,) = json.loads(told)["problems"]
    assert problem["code"] == code and text.removeprefix("--") in problem["message"] + str(problem["hint"])
    assert list(tmp_path.glob("*.safetensors")) == [source]


def test_unknown_keys_may_be_left_out(cli, tmp_path):
    source, target = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_file(kohya(320, odd=torch.zeros(1)), source)
    told = cli("convert", source, target, "--to", "kohya", "--family", "sd15", "--unknown", "ignore", "--json").stdout
    assert "odd" in json.loads(told)["notes"][0]
    assert load_file(target).keys() == kohya(320).keys()


def test_paths_are_checked_first(cli, tmp_path):
    source = tmp_path / "a.safetensors"
    save_file(kohya(320), source)
    call = ("--to", "peft", "--family", "sd15")
    assert (
        "E_NOT_FOUND" in cli("convert", tmp_path / "none.safetensors", tmp_path / "b.safetensors", *call, code=2).stderr
    )
    assert "already there" in cli("convert", source, source, *call, code=2).stderr
    assert "does not end in" in cli("convert", source, tmp_path / "b.pt", *call, code=2).stderr
    assert "no folder" in cli("convert", source, tmp_path / "x/b.safetensors", *call, code=2).stderr
    told = cli("convert", source, tmp_path / f"{250 * 'b'}.safetensors", *call, code=1).stderr
    assert "name too long" in told and "Traceback" not in told and list(tmp_path.iterdir()) == [source]
    (tmp_path / "text.safetensors").write_text("hello")
    assert "E_FILE" in cli("convert", tmp_path / "text.safetensors", tmp_path / "b.safetensors", *call, code=2).stderr


def flux():
    """A LoRA as kohya's scripts train it on FLUX.1, without what its header says."""
    sizes = {
        "lora_unet_double_blocks_0_img_attn_qkv": (3072, 9216),
        "lora_unet_single_blocks_3_linear1": (3072, 21504),
        "lora_te1_text_model_encoder_layers_0_self_attn_q_proj": (768, 768),
        "lora_te3_encoder_block_0_layer_0_SelfAttention_q": (4096, 4096),
    }
    return {
        f"{stem}.{suffix}": value
        for seed, (stem, (wide, out)) in enumerate(sizes.items())
        for suffix, value in {
            "lora_down.weight": random(2, wide, seed=seed),
            "lora_up.weight": random(out, 2, seed=seed + 9),
            "alpha": torch.tensor(1.5),
        }.items()
    }


def test_a_transformer_is_known_by_its_layers_and_comes_back(cli, tmp_path):
    source, comfy, back = (tmp_path / f"{name}.safetensors" for name in ("kohya", "comfy", "back"))
    state = flux()
    save_file(state, source)
    told = json.loads(cli("convert", source, comfy, "--to", "comfy", "--json").stdout)
    assert told["family"] == "flux" and told["layers"] == {"denoiser": 7, "text_encoder": 2}
    written = load_file(comfy)
    assert torch.equal(
        written["diffusion_model.single_blocks.3.linear1.lora_B.weight"],
        state["lora_unet_single_blocks_3_linear1.lora_up.weight"],
    )
    assert "text_encoders.t5xxl.transformer.encoder.block.0.layer.0.SelfAttention.q.alpha" in written
    cli("convert", comfy, back, "--to", "kohya")
    again = load_file(back)
    assert again.keys() == state.keys() and all(torch.equal(again[key], state[key]) for key in state)
    with safe_open(back, "pt") as file:
        header = file.metadata()
    assert header["ss_base_model_version"] == "flux1" and header["modelspec.architecture"] == "flux-1-dev/lora"
