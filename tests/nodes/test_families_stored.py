"""Models whose files hold weights in 8-bit floats or as GGUF: the same model, within the step of the type."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from hcpgraph_nodes.denoiser.load import load_denoiser
from hcpgraph_nodes.editor import model_outline
from hcpgraph_nodes.families.part_probe import probe_denoiser
from hcpgraph_nodes.families.probe import probe_family
from hcpgraph_nodes.families.text_probe import probe_text_encoder
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.rules import PROBERS
from hcpgraph_nodes.text_encoder.load import load_text_encoder
from hcpgraph_nodes.vae.load import load_vae
from safetensors.torch import load_file, save_file
from torch import Tensor

from hcpgraph import GraphError
from hcpgraph.testing import context

FAMILIES = ("sd15", "sd2", "sdxl")
UNET = "model.diffusion_model."
E4M3 = torch.float8_e4m3fn


def to_gguf(path: Path, state: dict[str, Tensor], metadata: dict[str, str], kind: Kind) -> dict[str, Tensor]:
    """Write a file as ComfyUI-GGUF's convert.py does, matrices in a type where it fits; what was written, as numbers."""
    writer = gguf.GGUFWriter(path, "sd1")
    for name, text in metadata.items():
        writer.add_string(name, text)
    written = {}
    for name, value in state.items():
        if not value.is_floating_point():
            writer.add_tensor(name, value.numpy())
            written[name] = value
            continue
        rows = value.float()
        if value.ndim > 1 and value.numel() % 256 == 0 and value.shape[-1] % 256:
            writer.add_array(f"comfy.gguf.orig_shape.{name}", list(value.shape))
            rows = rows.reshape(-1, 256)
        used = kind if value.ndim > 1 and rows.shape[-1] % 32 == 0 else Kind.F32
        stored = gguf.quants.quantize(np.ascontiguousarray(rows.numpy()), used)
        writer.add_tensor(name, stored, raw_dtype=used)
        written[name] = torch.from_numpy(np.array(gguf.quants.dequantize(stored, used))).reshape(value.shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return written


def to_float8(path: Path, state: dict[str, Tensor], metadata: dict[str, str], scale: str) -> dict[str, Tensor]:
    """Write a file whose matrices are 8-bit floats with scales; what was written, as numbers."""
    stored, written = {}, {}
    for name, value in state.items():
        stored[name] = written[name] = value
        if value.ndim > 1 and value.is_floating_point() and name.endswith(".weight"):
            factor = value.abs().max() / 448
            stored[name] = (value / factor).to(E4M3)
            stored[name.removesuffix("weight") + scale] = factor
            written[name] = stored[name].float() * factor
    save_file(stored, path, metadata)
    return written


FORMS: dict[str, Callable[[Path, dict[str, Tensor], dict[str, str]], dict[str, Tensor]]] = {
    "f32.gguf": lambda *place: to_gguf(*place, Kind.F32),
    "q8_0.gguf": lambda *place: to_gguf(*place, Kind.Q8_0),
    "q4_0.gguf": lambda *place: to_gguf(*place, Kind.Q4_0),
    "scale_weight.safetensors": lambda *place: to_float8(*place, "scale_weight"),
    "weight_scale.safetensors": lambda *place: to_float8(*place, "weight_scale"),
}


@pytest.fixture(scope="module")
def root(family_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every family as a file of each form, and beside it as a plain file with the numbers that the form stands for."""
    root = tmp_path_factory.mktemp("stored")
    models = root / "models"
    shutil.copytree(family_files / "models", models)
    for name in FAMILIES:
        from safetensors import safe_open

        whole = models / f"{name}.safetensors"
        state = load_file(whole)
        with safe_open(whole, "pt") as file:
            metadata = file.metadata()
        for form, write in FORMS.items() if name == "sd15" else ((form, FORMS[form]) for form in FEW):
            written = write(models / f"{name}.{form}", state, metadata)
            save_file(
                {key: value.contiguous() for key, value in written.items()},
                models / f"{name}.{form}.safetensors",
                metadata,
            )
    return root


def weights_of(*handles: object) -> dict[str, Tensor]:
    return {f"{at}.{k}": v for at, handle in enumerate(handles) for k, v in handle.root.module.state_dict().items()}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


FEW = ("q8_0.gguf", "scale_weight.safetensors")


@pytest.mark.parametrize(
    ("name", "form"), [*(("sd15", form) for form in FORMS), *((name, form) for name in FAMILIES[1:] for form in FEW)]
)
def test_a_model_is_the_one_that_the_stored_numbers_are(root: Path, name: str, form: str) -> None:
    ctx = context(root)
    uri = f"models:{name}.{form}"
    assert probe_family(ctx.path(uri)) == probe_denoiser(ctx.path(uri)) == probe_text_encoder([ctx.path(uri)]) == name
    found, plain = load_model(ctx, path=uri), load_model(ctx, path=f"{uri}.safetensors")
    assert found.schedule.config == plain.schedule.config
    ours = weights_of(*found[:3])
    assert equal(ours, weights_of(*plain[:3]))
    source = weights_of(*load_model(ctx, path=f"models:{name}.safetensors")[:3])
    assert equal(ours, source) == (form == "f32.gguf"), "the other forms do store in fewer bits"
    apart = max(
        float((value - source[key]).abs().max() / source[key].abs().max()) for key, value in ours.items() if value.any()
    )
    assert apart <= {"f32.gguf": 0, "q8_0.gguf": 0.005, "q4_0.gguf": 0.14}.get(form, 0.04)


@pytest.mark.parametrize("form", FEW)
def test_parts_alone(root: Path, form: str) -> None:
    ctx = context(root)
    uri = f"models:sdxl.{form}"
    whole = load_model(ctx, path=uri)
    assert equal(weights_of(load_denoiser(ctx, path=uri).denoiser), weights_of(whole.denoiser))
    assert equal(weights_of(load_text_encoder(ctx, path=uri)), weights_of(whole.text_encoder))
    assert equal(weights_of(load_vae(ctx, path=uri, family="sdxl")), weights_of(whole.vae))
    bare = ctx.path("models:") / f"bare.{form}"
    state = load_file(ctx.path(f"{uri}.safetensors"))
    FORMS[form](bare, {key.removeprefix(UNET): value for key, value in state.items() if key.startswith(UNET)}, {})
    assert probe_denoiser(bare) == "sdxl"
    given = load_denoiser(ctx, path=f"models:bare.{form}", config="models:sdxl").denoiser
    assert weights_of(given).keys() == weights_of(whole.denoiser).keys()


def test_a_folder_of_diffusers_in_8_bit_floats(root: Path, tmp_path: Path) -> None:
    ctx = context(tmp_path)
    shutil.copytree(root / "models" / "sd15", tmp_path / "models" / "sd15")
    file = tmp_path / "models/sd15/unet/diffusion_pytorch_model.safetensors"
    state = {name: value.to(E4M3) if value.ndim > 1 else value for name, value in load_file(file).items()}
    save_file(state, file)
    found = load_model(ctx, path="models:sd15").denoiser.root.module.state_dict()
    assert all(torch.equal(found[name], value.float()) for name, value in state.items())


def test_half_precision_is_rounded_once(root: Path) -> None:
    for form in ("q4_0.gguf", "scale_weight.safetensors"):
        whole = load_model(context(root), path=f"models:sd15.{form}")
        half = load_model(context(root, precision="bf16"), path=f"models:sd15.{form}")
        rounded = {name: value.bfloat16() for name, value in weights_of(whole.denoiser).items()}
        assert equal(weights_of(half.denoiser), rounded)


@pytest.mark.parametrize("form", FEW)
def test_layers_are_listed_without_reading_numbers(root: Path, form: str) -> None:
    from hcpgraph.paths import Roots

    places = Roots(root)
    for part in ("denoiser", "text_encoder", "vae"):
        told = model_outline(f"models:sdxl.{form}", places, part)
        assert told == model_outline("models:sdxl.safetensors", places, part)


def test_what_a_file_says_of_its_process(root: Path, tmp_path: Path) -> None:
    """The marks of files of SDXL models with v-prediction, without a header of ours."""
    state = {**load_file(root / "models" / "sdxl.safetensors"), "v_pred": torch.zeros(1), "ztsnr": torch.zeros(1)}
    to_gguf(tmp_path / "a.gguf", state, {}, Kind.Q8_0)
    facts = {name: PROBERS[f"{name} of the files"] for name in ("predicts", "zero_snr", "process")}
    found = {name: fact({"path": "a"}, lambda _: tmp_path / "a.gguf") for name, fact in facts.items()}
    assert found == {"predicts": "v_prediction", "zero_snr": True, "process": "vp"}


def test_no_family_is_told_of_what_is_damaged_or_not_read(root: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    ctx = context(tmp_path)
    whole = (root / "models" / "sd15.q8_0.gguf").read_bytes()
    (tmp_path / "models/cut.gguf").write_bytes(whole[: len(whole) // 50])
    (tmp_path / "models/no.gguf").write_bytes(b"nonsense")
    nf4 = {"a.weight": torch.zeros(8, 1, dtype=torch.uint8), "a.weight.absmax": torch.ones(1)}
    save_file(nf4, tmp_path / "models/nf4.safetensors")
    for load in (load_model, load_denoiser):
        with pytest.raises(GraphError, match=r"E_QUANTISED.*4-bit weights of bitsandbytes, such as a"):
            load(ctx, path="models:nf4.safetensors")
    for name in ("cut", "no"):
        assert probe_family(ctx.path(f"models:{name}.gguf")) is None
        with pytest.raises(GraphError, match=r"E_FILE.*damaged or no gguf file"):
            load_model(ctx, path=f"models:{name}.gguf")
        with pytest.raises(GraphError, match="E_FILE"):
            load_model(ctx, path=f"models:{name}.gguf", family="sd15")
        with pytest.raises(GraphError, match="E_FILE"):
            load_vae(ctx, path=f"models:{name}.gguf")


def test_the_extra_is_asked_for_when_a_file_is_opened(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in [name for name in sys.modules if name.partition(".")[0] == "gguf"]:
        monkeypatch.setitem(sys.modules, name, None)
    ctx = context(root)
    for load in (load_model, load_denoiser, load_text_encoder, load_vae):
        with pytest.raises(GraphError, match=r"E_PACKAGE(.|\n)*hcpgraph\[gguf\]"):
            load(ctx, path="models:sd15.q8_0.gguf")
    assert load_model(ctx, path="models:sd15.f32.gguf").denoiser.root.module is not None, "it is not needed for floats"
