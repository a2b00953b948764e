"""What is kept in memory and handed out again is as it was, whatever was done to what was handed out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hcpgraph_nodes.data.albumentations import albumentations_transform
from hcpgraph_nodes.data.bucketing.bucketed import Bucket, Bucketed
from hcpgraph_nodes.data.latent_loader import LatentLoader
from hcpgraph_nodes.data.loader import Loader
from hcpgraph_nodes.data.sources.dataset import Dataset, Sample
from hcpgraph_nodes.data.torchvision import torchvision_transform
from hcpgraph_nodes.data.transforms.transform import Transform, Views
from hcpgraph_nodes.data.transforms.transformed import transformed
from hcpgraph_nodes.python.object import PythonObject

from .latent_sets import bucketed, dataset, encode, folder
from .ramps import Ramp, RampMask

__all__ = ["folder"]  # a fixture

SIZE = (20, 20)
KEPT: dict[Any, np.ndarray] = {}


@dataclass(frozen=True)
class KeptRamp(Ramp):
    """A source that keeps what it loaded, as one that maps a file into memory does."""

    def load(self) -> np.ndarray:
        return KEPT.setdefault(self, super().load())


@dataclass(frozen=True)
class KeptMask(RampMask):
    def load(self) -> np.ndarray:
        return KEPT.setdefault(self, super().load())


@dataclass(frozen=True, slots=True)
class Blackening(Transform):
    """Writes into everything that it gets, a row that is drawn."""

    def apply(self, views: Views, draw: int) -> Views:
        for array in (views.picture, views.mask, views.condition):
            assert array is not None
            array[draw % len(array)] = 0
        return views


def erasing(data: Dataset) -> Dataset:
    from torchvision.transforms.v2 import RandomErasing

    return torchvision_transform(data, PythonObject(RandomErasing, {"p": 1.0, "inplace": True}))


def dropping(data: Dataset) -> Dataset:
    import albumentations

    class InPlace(albumentations.DualTransform):  # type: ignore[misc]
        def get_params(self) -> dict[str, Any]:
            return {"row": self.py_random.randrange(20)}

        def apply(self, img: np.ndarray, row: int, **params: Any) -> np.ndarray:
            img[row] = 0
            return img

    return albumentations_transform(data, (PythonObject(InPlace, {"p": 1.0}),))


def blackening(data: Dataset) -> Dataset:
    return transformed(data, Blackening())


def kept(change: Callable[[Dataset], Dataset]) -> Dataset:
    """Pictures that fit their bucket, so that nothing is scaled or cut on the way."""
    samples = [Sample(KeptRamp(SIZE, i), "", str(i), KeptRamp(SIZE, 50 + i), KeptMask(SIZE)) for i in range(4)]
    return change(Dataset("ramps", tuple(samples)))


def fresh(data: Dataset) -> Dataset:
    """The same pictures from sources that keep nothing."""
    made = [
        replace(
            sample,
            source=Ramp(SIZE, i),
            condition=Ramp(SIZE, 50 + i),
            mask=RampMask(SIZE),
            transforms=sample.transforms,
        )
        for i, sample in enumerate(data.samples)
    ]
    return Dataset("ramps", tuple(made))


def tensors(batch: Any) -> list[torch.Tensor]:
    parts = (getattr(value, name, None) for value in batch for name in ("data", "mean", "deviation"))
    return [part for part in parts if isinstance(part, torch.Tensor)]


@pytest.mark.parametrize("change", [erasing, dropping, blackening])
def test_transforms_that_write_in_place_leave_no_trace(
    change: Callable[[Dataset], Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    KEPT.clear()
    data = kept(change)
    bucket = Bucket(*SIZE, tuple(range(len(data))))
    long = Loader(Bucketed(data, (bucket,), "random", "pad_repeat"), 4, seed=4)
    assert long._keep
    monkeypatch.setattr("hcpgraph_nodes.data.loader.KEEP_BYTES", 0)
    for step in range(6):
        once = Loader(Bucketed(fresh(data), (bucket,), "random", "pad_repeat"), 4, seed=4)
        pairs = list(zip(tensors(long.batch(step)), tensors(once.batch(step)), strict=True))
        assert len(pairs) == 4 and all(torch.equal(*pair) for pair in pairs), step
        assert (pairs[0][0] == 0).any(), "nothing was erased"


def loaders(workspace: Path, folder: Path) -> list[Loader | LatentLoader]:
    data = bucketed(folder, dataset(folder, masks=True, edges=True), num_buckets=1)
    held = [encode(workspace, data, keep=keep)[0] for keep in ("ram", "disk")]
    return [Loader(data, 2, seed=3), *(LatentLoader(one, 2, seed=3) for one in held)]


def test_batches_are_handed_out_as_copies(workspace: Path, folder: Path) -> None:
    for loader in loaders(workspace, folder):
        before = [tensor.clone() for tensor in tensors(loader.batch(0))]
        assert len(before) == (4 if isinstance(loader, Loader) else 5)
        for tensor in tensors(loader.batch(0)):
            tensor.fill_(7)
        assert all(map(torch.equal, tensors(loader.batch(0)), before)), "asked for the same batch again"
        loader.batch(1)
        assert all(map(torch.equal, tensors(loader.batch(0)), before)), "asked for it again later"


def test_what_is_kept_cannot_be_written(workspace: Path, folder: Path) -> None:
    pictures, in_ram, on_disk = loaders(workspace, folder)
    assert isinstance(pictures, Loader)
    pictures.batch(0)
    found = list(pictures._kept.values())
    for loader in (in_ram, on_disk):
        assert isinstance(loader, LatentLoader)
        found += loader.data.items.read(0).values()
    assert len(found) >= 8 and not any(array.flags.writeable for array in found)
