"""`data.latents`: damaged pictures, kinds of contents, and two runs at once of which one is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hcpgraph_nodes.data.latent_loader import LatentLoader
from hcpgraph_nodes.data.masks import MaskFile
from hcpgraph_nodes.data.sources.content import contents
from hcpgraph_nodes.data.sources.dataset import ArrayRow, PictureFile
from hcpgraph_nodes.data.transforms.transform import Transform, Views
from PIL import Image

from hcpgraph import GraphError
from hcpgraph.testing import context

from .latent_sets import SIZES, bucketed, dataset, encode, folder, opened, painted
from .test_sample_store import read_only

__all__ = ["folder"]  # a fixture


# -------------------------------------------------------------------------------------------------- damage and trouble


def test_unreadable_pictures_are_all_named_and_the_rest_is_kept(workspace: Path, folder: Path) -> None:
    data = bucketed(folder)
    for name in ("1.png", "4.png"):
        (folder / name).write_bytes((folder / name).read_bytes()[:200])
    with pytest.raises(GraphError, match=r"E_PICTURE 2 pictures cannot be read: 1\.png.*4\.png"):
        encode(workspace, data)
    for number in (1, 4):
        Image.new("RGB", SIZES[number]).save(folder / f"{number}.png")
    assert encode(workspace, data)[1] == "2 of 6"


def test_a_picture_that_is_written_meanwhile(workspace: Path, folder: Path) -> None:
    @dataclass(frozen=True)
    class Meddle(Transform):
        def apply(self, views: Views, draw: int) -> Views:
            painted(folder)
            return views

    with pytest.raises(GraphError, match=r"E_CHANGED written while they were being encoded: 2\.png"):
        encode(workspace, bucketed(folder, dataset(folder, transforms=(Meddle(),))))


def test_latents_that_are_not_finite_are_named_and_not_kept(workspace: Path, folder: Path) -> None:
    vae = opened(workspace)
    vae.root.module.quant_conv.bias.data.fill_(float("nan"))
    with pytest.raises(GraphError, match=r"E_LATENTS the latents of .*\.png.* are not finite"):
        encode(workspace, bucketed(folder), vae)
    assert encode(workspace, bucketed(folder))[1] == "6 of 6"


def test_contents_of_every_kind(workspace: Path, folder: Path) -> None:
    @dataclass(frozen=True)
    class Member:
        digest: str

        def content(self) -> str:
            return self.digest

    @dataclass(frozen=True)
    class Drawn:
        grey: int

        def load(self) -> np.ndarray:
            return np.full((4, 4, 3), self.grey, np.uint8)

    np.save(workspace / "rows.npy", np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3))
    file, rows = str(folder / "0.png"), str(workspace / "rows.npy")
    (folder / "same.png").write_bytes((folder / "0.png").read_bytes())
    parts = [
        PictureFile(file, (32, 32)),
        PictureFile(file, (32, 32), (0, 0, 0)),
        PictureFile(str(folder / "1.png"), (48, 32)),
        MaskFile(file, "hcp"),
        MaskFile(file, "linear"),
        ArrayRow(rows, 0, (4, 4)),
        ArrayRow(rows, 1, (4, 4)),
        Member("a"),
        Member("b"),
        Drawn(1),
        Drawn(2),
    ]
    found = contents(context(workspace), parts).digests
    assert len(set(found.values())) == len(parts)
    same = PictureFile(str(folder / "same.png"), (32, 32))
    assert contents(context(workspace), [same]).digests[same] == found[parts[0]]


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from tests.nodes.latent_sets import bucketed, dataset, encode
from tests.nodes.test_latent_cache_trouble import Slow
data = bucketed(Path(sys.argv[2]), dataset(Path(sys.argv[2]), transforms=(Slow(),)), num_buckets=3)
print("ready", flush=True)
sys.stdin.readline()
print(encode(Path(sys.argv[1]), data)[1], flush=True)
"""


@dataclass(frozen=True)
class Slow(Transform):
    """Takes its time, so that a process can be killed in the middle."""

    @property
    def random(self) -> bool:
        return False

    def apply(self, views: Views, draw: int) -> Views:
        import time

        time.sleep(0.3)
        return views


@pytest.mark.skipif(sys.platform != "linux", reason="mounts of Linux")
@pytest.mark.parametrize("part", ["cache", "cache/samples"])
def test_a_complete_cache_on_a_read_only_disk_is_enough(workspace: Path, folder: Path, part: str) -> None:
    data = bucketed(folder)
    assert encode(workspace, data)[1] == "6 of 6"
    vae = opened(workspace)
    with read_only(workspace / part):
        made, told = encode(workspace, data, vae)
        assert told == "0 of 6" and LatentLoader(made, 2).batch(0).posterior.mean.isfinite().all()
        (folder / "0.png").write_bytes((folder / "1.png").read_bytes())
        with pytest.raises(GraphError, match="E_DISK"):
            encode(workspace, bucketed(folder, target_area=1024))


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_two_runs_at_once_encode_every_picture_once(workspace: Path, folder: Path) -> None:
    arguments = [str(workspace), str(folder), str(Path(__file__).resolve().parents[2])]
    both = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for one in both:
        assert one.stdout is not None and one.stdout.readline() == "ready\n"
    told = [answer.result()[0] for answer in [ThreadPoolExecutor(1).submit(one.communicate, "go\n") for one in both]]
    assert sum(int(text.split()[0]) for text in told) == 6, told


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL there")
def test_two_runs_at_once_one_killed_and_one_after_them(workspace: Path, folder: Path) -> None:
    arguments = [str(workspace), str(folder), str(Path(__file__).resolve().parents[2])]
    other = subprocess.Popen(
        [sys.executable, "-c", CHILD, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    store = workspace / "cache/samples"

    def kill_it_in_the_middle() -> None:
        while not any(pack.stat().st_size for pack in store.glob("*.pack")) and other.poll() is None:
            time.sleep(0.001)
        other.kill()

    with other, ThreadPoolExecutor(1) as beside:
        assert other.stdin is not None and other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        other.stdin.write("go\n")
        other.stdin.flush()
        killed = beside.submit(kill_it_in_the_middle)
        survivor = encode(workspace, bucketed(folder, dataset(folder, transforms=(Slow(),)), num_buckets=3))[1]
        killed.result()
    assert survivor.endswith("of 6") and other.returncode == -signal.SIGKILL
    data = bucketed(folder, dataset(folder, transforms=(Slow(),)), num_buckets=3)
    after, told = encode(workspace, data)
    assert told == "0 of 6"
    undisturbed, _ = encode(workspace / "elsewhere", data, opened(workspace))
    for one, other in zip(after.rows, undisturbed.rows, strict=True):
        for index in one:
            a, b = after.items.read(one[index][0]), undisturbed.items.read(other[index][0])
            assert a.keys() == b.keys() and all(np.allclose(a[name], b[name], atol=1e-5) for name in a)
