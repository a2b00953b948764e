"""T5 in the GGUF files of llama.cpp, as ComfyUI's users have it."""

from __future__ import annotations

from pathlib import Path

import gguf
import torch
from hcpgraph_nodes.families.dit.t5 import GGUF
from hcpgraph_nodes.families.text_probe import probe_text_encoder
from hcpgraph_nodes.text_encoder.load import load_text_encoder
from safetensors.torch import load_file, save_file

from hcpgraph.testing import context

from . import files
from .harness import Case, made, opened

CASE = Case("sd3")


def test_t5_is_read_under_its_names_there(tmp_path: Path) -> None:
    folder, models = made(tmp_path, CASE), tmp_path / "models"
    state = load_file(folder / "text_encoder_3/model.safetensors")
    writer = gguf.GGUFWriter(models / "t5.gguf", "t5encoder")
    for name, value in state.items():
        stem, _, parameter = name.rpartition(".")
        found = [(theirs, own) for theirs, own in GGUF.items() if own.replace("*", "0") == stem]
        assert len(found) == 1, name
        writer.add_tensor(f"{found[0][0].replace('*', '0')}.{parameter}", value.to(torch.float32).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    for part in ("text_encoder", "text_encoder_2"):
        save_file(load_file(folder / part / "model.safetensors"), models / f"{part}.safetensors")
    places = [models / "text_encoder.safetensors", models / "text_encoder_2.safetensors", models / "t5.gguf"]
    assert probe_text_encoder(places) == "sd3"
    paths = dict(zip(("path", "path_2", "path_3"), (f"models:{place.name}" for place in places), strict=True))
    files.equal(load_text_encoder(context(tmp_path), **paths, config="models:sd3"), opened(tmp_path, CASE).text_encoder)
