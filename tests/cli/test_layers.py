"""`hcpgraph layers`: which layers of a model selectors match."""

import json
import shutil

import pytest
import torch
from safetensors.torch import save_file

from hcpgraph.paths import BUILTIN

EMOJI = BUILTIN / "emoji"
QUERY = r"re:.*attn1\.to_q$"


@pytest.fixture(scope="module")
def unet():
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel.from_pretrained(EMOJI / "unet", local_files_only=True)


def test_matched_layers_have_class_and_shape(cli, unet):
    told = json.loads(cli("layers", EMOJI, QUERY, "pre_hook:conv_in", "--json").stdout)
    expected = [name for name, _ in unet.named_modules() if name.endswith("attn1.to_q")]
    assert [row["name"] for row in told["layers"]] == [*expected, "conv_in"]
    assert [row["input"] for row in told["layers"]] == [False] * len(expected) + [True]
    assert told["total"] == len(list(unet.named_modules())) and told["matched"] == len(expected) + 1
    for row in told["layers"]:
        layer = unet.get_submodule(row["name"])
        assert row["class"] == type(layer).__name__
        assert row["shapes"] == {name: list(p.shape) for name, p in layer.named_parameters(recurse=False)}


def test_lines_for_people(cli, unet):
    shown = cli("layers", "builtin:emoji", QUERY, "cls:GroupNorm:re:conv_norm_out")
    lines = shown.stdout.splitlines()
    first = unet.get_submodule(lines[0].split()[0])
    height, width = first.weight.shape
    assert lines[0].split()[1:] == ["Linear", "weight", f"{height}×{width}"]
    assert lines[-1].split()[:2] == ["conv_norm_out", "GroupNorm"]
    assert f"{len(lines)} of {len(list(unet.named_modules()))} layers" in shown.stderr


def test_without_a_selector_all_layers_of_a_part(cli):
    told = json.loads(cli("layers", EMOJI, "--part", "text_encoder", "--json").stdout)
    assert told["matched"] == told["total"]
    assert any(row["name"] == "text_model.encoder.layers.0.self_attn.q_proj" for row in told["layers"])


def test_nothing_matched_is_an_error_with_near_misses(cli):
    told = json.loads(cli("layers", EMOJI, "conv_inn", "re:.*attn9$", QUERY, "re:(", "--json", code=2).stdout)
    assert [problem["code"] for problem in told["problems"]] == ["E_NO_LAYER", "E_NO_LAYER", "E_SELECTOR"]
    assert "conv_in" in told["problems"][0]["hint"]
    assert "near misses: conv_in," in cli("layers", EMOJI, "conv_inn", code=2).stderr


def test_what_is_no_model_is_an_error(cli, tmp_path):
    shutil.copytree(EMOJI / "scheduler", tmp_path / "odd")
    assert "E_FAMILY" in cli("layers", tmp_path / "odd", code=2).stderr
    assert "E_NOT_FOUND" in cli("layers", "models:nowhere", "--workspace", tmp_path, code=2).stderr
    assert "E_PATH" in cli("layers", tmp_path / "nowhere", code=2).stderr
    assert [path.name for path in tmp_path.iterdir()] == ["odd"], "asking writes nothing"
    (tmp_path / "page.safetensors").write_text("<!DOCTYPE html><title>404</title>")
    (tmp_path / "empty.safetensors").touch()
    for name in ("page", "empty"):
        told = cli("layers", tmp_path / f"{name}.safetensors", code=2).stderr
        assert "E_FILE" in told and "download" in told
    save_file({"lora_unet_conv_in.alpha": torch.ones(1)}, tmp_path / "lora.safetensors")
    assert "it holds a LoRA" in cli("layers", tmp_path / "lora.safetensors", code=2).stderr


def test_groups_are_counted_and_selected(cli, unet):
    told = json.loads(cli("layers", EMOJI, "@self_attention", "--json").stdout)
    expected = [name for name, _ in unet.named_modules() if ".attn1.to_" in name and not name.endswith("to_out")]
    assert [row["name"] for row in told["layers"]] == [name for name in expected if not name.endswith("to_out.1")]
    assert told["groups"]["@self_attention"] == told["matched"] and told["groups"]["@all"] < told["total"]
    assert f"@self_attention {told['matched']}, @text_key_value " in cli("layers", EMOJI, "conv_in").stderr
    assert "@attention" in cli("layers", EMOJI, "--part", "vae", "@cross_attention", code=2).stderr
    assert "speaks of a vae" in cli("layers", EMOJI, "vae:conv_in", "--part", "denoiser", code=2).stderr
    told = json.loads(cli("layers", EMOJI, "vae:encoder.conv_in", "vae:@norm", "--json").stdout)
    assert told["part"] == "vae" and told["layers"][0]["name"] == "encoder.conv_in" and told["matched"] > 1
    assert "text_encoder" in cli("layers", EMOJI, "@mlp", "text_encoder:@mlp", code=2).stderr


def test_names_are_those_that_the_editor_finds(cli, tmp_path):
    from hcpgraph_nodes.editor import layers, model_outline

    from hcpgraph.paths import Roots

    known = model_outline("builtin:emoji", Roots(tmp_path), "denoiser")
    told = json.loads(cli("layers", EMOJI, QUERY, "--json").stdout)
    names = [row["name"] for row in told["layers"]]
    assert (
        layers([known], [QUERY], "plugin.lora")["names"] == layers([known], [QUERY], "plugin.custom")["names"] == names
    )
    below = layers([known], ["mid_block"], "plugin.lora"), layers([known], ["pre_hook:mid_block"], "plugin.custom")
    assert below[0]["matched"] > 1 and below[1]["names"] == ["pre_hook:mid_block"]
