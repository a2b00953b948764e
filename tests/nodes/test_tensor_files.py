"""Weight files of all kinds: headers, numbers, and what is refused."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from hcpgraph_nodes.families.tensor_files import Header, header, read, reading_for
from hcpgraph_nodes.model.root import Placement, Root
from safetensors.torch import save_file

from hcpgraph import GraphError

E4M3, E5M2 = torch.float8_e4m3fn, torch.float8_e5m2


def everything(name: str) -> bool:
    return True


def weights(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def same(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal in type, sizes and every bit."""
    assert found.dtype == expected.dtype
    assert torch.equal(found, expected)


def refused(code: str, path: Path, wanted=everything) -> str:
    with pytest.raises(GraphError) as caught:
        read(path, wanted)
    assert caught.value.problem.code == code
    return str(caught.value)


# --- safetensors ---


def test_a_plain_file_is_given_as_it_is(tmp_path: Path) -> None:
    state = {
        "a.weight": weights(3, 4),
        "b.weight": weights(2, 2).half(),
        "c.bias": weights(5).bfloat16(),
        "position_ids": torch.arange(7)[None],
        "flag": torch.tensor([True, False]),
        "v_pred": torch.empty(0),
    }
    save_file(state, path := tmp_path / "a.safetensors", {"format": "pt"})
    assert header(path) == Header({"format": "pt"}, {name: tuple(value.shape) for name, value in state.items()})
    found = read(path, everything)
    assert found.keys() == state.keys()
    for name, value in state.items():
        same(found[name], value)
    assert read(path, lambda name: name.startswith("b.")).keys() == {"b.weight"}


@pytest.mark.parametrize("dtype", [E4M3, E5M2])
def test_bfloat16_holds_every_number_of_an_8_bit_float(tmp_path: Path, dtype: torch.dtype) -> None:
    every = torch.arange(256, dtype=torch.uint8).view(dtype)
    finite = every[every.float().isfinite()].contiguous()
    save_file({"a.weight": finite.reshape(-1, 2)}, path := tmp_path / "a.safetensors")
    found = read(path, everything)["a.weight"]
    same(found, finite.reshape(-1, 2).to(torch.bfloat16))
    assert torch.equal(found.double(), finite.reshape(-1, 2).double())


@pytest.mark.parametrize("name", ["scale_weight", "weight_scale"])
@pytest.mark.parametrize("shape", [(), (1,), (6,), (6, 1)])
def test_scales_are_multiplied_in(tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    true = weights(6, 8) * torch.logspace(-3, 3, 6)[:, None]
    rows = len(shape) > 0 and shape[0] == 6
    scale = (true.abs().amax(1) if rows else true.abs().max()).reshape(shape) / torch.finfo(E4M3).max
    stored = (true / (scale.reshape(-1, 1) if rows else scale)).to(E4M3)
    marks = {
        f"a.{name}": scale,
        "a.scale_input": torch.tensor(1.0),
        "a.input_scale": torch.tensor(1.0),
        "scaled_fp8": torch.empty(2, dtype=E4M3),
        "model.diffusion_model.scaled_fp8": torch.empty(0, dtype=E4M3),
        "a.comfy_quant": torch.tensor(list(json.dumps({"format": "float8_e4m3fn"}).encode()), dtype=torch.uint8),
    }
    save_file({"a.weight": stored, "a.bias": weights(6), **marks}, path := tmp_path / "a.safetensors")
    assert header(path).shapes == {"a.weight": (6, 8), "a.bias": (6,)}
    found = read(path, everything)
    assert found.keys() == {"a.weight", "a.bias"}
    same(found["a.weight"], stored.float() * (scale.reshape(-1, 1) if rows else scale))
    step = true.abs().amax(1, keepdim=True) / 16 if rows else true.abs().max() / 16
    assert ((found["a.weight"] - true).abs() <= step / 2).all(), "half the step between the largest numbers of e4m3"


def test_a_scale_for_each_output_channel_of_a_convolution(tmp_path: Path) -> None:
    stored, scale = weights(4, 3, 2, 2).to(E5M2), torch.rand(4, generator=torch.Generator().manual_seed(1)) + 0.5
    save_file({"a.weight": stored, "a.weight_scale": scale}, path := tmp_path / "a.safetensors")
    same(read(path, everything)["a.weight"], stored.float() * scale[:, None, None, None])


UNREAD = {
    "4-bit weights of bitsandbytes": {
        "a.weight": torch.zeros(16, 1, dtype=torch.uint8),
        "a.weight.absmax": torch.ones(1),
        "a.weight.quant_state.bitsandbytes__nf4": torch.zeros(3, dtype=torch.uint8),
    },
    "8-bit weights of bitsandbytes": {"a.weight": torch.zeros(4, 4, dtype=torch.int8), "a.SCB": torch.ones(4)},
    "packed integers": {"a.qweight": torch.zeros(4, 4, dtype=torch.int32), "a.qzeros": torch.zeros(4)},
    "integers (I8)": {"a.weight": torch.zeros(4, 4, dtype=torch.int8), "a.weight_scale": torch.ones(4)},
    "F8_E4M3 weights of [4, 4] with [2, 2] scales": {
        "a.weight": torch.zeros(4, 4).to(E4M3),
        "a.weight_scale": torch.ones(2, 2),
    },
    "more than one scale": {"a.weight": torch.zeros(4, 4).to(E4M3), "a.weight_scale_2": torch.ones(())},
    "a scale for each block": {"a.weight": torch.zeros(4, 4).to(E4M3), "a.weight_scale_inv": torch.ones(1, 1)},
    "F8_E8M0 numbers": {"a.weight": torch.ones(4, 4).to(torch.float8_e8m0fnu)},
    "the format mxfp8": {
        "a.weight": torch.zeros(4, 4).to(E4M3),
        "a.comfy_quant": torch.tensor(list(b'{"format": "mxfp8"}'), dtype=torch.uint8),
    },
}


@pytest.mark.parametrize("what", UNREAD)
def test_other_ways_of_storing_weights_in_fewer_bits_are_named_and_refused(tmp_path: Path, what: str) -> None:
    save_file({**UNREAD[what], "vae.weight": weights(2, 2)}, path := tmp_path / "a.safetensors")
    assert what in refused("E_QUANTISED", path, lambda name: name.startswith("a."))
    assert read(path, lambda name: name.startswith("vae.")).keys() == {"vae.weight"}, "what is not so stored is read"


# --- GGUF ---


def write(path: Path, tensors: dict[str, tuple[np.ndarray, Kind]], **entries: object) -> Path:
    """A file as gguf writes it; arrays are the stored bytes or numbers."""
    writer = gguf.GGUFWriter(path, "sd1")
    for name, value in entries.items():
        {str: writer.add_string, int: writer.add_uint32, float: writer.add_float32, bool: writer.add_bool}.get(
            type(value), writer.add_array
        )(name, value)
    for name, (stored, kind) in tensors.items():
        writer.add_tensor(name, stored, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def random_blocks(kind: Kind, rows: int, blocks: int) -> np.ndarray:
    """Stored rows of a type that gguf cannot write, any bits; its float16 scales are finite."""
    _, size = gguf.GGML_QUANT_SIZES[kind]
    made = np.random.default_rng(int(kind)).integers(0, 256, (rows, blocks, size), np.uint8)
    at = {Kind.Q4_K: (0, 2), Kind.Q5_K: (0, 2), Kind.Q2_K: (80, 82), Kind.Q3_K: (108,), Kind.Q6_K: (208,)}
    for place in at.get(kind, (0,)):
        made[:, :, place : place + 2] = np.array([0.0625 * kind], np.float16).view(np.uint8)
    return made.reshape(rows, -1)


WRITTEN = (Kind.Q8_0, Kind.Q4_0, Kind.Q4_1, Kind.Q5_0, Kind.Q5_1)
OTHERS = (Kind.Q2_K, Kind.Q3_K, Kind.Q4_K, Kind.Q5_K, Kind.Q6_K, Kind.IQ4_NL, Kind.IQ4_XS)


def test_floats_of_gguf_are_given_as_they_are(tmp_path: Path) -> None:
    true = weights(6, 64)
    half = gguf.quants.quantize(true.numpy(), Kind.BF16)
    path = write(
        tmp_path / "a.gguf",
        {
            "a.weight": (true.numpy(), Kind.F32),
            "b.weight": (true.numpy().astype(np.float16), Kind.F16),
            "c.weight": (half, Kind.BF16),
            "d.bias": (true[0].numpy(), Kind.F32),
            "e.weight": (weights(2, 3, 4, 5).numpy(), Kind.F32),
            "position_ids": (np.arange(7, dtype=np.int64), Kind.I64),
        },
    )
    shapes = {"a.weight": (6, 64), "b.weight": (6, 64), "c.weight": (6, 64), "d.bias": (64,), "e.weight": (2, 3, 4, 5)}
    assert header(path).shapes == {**shapes, "position_ids": (7,)}
    found = read(path, everything)
    same(found["a.weight"], true)
    same(found["b.weight"], true.half())
    same(found["c.weight"], true.bfloat16())
    same(found["d.bias"], true[0])
    same(found["e.weight"], weights(2, 3, 4, 5))
    same(found["position_ids"], torch.arange(7))
    assert read(path, "b.weight".__eq__).keys() == {"b.weight"}


@pytest.mark.parametrize("kind", WRITTEN, ids=lambda kind: kind.name)
def test_quantised_weights_are_those_of_gguf_and_near_the_true_ones(tmp_path: Path, kind: Kind) -> None:
    true = weights(5, 3, 96)
    stored = gguf.quants.quantize(true.numpy(), kind)
    found = read(write(tmp_path / "a.gguf", {"a.weight": (stored, kind)}), everything)["a.weight"]
    same(found, torch.from_numpy(gguf.quants.dequantize(stored, kind)))
    blocks, near = true.reshape(-1, 32), found.reshape(-1, 32)
    levels = {Kind.Q8_0: 254, Kind.Q4_0: 16, Kind.Q4_1: 15, Kind.Q5_0: 32, Kind.Q5_1: 31}[kind]
    ends = kind in (Kind.Q4_1, Kind.Q5_1)
    width = blocks.amax(1) - blocks.amin(1) if ends else 2 * blocks.abs().amax(1)
    step = (width / levels)[:, None] * 1.002
    assert ((near - blocks).abs() <= step).all(), "one step: the end of the side without the largest number is cut"
    assert (near - blocks).abs().mean() < step.mean() / 3


def test_the_formulas_of_q8_0_and_q4_0(tmp_path: Path) -> None:
    """ggml-common.h: block_q8_0 is a float16 and 32 int8, block_q4_0 a float16 and 16 bytes of two numbers each."""
    true = weights(4, 64).numpy()
    eight, four = gguf.quants.quantize(true, Kind.Q8_0), gguf.quants.quantize(true, Kind.Q4_0)
    found = read(write(tmp_path / "a.gguf", {"a": (eight, Kind.Q8_0), "b": (four, Kind.Q4_0)}), everything)
    blocks = eight.reshape(-1, 34)
    by_hand = blocks[:, :2].copy().view(np.float16).astype(np.float32) * blocks[:, 2:].view(np.int8)
    assert np.array_equal(found["a"].numpy(), by_hand.reshape(4, 64))
    blocks = four.reshape(-1, 18)
    low, high = blocks[:, 2:] & 15, blocks[:, 2:] >> 4
    numbers = np.concatenate([low, high], 1).astype(np.float32) - 8
    by_hand = blocks[:, :2].copy().view(np.float16).astype(np.float32) * numbers
    assert np.array_equal(found["b"].numpy(), by_hand.reshape(4, 64))


@pytest.mark.parametrize("kind", OTHERS, ids=lambda kind: kind.name)
def test_types_that_only_llama_cpp_writes_are_computed_as_gguf_does(tmp_path: Path, kind: Kind) -> None:
    stored = random_blocks(kind, rows=3, blocks=2)
    expected = gguf.quants.dequantize(stored, kind)
    assert np.isfinite(expected).all() and expected.std() > 0
    path = write(tmp_path / "a.gguf", {"a.weight": (stored, kind), "b.weight": (stored[:1], kind)})
    found = read(path, everything)
    same(found["a.weight"], torch.from_numpy(expected))
    same(found["b.weight"], torch.from_numpy(expected[:1]))


def test_many_blocks_are_computed_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hcpgraph_nodes.families import gguf_weights

    monkeypatch.setattr(gguf_weights, "STEP", 5 * 32)
    stored = gguf.quants.quantize(weights(7, 96).numpy(), Kind.Q5_1)
    found = read(write(tmp_path / "a.gguf", {"a.weight": (stored, Kind.Q5_1)}), everything)["a.weight"]
    same(found, torch.from_numpy(gguf.quants.dequantize(stored, Kind.Q5_1)))


def test_sizes_of_weights_that_comfyui_gguf_stored_in_rows_of_256(tmp_path: Path) -> None:
    true = weights(16, 8, 3, 4)
    rows = gguf.quants.quantize(true.reshape(-1, 256).numpy(), Kind.Q8_0)
    entry = {"comfy.gguf.orig_shape.a.weight": [16, 8, 3, 4]}
    path = write(tmp_path / "a.gguf", {"a.weight": (rows, Kind.Q8_0)}, **entry)
    assert header(path) == Header({"general.architecture": "sd1"}, {"a.weight": (16, 8, 3, 4)})
    found = read(path, everything)["a.weight"]
    same(found, torch.from_numpy(gguf.quants.dequantize(rows, Kind.Q8_0)).reshape(16, 8, 3, 4))
    assert (found - true).abs().max() < 0.03
    wrong = write(tmp_path / "b.gguf", {"a.weight": (rows, Kind.Q8_0)}, **{**entry, next(iter(entry)): [16, 8, 3, 5]})
    assert "contradict" in refused("E_FILE", wrong)


def test_entries_of_gguf_are_texts(tmp_path: Path) -> None:
    entries = {"a.name": "größe", "a.count": 32, "a.rate": 0.5, "a.on": True, "a.sizes": [2, 3], "a.words": ["x", "y"]}
    path = write(tmp_path / "a.gguf", {}, **entries)
    assert header(path).metadata == {
        "general.architecture": "sd1",
        "a.name": "größe",
        "a.count": "32",
        "a.rate": "0.5",
        "a.on": "true",
        "a.sizes": "[2, 3]",
    }


@pytest.mark.slow
def test_a_vocabulary_is_no_hindrance(tmp_path: Path) -> None:
    words = [f"word{index}" for index in range(150_000)]
    path = write(tmp_path / "a.gguf", {"a": (np.ones(4, np.float32), Kind.F32)}, words=words, kinds=[1] * len(words))
    begin = time.process_time()
    assert header(path).shapes == {"a": (4,)}
    assert time.process_time() - begin < 1, "the reader of gguf takes more than ten"


def test_types_that_gguf_does_not_compute_are_refused(tmp_path: Path) -> None:
    kinds = {kind.name: random_blocks(kind, 1, 1) for kind in (Kind.Q8_1, Kind.Q8_K)}
    stored = {name: (value, Kind[name]) for name, value in kinds.items()}
    path = write(tmp_path / "a.gguf", {**stored, "a.weight": (np.zeros((2, 2), np.int8), Kind.I8)})
    for name in kinds:
        assert f"{name} weights" in refused("E_QUANTISED", path, name.__eq__)
    assert "integers (int8)" in refused("E_QUANTISED", path, "a.weight".__eq__)
    data = bytearray(path.read_bytes())
    at = data.index(b"Q8_1") + 4 + 4 + 16
    assert data[at] == Kind.Q8_1
    data[at] = 99
    path.write_bytes(data)
    assert "does not know (number 99)" in refused("E_QUANTISED", path, "Q8_1".__eq__)


# --- what is damaged, foreign or missing ---


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Whole files of both kinds."""
    save_file({"a.weight": weights(4, 4), "b.weight": weights(2, 2).to(E4M3)}, tmp_path / "a.safetensors", {"x": "y"})
    stored = gguf.quants.quantize(weights(4, 64).numpy(), Kind.Q4_0)
    tensors = {"a.weight": (stored, Kind.Q4_0), "b.weight": (weights(4, 4).numpy(), Kind.F32)}
    write(tmp_path / "a.gguf", tensors, sizes=[1, 2], words=["x", "yz"], rate=0.5)
    return [tmp_path / "a.safetensors", tmp_path / "a.gguf"]


CODES = {".safetensors": "E_NO_SAFETENSORS", ".gguf": "E_FILE"}


def test_a_file_that_is_cut_off_is_an_error_at_every_length(files: list[Path]) -> None:
    for path in files:
        whole = path.read_bytes()
        for length in range(0, len(whole) - (32 if path.suffix == ".gguf" else 0), 3):
            path.write_bytes(whole[:length])
            refused(CODES[path.suffix], path)
        path.write_bytes(whole)
        assert len(read(path, everything)) == 2


def test_damaged_headers_are_errors_and_no_tracebacks(files: list[Path]) -> None:
    draw = random.Random(0)
    for path in files:
        whole = path.read_bytes()
        good = bad = 0
        for _ in range(400):
            data = bytearray(whole)
            for _ in range(draw.choice((1, 2, 8))):
                data[draw.randrange(min(len(data), 320))] = draw.randrange(256)
            path.write_bytes(data)
            try:
                header(path)
                read(path, everything)
                good += 1
            except GraphError as error:
                assert error.problem.code in (CODES[path.suffix], "E_QUANTISED")
                bad += 1
        assert min(good, bad) > 20


def test_what_is_no_weight_file_is_refused(tmp_path: Path, files: list[Path]) -> None:
    (odd := tmp_path / "a.ckpt").write_bytes(b"PK")
    assert "no .safetensors or .gguf file" in refused("E_NO_SAFETENSORS", odd)
    swapped = [files[0].rename(tmp_path / "b.gguf"), files[1].rename(tmp_path / "b.safetensors")]
    for path in (*swapped, tmp_path / "none.safetensors", tmp_path / "none.gguf"):
        refused(CODES[path.suffix], path)
        with pytest.raises(GraphError) as caught:
            header(path)
        assert caught.value.problem.code == CODES[path.suffix]
    folder = tmp_path / "folder.gguf"
    folder.mkdir()
    refused("E_FILE", folder)


def test_gguf_asks_for_its_extra_where_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = gguf.quants.quantize(weights(2, 32).numpy(), Kind.Q8_0)
    few = write(tmp_path / "few.gguf", {"a": (stored, Kind.Q8_0)})
    plain = write(tmp_path / "plain.gguf", {"a": (weights(2, 32).numpy(), Kind.F32)})
    for name in [name for name in sys.modules if name.partition(".")[0] == "gguf"]:
        monkeypatch.setitem(sys.modules, name, None)
    for function in (lambda: header(few), lambda: read(few, everything)):
        with pytest.raises(GraphError) as caught:
            function()
        assert caught.value.problem.code == "E_PACKAGE"
        assert "hcpgraph[gguf]" in str(caught.value)
    same(read(plain, everything)["a"], weights(2, 32))


def test_headers_are_read_without_torch_numpy_and_gguf(files: list[Path]) -> None:
    code = (
        "import sys; from pathlib import Path; from hcpgraph_nodes.families.tensor_files import header\n"
        "print([len(header(Path(path)).shapes) for path in sys.argv[1:]])\n"
        "print([name for name in ('torch', 'numpy', 'gguf', 'safetensors') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code, *map(str, files)], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == ["[2, 2]", "[]"]


# --- for a network that is kept in fewer bits ---


def test_computed_weights_are_rounded_as_they_are_read(tmp_path: Path) -> None:
    stored = gguf.quants.quantize(weights(4, 64).numpy(), Kind.Q4_1)
    tensors = {"a.weight": (stored, Kind.Q4_1), "b.weight": (weights(4, 4).numpy(), Kind.F32)}
    scaled = {"a.weight": weights(4, 4).to(E4M3), "a.scale_weight": torch.tensor(0.3), "b.weight": weights(4, 4)}
    save_file(scaled, tmp_path / "a.safetensors")
    for path in (write(tmp_path / "a.gguf", tensors), tmp_path / "a.safetensors"):
        whole = read(path, everything)
        assert whole["a.weight"].dtype is torch.float32
        with reading_for(torch.device("cpu"), torch.bfloat16):
            rounded = read(path, everything)
        same(rounded["a.weight"], whole["a.weight"].bfloat16())
        same(rounded["b.weight"], whole["b.weight"])
        with reading_for(torch.device("meta"), torch.float32):
            sizes = read(path, everything)
        assert {name: value.shape for name, value in sizes.items()} == header(path).shapes
        assert all(value.is_meta for value in sizes.values())
        same(read(path, everything)["a.weight"], whole["a.weight"])


def test_weights_are_read_for_the_place_of_their_root(tmp_path: Path) -> None:
    stored = gguf.quants.quantize(weights(4, 64).numpy(), Kind.Q8_0)
    path = write(tmp_path / "a.gguf", {"weight": (stored, Kind.Q8_0)})
    found = []

    def load() -> torch.nn.Module:
        found.append(read(path, everything)["weight"])
        layer = torch.nn.Linear(64, 4, bias=False)
        layer.load_state_dict({"weight": found[-1]}, assign=True)
        return layer

    for device, dtype in (("cpu", torch.float32), ("cpu", torch.bfloat16), ("meta", torch.float32)):
        module = Root(load, Placement(torch.device(device), dtype)).module
        assert (found[-1].device.type, found[-1].dtype) == (device, dtype)
        assert module.weight.dtype is dtype
