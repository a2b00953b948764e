"""`hcpgraph check` on a folder of 10,000 pictures with captions, whole process, cold and warm.

    python benchmarks/data_check.py [--pictures 10000] [--size 256]

The pictures are crops of photographs of scikit-image in several shapes (`pip install scikit-image`). Cold: nothing is
remembered of them. Warm: the second call, which is what somebody sees who changes a setting and checks again.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

GRAPH = Path(__file__).resolve().parents[1] / "graphs/data/bucket_report.json"


def pictures(folder: Path, count: int, size: int) -> None:
    from skimage import data

    names = ("astronaut", "chelsea", "coffee", "rocket", "hubble_deep_field", "retina")
    sheets = [Image.fromarray(getattr(data, name)()).convert("RGB").resize((1024, 1024)) for name in names]
    random = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for number in range(count):
        width, height = (int(size * ratio) for ratio in random.uniform(0.7, 1.4, 2))
        left, top = (int(random.integers(0, 1024 - side)) for side in (width, height))
        sheet = sheets[int(random.integers(len(sheets)))]
        sheet.crop((left, top, left + width, top + height)).save(folder / f"{number:05}.jpg", quality=85)
        (folder / f"{number:05}.txt").write_text(f"picture, part {number} of a photograph", encoding="utf-8")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--pictures", type=int, default=10_000)
    options.add_argument("--size", type=int, default=256)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as workspace:
        pictures(Path(workspace) / "data/pictures", asked.pictures, asked.size)
        command = [sys.executable, "-m", "hcpgraph.cli", "check", str(GRAPH), "--workspace", workspace]
        for name in ("cold", "warm", "warm"):
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            print(f"{name}: {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
