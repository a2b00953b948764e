"""Adapters that LyCORIS, PEFT and diffusers made and saved give here what they give there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.plugins.load import load_plugin
from hcpgraph_nodes.plugins.save import save_plugin
from hcpgraph_nodes.text.encode import encode_text
from safetensors.torch import load_file, save_file

from hcpgraph.testing import context

from .adapter_models import NOISY, PROMPT, TEXT, TEXT_LAYERS, TIME, attached, random

pytestmark = pytest.mark.slow

LYCORIS = {
    "locon": {"algo": "lora"},
    "Tucker": {"algo": "lora", "use_tucker": True},
    "dora": {"algo": "lora", "dora_wd": True},
    "dora on the input": {"algo": "lora", "dora_wd": True, "wd_on_output": False},
    "rslora": {"algo": "lora", "rs_lora": True},
    "loha": {"algo": "loha"},
    "loha, Tucker": {"algo": "loha", "use_tucker": True},
    "loha, dora": {"algo": "loha", "dora_wd": True},
    "lokr": {"algo": "lokr", "factor": 2},
    "lokr, both": {"algo": "lokr", "factor": 8, "decompose_both": True},
    "lokr, whole": {"algo": "lokr", "full_matrix": True},
    "lokr, Tucker": {"algo": "lokr", "factor": 2, "use_tucker": True},
    "full": {"algo": "full"},
}


@pytest.fixture
def model(workspace: Path):
    (workspace / "data").mkdir()
    return load_model(context(workspace), path="models:tiny")


@pytest.fixture
def pipe(workspace: Path):
    from diffusers import StableDiffusionPipeline

    return StableDiffusionPipeline.from_pretrained(workspace / "models/tiny", local_files_only=True)


def draw(module, mark: str) -> None:
    with torch.no_grad():
        for index, (name, parameter) in enumerate(module.named_parameters()):
            if mark in name:
                change = 0.2 * random(*parameter.shape, seed=index)
                parameter.copy_(parameter * (1 + change) if "dora_scale" in name or "magnitude" in name else change)


def outputs(unet) -> torch.Tensor:
    with torch.no_grad():
        return unet(NOISY.data, TIME.data, TEXT.data).sample


@pytest.mark.parametrize(
    ("kind", "prefix"), [*((kind, "lora_unet") for kind in LYCORIS), ("locon", "lycoris"), ("lokr", "lycoris")]
)
def test_lycoris(workspace: Path, model, pipe, kind: str, prefix: str) -> None:
    lycoris = pytest.importorskip("lycoris")
    network = lycoris.wrapper.LycorisNetwork
    network.apply_preset({"target_module": ["Transformer2DModel", "ResnetBlock2D"], "lora_prefix": prefix})
    made = lycoris.create_lycoris(
        pipe.unet, 1.0, linear_dim=2, linear_alpha=1.5, conv_dim=3, conv_alpha=1, **LYCORIS[kind]
    )
    made.apply_to()
    plain = outputs(pipe.unet)
    with torch.no_grad():
        for index, parameter in enumerate(made.parameters()):
            parameter.add_(0.2 * random(*parameter.shape, seed=index))
    wanted = outputs(pipe.unet.eval())
    state = {key: value.detach().clone().contiguous() for key, value in made.state_dict().items()}
    save_file(state, workspace / "data/l.safetensors")
    found = load_plugin(context(workspace), model.denoiser, path="data:l.safetensors")
    given = predict(found.model, NOISY, TIME, TEXT).data
    assert (wanted - plain).abs().max() > 1e-2
    assert (given - wanted).abs().max() <= 2e-5 * wanted.abs().max()
    if prefix == "lora_unet":
        save_plugin(context(workspace), (found.adapter,), path="out:l.safetensors", dtype="fp32")
        again = load_file(workspace / "out/l.safetensors")
        assert again.keys() == state.keys() and all(torch.equal(again[key], state[key]) for key in again)


PEFT = {
    "patterns": {"rank_pattern": {"to_q": 2}, "alpha_pattern": {"conv1": 2, "ff.net.2": 5}},
    "rslora": {"use_rslora": True, "rank_pattern": {"to_q": 2}},
    "dora": {"use_dora": True},
    "bias": {"lora_bias": True},
}


@pytest.mark.parametrize("folder", [True, False])
@pytest.mark.parametrize("options", PEFT.values(), ids=PEFT)
def test_peft_and_diffusers(workspace: Path, model, pipe, options, folder: bool) -> None:
    """A folder that PEFT saved, and a file of diffusers' save_lora_weights with its metadata."""
    from diffusers.training_utils import _collate_lora_metadata
    from peft import LoraConfig, get_peft_model
    from peft.utils import get_peft_model_state_dict

    targets = ["to_q", "to_out.0", "conv1", "proj_in", "ff.net.2", "time_emb_proj"]
    config = LoraConfig(r=3, lora_alpha=7, target_modules=targets, **options)
    plain = outputs(pipe.unet)
    if folder:
        module = get_peft_model(pipe.unet, config)
        draw(module, ".lora_")
        module.save_pretrained(workspace / "data/peft")
    else:
        module = pipe.unet
        module.add_adapter(config)
        draw(module, ".lora_")
        layers, metadata = get_peft_model_state_dict(module), _collate_lora_metadata({"unet": module})
        pipe.save_lora_weights(workspace / "data/peft", unet_lora_layers=layers, **metadata)
    wanted = outputs(module.eval())
    path = "data:peft" if folder else "data:peft/pytorch_lora_weights.safetensors"
    found = load_plugin(context(workspace), model.denoiser, path=path)
    assert (wanted - plain).abs().max() > 1e-2
    assert (predict(found.model, NOISY, TIME, TEXT).data - wanted).abs().max() <= 2e-5 * wanted.abs().max()


def test_text_encoder_of_diffusers(workspace: Path, model, pipe) -> None:
    """transformers has no `text_model.` in its modules' names any more, and diffusers saves them as they are."""
    from diffusers.training_utils import _collate_lora_metadata
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    pipe.text_encoder.add_adapter(LoraConfig(r=2, lora_alpha=5, target_modules=["q_proj", "fc1"], use_dora=True))
    draw(pipe.text_encoder, ".lora_")
    layers = get_peft_model_state_dict(pipe.text_encoder, adapter_name="default")
    metadata = _collate_lora_metadata({"text_encoder": pipe.text_encoder})
    pipe.save_lora_weights(workspace / "data", text_encoder_lora_layers=layers, **metadata)
    with torch.no_grad():
        wanted = pipe.encode_prompt(list(PROMPT.texts), "cpu", 1, False)[0]
    found = load_plugin(context(workspace), model.text_encoder, path="data:pytorch_lora_weights.safetensors")
    assert all(path.startswith("text_model.encoder.layers.") for path in found.adapter.plugin.blocks)
    assert (encode_text(found.model, PROMPT).data - wanted).abs().max() <= 1e-5
    assert (encode_text(model.text_encoder, PROMPT).data - wanted).abs().max() > 1e-2


def test_keys_are_those_of_files_whatever_transformers_calls_its_modules(workspace: Path, model) -> None:
    """Names of modules of transformers ≥ 5.6 in files are dropped by ComfyUI and A1111."""
    text = attached(model.text_encoder, TEXT_LAYERS).adapter
    for layout, start in (
        ("kohya", "lora_te_text_model_"),
        ("peft", "text_encoder.text_model."),
        ("hcp", "lora:text_model."),
    ):
        saved = save_plugin(context(workspace), (text,), path=f"out:{layout}.safetensors", layout=layout)
        assert all(key.startswith(start) for key in load_file(workspace / "out" / saved.uri.removeprefix("out:")))


def test_alpha_is_written_as_it_is(workspace: Path, model, pipe) -> None:
    """diffusers' own conversion to kohya's layout writes alpha = rank, which doubles a LoRA of alpha = rank / 2."""
    from diffusers.utils import convert_state_dict_to_kohya
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    pipe.unet.add_adapter(LoraConfig(r=4, lora_alpha=2, target_modules=["to_q", "to_v"]))
    draw(pipe.unet, ".lora_")
    theirs = convert_state_dict_to_kohya({f"unet.{k}": v for k, v in get_peft_model_state_dict(pipe.unet).items()})
    assert {float(value) for key, value in theirs.items() if key.endswith(".alpha")} == {4.0}
    state = {f"unet.{key}": value.contiguous() for key, value in get_peft_model_state_dict(pipe.unet).items()}
    metadata = {"lora_adapter_metadata": '{"unet.r": 4, "unet.lora_alpha": 2}'}
    save_file(state, workspace / "data/half.safetensors", metadata)
    found = load_plugin(context(workspace), model.denoiser, path="data:half.safetensors")
    save_plugin(context(workspace), (found.adapter,), path="out:half.safetensors", dtype="fp16")
    ours = load_file(workspace / "out/half.safetensors")
    assert {float(value) for key, value in ours.items() if key.endswith(".alpha")} == {2.0}


def test_the_mixed_files_of_old_example_scripts(workspace: Path, model, pipe) -> None:
    """`convert_state_dict_to_diffusers` before saving renames the attention's keys alone; diffusers then loses layers."""
    from diffusers.utils import convert_state_dict_to_diffusers
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    targets = ["to_q", "to_out.0", "conv1", "proj_in", "ff.net.2"]
    pipe.unet.add_adapter(LoraConfig(r=3, lora_alpha=3, target_modules=targets))
    draw(pipe.unet, ".lora_")
    wanted = outputs(pipe.unet.eval())
    mixed = convert_state_dict_to_diffusers(get_peft_model_state_dict(pipe.unet))
    pipe.save_lora_weights(workspace / "data", unet_lora_layers=mixed)
    endings = {key.rpartition(".lora")[2] for key in load_file(workspace / "data/pytorch_lora_weights.safetensors")}
    assert len(endings) > 2
    found = load_plugin(context(workspace), model.denoiser, path="data:pytorch_lora_weights.safetensors")
    assert (predict(found.model, NOISY, TIME, TEXT).data - wanted).abs().max() <= 2e-5 * wanted.abs().max()
