"""Decoding, scaling and cropping: data.loader beside the loaders of diffusers' example scripts and of HCP-Diffusion.

    python benchmarks/picture_loader.py [--pictures 48] [--rounds 5] [--workers 2] [--size 512]

All three do the same work in the same run, in turn: JPEG files -> batches of 4 pictures (4, 3, size, size), float32,
in [-1, 1] as the encoder takes them, scaled with Lanczos until they cover the size and cropped at the centre, by as
many worker processes. The other two are written down from what those projects do: `Resize(LANCZOS)`, `CenterCrop`,
`ToTensor`, `Normalize` for every picture in a DataLoader (diffusers, examples/text_to_image); PIL, resize to cover,
crop, `ToTensor` and `Normalize` for every picture in a DataLoader (HCP-Diffusion 0.9, resize_crop_fix). Pictures are
photographs of scikit-image put together, in two sizes: 12 megapixels, as phones take them, and 2 megapixels. `pip
install scikit-image`.

Printed are pictures a second from the second batch on, once the workers run, the ratio to the faster of the other two
(median over rounds), and how far pixels differ.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from hcpgraph_nodes.data.bucketing.bucketed import Bucket, Bucketed
from hcpgraph_nodes.data.loader import Loader
from hcpgraph_nodes.data.sources.dataset import Dataset, PictureFile, Sample
from PIL import Image
from torch.utils.data import ConcatDataset, DataLoader
from torch.utils.data import Dataset as TorchDataset
from torchvision import transforms

BATCH = 4
ENOUGH = 4


def photographs(folder: Path, count: int, width: int, height: int) -> list[Path]:
    """JPEG files of photographs side by side, each 400 pixels high, so that they have detail at every scale."""
    from skimage import data

    names = ("astronaut", "rocket", "chelsea", "coffee", "hubble_deep_field", "retina", "cat")
    parts = []
    for name in names:
        part = Image.fromarray(getattr(data, name)()).convert("RGB")
        parts.append(part.resize((round(part.width * 400 / part.height), 400), Image.Resampling.LANCZOS))
    random = np.random.default_rng(0)
    files = []
    for number in range(count):
        sheet = Image.new("RGB", (width, height))
        for top in range(0, height, 400):
            left = 0
            while left < width:
                part = parts[random.integers(len(parts))]
                sheet.paste(part, (left, top))
                left += part.width
        files.append(folder / f"{number}.jpg")
        sheet.save(files[-1], quality=92)
    return files


class ByTransforms(TorchDataset):
    """As diffusers' train_text_to_image.py does."""

    def __init__(self, files: list[Path], size: int) -> None:
        self.files = files
        self.transform = transforms.Compose(
            [
                transforms.Resize(size, interpolation=transforms.InterpolationMode.LANCZOS),
                transforms.CenterCrop(size),
                transforms.ToTensor(),
                transforms.Normalize([0.5], [0.5]),
            ]
        )

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.transform(Image.open(self.files[index]).convert("RGB"))


class ByResizeCrop(ByTransforms):
    """As HCP-Diffusion's Text2ImageSource and resize_crop_fix do."""

    def __init__(self, files: list[Path], size: int) -> None:
        super().__init__(files, size)
        self.size = size
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])

    def __getitem__(self, index: int) -> torch.Tensor:
        picture = Image.open(self.files[index]).convert("RGB")
        scale = self.size / min(picture.size)
        width, height = round(picture.width * scale), round(picture.height * scale)
        pixels = np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS))
        left, top = (width - self.size) // 2, (height - self.size) // 2
        return self.transform(np.ascontiguousarray(pixels[top : top + self.size, left : left + self.size]))


def theirs(data: TorchDataset, workers: int) -> Iterator[torch.Tensor]:
    """Without an end, as trainings are: what is read ahead at the end of the measurement is left out for all alike."""
    endless = ConcatDataset([data] * ENOUGH)
    yield from DataLoader(endless, batch_size=BATCH, num_workers=workers)


def ours(files: list[Path], size: int, workers: int) -> Iterator[torch.Tensor]:
    samples = []
    for file in files:
        with Image.open(file) as picture:
            samples.append(Sample(PictureFile(str(file), picture.size), "", file.name))
    bucket = Bucket(size, size, tuple(range(len(files))))
    loader = Loader(
        Bucketed(Dataset("photographs", tuple(samples)), (bucket,), "center", "partial"),
        BATCH,
        shuffle=False,
        workers=workers,
    )
    try:
        for step in range(ENOUGH * loader.batches_per_epoch):
            yield loader.batch(step).images.data * 2 - 1
    finally:
        loader.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--pictures", type=int, default=48)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--size", type=int, default=512)
    asked = options.parse_args()
    torch.set_num_threads(1)
    for width, height in ((4000, 3000), (1632, 1224)):
        with tempfile.TemporaryDirectory() as folder:
            files = photographs(Path(folder), asked.pictures, width, height)
            kinds = {
                "diffusers": lambda files=files: theirs(ByTransforms(files, asked.size), asked.workers),
                "HCP-Diffusion": lambda files=files: theirs(ByResizeCrop(files, asked.size), asked.workers),
                "hcpgraph": lambda files=files: ours(files, asked.size, asked.workers),
            }
            rates: dict[str, list[float]] = {name: [] for name in kinds}
            for _ in range(asked.rounds):
                for name, make in kinds.items():
                    start = time.perf_counter()
                    seen = sum(len(batch) for batch in make())
                    rates[name].append(seen / (time.perf_counter() - start))
            one, other = (
                torch.cat(list(islice(kinds[name](), asked.pictures // BATCH)))
                for name in ("hcpgraph", "HCP-Diffusion")
            )
        off = ((one - other).abs() * 127.5).round().flatten().numpy()
        print(f"{width} x {height} -> {asked.size} x {asked.size}, {asked.workers} workers")
        for name, found in rates.items():
            print(f"  {name:14} {statistics.median(found):7.1f} pictures/s")
        ratios = [
            a / max(b, c) for a, b, c in zip(rates["hcpgraph"], rates["diffusers"], rates["HCP-Diffusion"], strict=True)
        ]
        print(f"  ratio {statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})")
        most = np.percentile(off, 99)
        print(f"  pixels off by {off.mean():.2f} of 255 in the mean, 99 % at most {most:.0f}, all {off.max():.0f}")


if __name__ == "__main__":
    main()
