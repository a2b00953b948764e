"""`hcpgraph check`: what a graph would train on, before anything is trained."""

from __future__ import annotations

import base64
import io
import json
import os
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hcpgraph_nodes.data.batches.reading import view
from hcpgraph_nodes.data.loader import Loader
from hcpgraph_nodes.data.ratio_bucket import ratio_bucket
from hcpgraph_nodes.data.sources.dataset import PictureFile
from hcpgraph_nodes.report import Options, report
from hcpgraph_nodes.report.hashes import looks
from hcpgraph_nodes.report.near import alike
from hcpgraph_nodes.types import Captions
from PIL import Image
from skimage import data as photographs

import hcpgraph
from hcpgraph import Context, Graph, node
from hcpgraph.checking.analyse import analyse, default_roots
from hcpgraph.declaring.registry import default_registry
from hcpgraph.document import templates
from hcpgraph.testing import context
from tests.server.live import definition

HEARD: list[tuple[str, int, tuple[str, ...]]] = []


@node("test.heard", effects="step")
def heard(ctx: Context, captions: Captions) -> Captions:
    """Write down what passes by.

    Args:
        captions: Texts.
    """
    HEARD.append((ctx.node, ctx.step, captions.texts))
    return captions


def photo(name: str) -> Image.Image:
    return Image.fromarray(np.asarray(getattr(photographs, name)())[..., :3])


@pytest.fixture
def pictures(workspace: Path) -> Path:
    """Photographs of several shapes, one of them twice, one of them tiny."""
    folder = workspace / "data" / "photos"
    folder.mkdir(parents=True)
    for name, size in (
        ("astronaut", (256, 256)),
        ("chelsea", (225, 150)),
        ("coffee", (300, 200)),
        ("rocket", (320, 213)),
    ):
        photo(name).resize(size).save(folder / f"{name}.png")
    photo("coffee").resize((290, 193)).save(folder / "coffee again.jpg", quality=85)
    photo("astronaut").resize((20, 20)).save(folder / "tiny.png")
    words = {"astronaut": "an astronaut in orange", "chelsea": "cat", "coffee": "a cup of coffee", "rocket": "", "tiny": "a face",
             "coffee again": "coffee on a table"}  # fmt: skip
    for name, text in words.items():
        (folder / f"{name}.txt").write_text(text)
    return folder


def loading(batch_size: int = 4, **settings: Any) -> Graph:
    g = Graph()
    g.add("data.folder", "photos", path="data:photos", on_missing="empty")
    g.add("data.ratio_bucket", "buckets", **{"target_area": 64 * 64, "num_buckets": 2, **settings})
    g.add("data.loader", "loader", batch_size=batch_size, flip=0.5)
    g.connect("photos.out", "buckets.dataset")
    g.connect("buckets.out", "loader.data")
    return g


def made(graph: Graph, workspace: Path, **options: Any) -> dict[str, Any]:
    """The report, whose shape must be that of the schema."""
    roots = default_roots(workspace)
    found = report(analyse(graph, default_registry(), roots, files=True), roots, Options(**options))
    plain = json.loads(json.dumps(found))
    definition("DataReport").validate(plain)
    return plain


def codes(loader: dict[str, Any]) -> dict[str, int]:
    return {warning["code"]: warning["count"] for warning in loader["warnings"]}


# What it says ------------------------------------------------------------------------------------------------------


def test_numbers_and_warnings_of_a_folder(pictures: Path, workspace: Path) -> None:
    found = made(loading(leftover="drop"), workspace)
    assert found["ok"] and [p["code"] for p in found["problems"] if p["severity"] == "error"] == []
    (loader,) = found["loaders"]
    assert (loader["samples"], loader["pictures"], loader["captions"], loader["empty"]) == (6, 6, 5, 1)
    assert loader["sizes"] == {"smallest": [20, 20], "median": [300, 200], "largest": [320, 213]}
    assert loader["sources"] == [{"node": "photos", "name": "photos", "samples": 6}]
    assert [(row["width"], row["height"], row["count"], row["leftover"]) for row in loader["buckets"]] == [
        (64, 64, 2, 2),
        (80, 56, 4, 0),
    ]
    assert sorted(loader["buckets"][0]["ids"]) == ["astronaut.png", "tiny.png"]
    assert (loader["batches"], loader["per_epoch"]) == (1, 4)
    warned = codes(loader)
    assert warned.pop("W_EMPTY_CAPTION") == 1 and warned.pop("W_ONE_WORD") == 1
    assert warned.pop("W_TINY") == 1 and warned.pop("W_SMALL_BUCKET") == 1 and warned.pop("W_LEFTOVER") == 2
    assert warned.pop("W_DUPLICATES") == 1 and warned == {}
    (same,) = [one for one in loader["warnings"] if one["code"] == "W_DUPLICATES"]
    assert sorted(same["ids"][0].split(" = ")) == ["coffee again.jpg", "coffee.png"]


def test_a_square_bucket_crops_wide_pictures(pictures: Path, workspace: Path) -> None:
    (loader,) = made(loading(num_buckets=1), workspace)["loaders"]
    (row,) = loader["buckets"]
    lost = []
    for file in pictures.glob("*.[pj]*g"):
        width, height = Image.open(file).size
        scale = max(row["width"] / width, row["height"] / height)
        lost.append(1 - row["width"] * row["height"] / (width * height * scale**2))
    assert row["crop_max"] == pytest.approx(max(lost), abs=0.02)
    assert row["crop_mean"] == pytest.approx(np.mean(lost), abs=0.02)
    assert codes(loader)["W_CROP"] == sum(one > 0.1 for one in lost)


def test_the_sheet_shows_samples_as_training_crops_them(pictures: Path, workspace: Path) -> None:
    (entry,) = made(loading(), workspace, samples=3)["loaders"]
    values = hcpgraph.run(loading(), workspace=workspace, record=False, targets=["loader"]).outputs
    loader: Loader = values["loader.out"]
    first = loader.epoch(0)[0]
    for offset, tile in enumerate(entry["sheet"][:3]):
        expected = view(loader.data, loader.buckets[first.bucket], first.samples[offset], 0,
                        ("photos", 0, first.start + offset), flip=0.5)  # fmt: skip
        data = base64.b64decode(tile["picture"].removeprefix("data:image/webp;base64,"))
        shown = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.int16)
        assert shown.shape == expected.picture.shape
        assert np.abs(shown - expected.picture).mean() < 6, "WebP at quality 80"
    shown = {tile["bucket"] for tile in entry["sheet"]}
    assert shown == set(range(len(entry["buckets"]))), "every bucket shows some of its samples"


# Captions ----------------------------------------------------------------------------------------------------------


def quickstart() -> Graph:
    """The quickstart with a chain of texts before its encoder, which writes down what passes."""
    g = hcpgraph.load(templates.find("quickstart/train_lora").path)
    g.remove("check", with_inside=True)
    g.set("train.steps", 3)
    g.set("train.seed", 7)
    step = g.graphs["diffusion_step"]
    step.add(
        "text.template", "sentence", templates=["a photo of {caption}", "{caption}, {pt}", "{pt}"], words={"pt": "sks"}
    )
    step.set("dropout.probability", 0.3)
    step.add("test.heard", "heard")
    step.connect("batch.captions", "sentence.captions")
    step.connect("sentence.out", "dropout.captions")
    step.connect("dropout.out", "heard.captions")
    step.connect("heard.out", "text.captions")
    return g


def test_captions_are_those_that_training_sees(workspace: Path) -> None:
    pytest.importorskip("resvg_py")
    graph = quickstart()
    HEARD.clear()
    loader = made(graph, workspace, samples=0)["loaders"][0]
    told, (texts,) = list(HEARD), loader["texts"]
    HEARD.clear()
    result = hcpgraph.run(graph, workspace=workspace, targets=["train"], record=False)
    assert result.status == "done", result.failed
    assert [step for _, step, _ in HEARD] == [0, 1, 2]
    assert told == HEARD[: len(told)] and len(told) == 2, "an epoch has two batches"
    assert [one["text"] for one in texts["captions"]] == list(HEARD[0][2][:5])
    assert texts["node"] == "step/text" and texts["loop"] == "train" and "reason" not in texts
    everything = [text for _, _, batch in told for text in batch]
    lacking = sum(bool(text) and "sks" not in text for text in everything)
    assert 0 < lacking == codes(loader)["W_TRIGGER"]
    (training,) = loader["training"]
    assert (training["steps"], training["samples"], training["seen"]) == (3, 24, 2)


def test_what_the_encoder_does_not_read_and_words_that_never_come_are_told(workspace: Path) -> None:
    pytest.importorskip("resvg_py")
    graph = quickstart()
    step = graph.graphs["diffusion_step"]
    step.set("sentence.templates", ["{caption}" + ", fur" * 34 + ", (cat:1.2), the end"])
    (model,) = (id for id, node in graph.nodes.items() if node.type == "model.load")
    graph.add("word.new", "word", name="<w>")
    graph.connect(f"{model}.model", "word.model")
    graph.connect("word.model", "lora.model")
    warned = {one["code"]: one for one in made(graph, workspace, samples=0)["loaders"][0]["warnings"]}
    told = warned["W_TEXT_CUT"]["count"], warned["W_PROMPT_WEIGHTS"]["count"]
    assert told[0] == told[1] > 0 and "the end" in warned["W_TEXT_CUT"]["message"]
    assert "“<w>”" in warned["W_WORD_UNUSED"]["message"]
    step.set("sentence.templates", ["{caption} <W>"])
    assert (
        not {"W_TEXT_CUT", "W_PROMPT_WEIGHTS", "W_WORD_UNUSED"}
        & codes(made(graph, workspace, samples=0)["loaders"][0]).keys()
    )


def test_no_weights_are_loaded(workspace: Path) -> None:
    pytest.importorskip("resvg_py")
    touched = set()
    roots = default_roots(workspace)
    graph = hcpgraph.load(templates.find("quickstart/train_lora").path)
    report(analyse(graph, default_registry(), roots), roots, Options(), progress=lambda name, *_: touched.add(name))
    assert touched == {"cats", "buckets", "loader"}
    assert not (workspace / "runs").exists() and not (workspace / "out").exists()


def test_encoded_pictures_are_reported_without_a_model(pictures: Path, workspace: Path) -> None:
    plain = loading(crop="center")
    plain.set("loader.flip", 0)
    latent = plain.copy()
    latent.remove("loader")
    latent.add("model.load", "model", path="models:nowhere")
    latent.add("data.latents", "latents")
    latent.add("data.latent_loader", "loader", batch_size=4)
    for source, target in (
        ("buckets.out", "latents.data"),
        ("model.vae", "latents.vae"),
        ("latents.out", "loader.data"),
    ):
        latent.connect(source, target)
    told, reference = made(latent, workspace), made(plain, workspace)
    assert not told["ok"], "the missing model is a problem of the graph all the same"
    assert told["loaders"][0] | {"type": ""} == reference["loaders"][0] | {"type": ""}


# The command -------------------------------------------------------------------------------------------------------


def test_what_a_source_read_and_did_not_use_is_said(cli, tmp_path: Path, pictures: Path, workspace: Path) -> None:
    (pictures / "notes.md").write_text("x")
    loading().save(tmp_path / "graph.json")
    done = cli("check", tmp_path / "graph.json", "--workspace", workspace)
    assert (
        "photos: 6 pictures in data:photos: 6 with a caption (6 .txt files); not used: 1 other files (1 .md)"
        in done.stderr
    )


def test_every_problem_is_told_and_the_code_is_2(cli, tmp_path: Path, pictures: Path, workspace: Path) -> None:
    (workspace / "data" / "empty").mkdir()
    (pictures / "broken.png").write_bytes((pictures / "rocket.png").read_bytes()[:5000])
    g = loading()
    g.set("photos.check", "header")
    for name in ("data:empty", "data:nowhere"):
        id = name[5:]
        g.add("data.folder", id, path=name)
        g.add("data.ratio_bucket", f"{id}_buckets")
        g.add("data.loader", f"{id}_loader")
        g.connect(f"{id}.out", f"{id}_buckets.dataset")
        g.connect(f"{id}_buckets.out", f"{id}_loader.data")
    g.save(tmp_path / "graph.json")
    done = cli("check", tmp_path / "graph.json", "--json", "--workspace", workspace, code=2)
    told = json.loads(done.stdout)
    definition("DataReport").validate(told)
    wrong = {(p["node"], p["code"]) for p in told["problems"] if p["severity"] == "error"}
    assert wrong == {("empty", "E_NOT_FOUND"), ("nowhere", "E_NOT_FOUND"), ("loader", "E_PICTURE")}
    assert [loader["node"] for loader in told["loaders"]] == ["loader"], "what can be read is reported all the same"
    assert "broken.png" in next(p["message"] for p in told["problems"] if p["code"] == "E_PICTURE")


def test_text_and_page(cli, tmp_path: Path, pictures: Path, workspace: Path) -> None:
    (pictures / "chelsea.txt").write_text("<script>alert(1)</script> cat\x1b[31m")
    loading().save(tmp_path / "graph.json")
    page = tmp_path / "report.html"
    call = ("check", tmp_path / "graph.json", "--workspace", workspace, "--html", page)
    text = cli(*call, "--lang", "zh-CN", "--set", "loader.batch_size=2").stdout
    assert "3 × 2 = 6" in text and "样本" in text and "\x1b[31m" not in text
    html = page.read_text("utf-8")
    assert '<html lang="zh-CN">' in html and "prefers-color-scheme: dark" in html
    assert "<script" not in html and "&lt;script&gt;" in html
    assert re.findall(r'(?:src|href)="(?!data:)', html) == [], "nothing from elsewhere"
    assert html.count("<img") == 6
    assert "Batches an epoch" in cli(*call, "--lang", "en").stdout
    assert "en, zh-CN" in cli(*call, "--lang", "fr", code=2).stderr


def test_a_malformed_graph_is_a_report_too(cli, tmp_path: Path) -> None:
    (tmp_path / "graph.json").write_text("{")
    told = json.loads(cli("check", tmp_path / "graph.json", "--json", code=2).stdout)
    definition("DataReport").validate(told)
    assert not told["ok"] and told["problems"]


# Looks -------------------------------------------------------------------------------------------------------------


def test_looks_are_remembered_until_the_file_changes(pictures: Path, tmp_path: Path) -> None:
    file = pictures / "coffee.png"
    one = PictureFile(str(file), (300, 200))
    database = tmp_path / "cache" / "looks.sqlite"
    before = looks([one], database, lambda *_: None)[0][one]
    stat = file.stat()
    data = file.read_bytes()
    file.write_bytes(b"x" * len(data))  # damaged, and the same to stat
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    found, bad = looks([one], database, lambda *_: None)
    assert one in bad and not found, "the time of the change of the inode tells"
    file.write_bytes(data)
    found, bad = looks([one], database, lambda *_: None)
    assert found == {one: before} and not bad
    numbers = []
    looks([one], database, lambda done, total: numbers.append((done, total)))
    assert numbers == [(1, 1)], "nothing was left to decode"
    file.write_bytes(data[:-500])
    assert one in looks([one], database, lambda *_: None, again=True)[1]


def test_a_turned_or_smaller_jpeg_looks_the_same(tmp_path: Path) -> None:
    picture = photo("rocket")
    picture.save(tmp_path / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "b.jpg", exif=exif, quality=80)
    picture.resize((311, 207)).save(tmp_path / "c.webp")
    photo("coffee").save(tmp_path / "d.png")
    sources = [PictureFile(str(tmp_path / name), (1, 1)) for name in ("a.png", "b.jpg", "c.webp", "d.png")]
    found, _ = looks(sources, tmp_path / "looks.sqlite", lambda *_: None)
    assert alike([found[one].bits for one in sources], [found[one].tiny for one in sources], 12) == [[0, 1, 2]]


def test_near_numbers_are_those_of_all_pairs() -> None:
    draw = random.Random(3)
    numbers = [draw.getrandbits(64) for _ in range(300)]
    for _ in range(300):
        flipped = draw.choice(numbers)
        for bit in draw.sample(range(64), draw.randint(0, 5)):
            flipped ^= 1 << bit
        numbers.append(flipped)
    tiny = [bytes([draw.choice([0, 10, 40])] * 3) for _ in numbers]
    parent = list(range(len(numbers)))

    def root(i: int) -> int:
        return i if parent[i] == i else root(parent[i])

    for i, one in enumerate(numbers):
        for j in range(i):
            if (one ^ numbers[j]).bit_count() <= 3 and abs(tiny[i][0] - tiny[j][0]) <= 12:
                parent[root(i)] = root(j)
    expected: dict[int, list[int]] = {}
    for i in range(len(numbers)):
        expected.setdefault(root(i), []).append(i)
    assert sorted(alike(numbers, tiny, 12)) == sorted(group for group in expected.values() if len(group) > 1)


def test_the_table_is_that_of_the_buckets(pictures: Path, workspace: Path) -> None:
    values = hcpgraph.run(loading(), workspace=workspace, record=False, targets=["photos"]).outputs
    data = ratio_bucket(context(workspace), values["photos.out"], target_area=4096, num_buckets=2)
    (loader,) = made(loading(), workspace)["loaders"]
    assert [row["ids"] for row in loader["buckets"]] == [
        [data.dataset.samples[i].id for i in bucket.members] for bucket in data.buckets
    ]


def test_a_training_by_epochs_is_counted_in_the_batches_of_its_loader(workspace: Path) -> None:
    g = hcpgraph.load(Path(__file__).resolve().parents[2] / "graphs/quickstart/train_lora.json")
    g.set("train.steps", None)
    g.set("train.epochs", 2.5)
    g.connect("loader.out", "train.loader")
    (loader,) = made(g, workspace)["loaders"]
    (training,) = loader["training"]
    assert training["steps"] == round(2.5 * loader["batches"] + 0.49) and training["epochs"] >= 2.5
