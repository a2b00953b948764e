"""Values on disk and back: exactly what was written, or not at all."""

from collections import namedtuple
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hcpgraph.running.codec import NoCodec, decode, encode, read_folder, write_folder
from hcpgraph.types import port_type


@port_type()
@dataclass(frozen=True, slots=True)
class CodecValue:
    """A value with tensors in it."""

    data: torch.Tensor
    names: tuple[str, ...] = ()


def there_and_back(value, tmp_path, **options):
    write_folder(tmp_path / "v", value, **options)
    return read_folder(tmp_path / "v")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple)
    | st.dictionaries(st.text() | st.sampled_from(["$tuple", "$tensor", "$type"]), inner) | st.dictionaries(st.integers(), inner),
    max_leaves=8,
)  # fmt: skip


@given(JSON)
def test_structures_come_back_as_they_were(value):
    import json

    back = decode(json.loads(json.dumps(encode(value, {}))), {})
    assert back == value and repr(back) == repr(value)


def test_tensors_of_every_kind(tmp_path):
    base = torch.arange(24.0).reshape(4, 6)
    value = {
        "t": base.T,
        "view": base[1:3],
        "same": base,
        "half": torch.tensor([1.5], dtype=torch.bfloat16),
        "int": torch.tensor([[1, 2]]),
        "bool": torch.tensor([True, False]),
        "none": torch.zeros(0, 3),
        "scalar": torch.tensor(2.5),
    }
    back, extra = there_and_back((value, [CodecValue(base, ("a",))]), tmp_path, extra={"more": 1})
    assert extra == {"more": 1}
    for name, tensor in value.items():
        assert back[0][name].dtype == tensor.dtype and torch.equal(back[0][name], tensor)
    assert type(back[1][0]) is CodecValue and back[1][0].names == ("a",) and torch.equal(back[1][0].data, base)


def test_pictures_are_png_files_when_nothing_is_lost(tmp_path):
    exact = torch.randint(0, 256, (1, 3, 5, 7), generator=torch.Generator().manual_seed(0)).float() / 255
    back, _ = there_and_back(exact, tmp_path)
    assert torch.equal(back, exact) and (tmp_path / "v" / "t0.png").exists()
    for number, other in enumerate(
        (exact + 0.001, torch.zeros(1, 3, 0, 7), torch.full((1, 3, 2, 2), torch.nan), exact.double())
    ):
        back, _ = there_and_back(other, tmp_path / str(number))
        assert torch.equal(back.nan_to_num(9), other.nan_to_num(9)) and not list(
            (tmp_path / str(number) / "v").glob("*.png")
        )


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1, 2},
        namedtuple("Point", "x y")(1, 2),
        torch.zeros(2, requires_grad=True),
        torch.nn.Parameter(torch.zeros(2)),
        [{"deep": lambda: 1}],
        type("Text", (str,), {})("x"),
    ],
    ids=["object", "set", "named tuple", "with gradient", "parameter", "function deep inside", "subclass of str"],
)
def test_what_has_no_form_on_disk_leaves_nothing(tmp_path, value):
    with pytest.raises(NoCodec):
        write_folder(tmp_path / "v", value)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_type_is_not_guessed():
    with pytest.raises(NoCodec):
        decode({"$type": "NobodyKnows", "fields": {}}, {})


def test_a_folder_that_is_there_is_kept(tmp_path):
    write_folder(tmp_path / "v", 1)
    write_folder(tmp_path / "v", 2)
    assert read_folder(tmp_path / "v")[0] == 1 and [p.name for p in tmp_path.iterdir()] == ["v"]
