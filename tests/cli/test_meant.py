"""A typo in the name of a file, a template, an input or a model: what was meant is said; names in the workspace work."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from hcpgraph.document.missing import no_file
from hcpgraph.document.shipped import folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lora.json").write_text((folder() / "train/lora.json").read_text("utf-8"), "utf-8")
    for name in ("models", "data", "out/quickstart"):
        (tmp_path / "workspace" / name).mkdir(parents=True)
    (tmp_path / "workspace/models/sd15.safetensors").touch()
    (tmp_path / "workspace/out/quickstart/cats.safetensors").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("call", "code", "hint"),
    [
        (["lora.jsn"], "E_FILE", "did you mean 'lora.json'?"),
        (["lora"], "E_FILE", "did you mean 'lora.json'?"),
        (["train/lora"], "E_FILE", "did you mean the template 'train/lora'? hcpgraph new train/lora copies it here"),
        (["tain/lora.json"], "E_FILE", "did you mean the template 'train/lora'?"),
        (["generate"], "E_FILE", "did you mean the template 'quickstart/generate'?"),
        (["lora.json", "--set", "picture=data:cats"], "E_SETTING_UNKNOWN", "did you mean 'pictures'?"),
        (["lora.json", "--set", "train=5"], "E_SETTING_UNKNOWN", "a setting of that node is written train.SETTING"),
        (["lora.json", "--set", "model=models:sd"], "E_NOT_FOUND", "did you mean 'models:sd15.safetensors'?"),
        (
            ["lora.json", "--set", "pictures=data:cats"],
            "E_NOT_FOUND",
            "put the folder of your pictures, or a link to it",
        ),
    ],
)
def test_what_was_meant_is_said(cli, here, call, code, hint):
    problems = json.loads(cli("run", *call, "--json", code=2).stdout)["problems"]
    assert any(each["code"] == code and each.get("hint", "").startswith(hint) for each in problems), problems


def test_a_template_of_a_checkout_is_named_by_its_path(monkeypatch):
    monkeypatch.chdir(folder().parent)
    assert "did you mean the template 'graphs/train/lora.json'?" in str(no_file("train/lora"))


def test_two_templates_of_that_name(here):
    assert "the templates sample/dreamartist_plus and train/dreamartist_plus?" in str(no_file("dreamartist_plus"))


@pytest.mark.parametrize("way", ["out:{}", "workspace/out/{}"])
def test_commands_take_names_in_the_workspace(cli, here, way):
    """A file means the same by its path and by its name, wherever a command takes one."""
    file = way.format("g.json")
    cli("new", "quickstart/generate", file)
    for command in (["validate"], ["inspect"], ["fmt", "--check"], ["run", "--dry-run"], ["diff", file]):
        cli(*command, file)
    assert "did you mean" in cli("inspect", way.format("h.json"), code=2).stderr


def test_convert_reads_and_writes_names_in_the_workspace(cli, here):
    stem = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    state = {f"{stem}.lora_A.weight": torch.ones(2, 320), f"{stem}.lora_B.weight": torch.ones(320, 2)}
    save_file(state, here / "workspace/out/style.safetensors")
    cli("convert", "out:style.safetensors", "out:kohya.safetensors", "--to", "kohya", "--family", "sd15")
    assert (here / "workspace/out/kohya.safetensors").is_file()
    missing = cli("convert", "out:stle.safetensors", "out:x.safetensors", "--to", "kohya", code=2).stderr
    assert "did you mean" in missing and "style.safetensors" in missing
    away = cli("convert", "out:../../a.safetensors", "out:x.safetensors", "--to", "hcp", code=2).stderr
    assert "leaves its root" in away


def test_a_root_of_the_call_counts(cli, here):
    (here / "elsewhere").mkdir()
    cli("new", "quickstart/train_lora", "elsewhere/g.json")
    cli("run", "mine:g.json", "--root", "mine=elsewhere", "--dry-run")
    assert "there is no file" in cli("run", "mine:g.json", "--dry-run", code=2).stderr
