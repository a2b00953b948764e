"""`data.openmoji` on the real OpenMoji set."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any

import emoji
import numpy as np
import pytest
import resvg_py
from hcpgraph_nodes.data.openmoji import _svg_folder, openmoji
from hcpgraph_nodes.data.sources.dataset import Dataset
from hcpgraph_nodes.data.sources.emoji_names import catalogue, place
from PIL import Image

from hcpgraph.errors import GraphError
from hcpgraph.testing import context


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("openmoji")


def pictures(workspace: Path, **settings: Any) -> Dataset:
    return openmoji(context(workspace), **settings)


def names(data: Dataset) -> list[str]:
    return [data.caption(i).removeprefix("an emoji of ") for i in range(len(data))]


def test_every_emoji_of_the_set_has_a_place() -> None:
    codes = [file.stem for file in _svg_folder().glob("*.svg")]
    known = {k for k in emoji.EMOJI_DATA if "-".join(f"{ord(c):04X}" for c in k) in set(codes)}
    tones = {k for k in known if len(k) == 1 and 0x1F3FB <= ord(k) <= 0x1F3FF}
    assert [k for k in known - tones if place(k) is None] == []
    every = catalogue(codes)
    assert len(every) == len(known - tones) > 3900
    assert len({e.group for e in every}) == 9 and len({e.subgroup for e in every}) > 95
    assert sum(not e.toned for e in every) > 1900


@pytest.mark.parametrize(
    ("text", "group", "subgroup"),
    [
        ("😺", "smileys-emotion", "cat-face"),
        ("🐈‍⬛", "animals-nature", "animal-mammal"),
        ("👩‍🚀", "people-body", "person-role"),
        ("👩🏽‍🚀", "people-body", "person-role"),
        ("👨‍👩‍👧", "people-body", "family"),
        ("👩‍❤️‍💋‍👨", "people-body", "family"),
        ("🧑‍🦯", "people-body", "person-activity"),
        ("👩‍🦰", "people-body", "person"),
        ("🏃‍♀️", "people-body", "person-activity"),
        ("🇫🇷", "flags", "country-flag"),
        ("🏴󠁧󠁢󠁷󠁬󠁳󠁿", "flags", "subdivision-flag"),
        ("🏴‍☠️", "flags", "flag"),
        ("❤️‍🔥", "smileys-emotion", "heart"),
        ("5️⃣", "symbols", "keycap"),
    ],
)
def test_groups_follow_unicode(text: str, group: str, subgroup: str) -> None:
    found = place(text)
    assert found is not None and found[1:] == (group, subgroup)


def test_filters(workspace: Path) -> None:
    cats = names(pictures(workspace, subgroups=["cat-face"]))
    assert len(cats) == 9 and cats[0] == "grinning cat"
    assert names(pictures(workspace, include=["CAT FACE", "re:^tiger face$"])) == ["cat face", "tiger face"]
    assert "hot dog" not in names(pictures(workspace, include=["dog"], exclude=["hot", "re:tail$"]))
    few = pictures(workspace, groups=["food-drink"], limit=3)
    assert names(few) == ["grapes", "melon", "watermelon"]
    assert names(pictures(workspace, include=["flag of France"])) == ["flag of France"]


def test_skin_tones(workspace: Path) -> None:
    assert names(pictures(workspace, include=["re:^waving hand"])) == ["waving hand"]
    assert len(pictures(workspace, include=["re:^waving hand"], skin_tones=True)) == 6


def test_captions_have_slots(workspace: Path) -> None:
    data = pictures(workspace, include=["re:^dog face$"], template="{group}/{subgroup}: {name} ({tags})")
    assert data.caption(0) == "animals-nature/animal-mammal: dog face (dog)"
    with pytest.raises(GraphError, match="E_SLOT"):
        pictures(workspace, limit=1, template="{nam}")


@pytest.mark.parametrize("size", [32, 64])
def test_pixels_are_those_of_resvg(workspace: Path, size: int) -> None:
    data = pictures(workspace, include=["re:^cat face$"], size=size, background="#204060")
    svg = (_svg_folder() / "1F431.svg").read_text(encoding="utf-8")
    png = resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, background="#204060", skip_system_fonts=True)
    expected = np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGB"))
    assert data.size(0) == (size, size)
    assert np.array_equal(data.load(0), expected)
    assert data.load(0)[0, 0].tolist() == [0x20, 0x40, 0x60]


def test_black_style_has_no_colour(workspace: Path) -> None:
    picture = pictures(workspace, include=["re:^cat face$"], style="black").load(0).astype(int)
    assert np.ptp(picture, axis=-1).max() == 0
    assert picture.min() < 60 and (picture > 250).mean() > 0.5


def test_drawn_once(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = pictures(workspace, subgroups=["cat-face"], size=16)
    before = {file.name: file.stat().st_mtime_ns for file in (workspace / "cache/openmoji").iterdir()}
    monkeypatch.setattr(resvg_py, "svg_to_bytes", None)
    again = pictures(workspace, subgroups=["cat-face"], size=16)
    assert again == first
    assert before == {file.name: file.stat().st_mtime_ns for file in (workspace / "cache/openmoji").iterdir()}
    index = json.loads(Path(first.samples[0].source.path).with_suffix(".json").read_text())  # type: ignore[attr-defined]
    assert index["license"] == "OpenMoji, CC BY-SA 4.0" and len(index["codes"]) == 9
    assert not [file for file in (workspace / "cache/openmoji").iterdir() if file.name.startswith(".")]


def test_picklable(workspace: Path) -> None:
    data = pictures(workspace, subgroups=["cat-face"], size=16)
    content = pickle.dumps(data)
    assert len(content) < 5000
    assert np.array_equal(pickle.loads(content).load(3), data.load(3))


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"include": ["elefant"]}, "elephant"),
        ({"groups": ["animals"]}, "animals-nature"),
        ({"subgroups": ["catface"]}, "cat-face"),
        ({"include": ["re:(("]}, "regular expression"),
        ({"groups": ["flags"], "subgroups": ["cat-face"]}, "exclude each other"),
        ({"include": [r"re:^(?:.|..|...)+\d$"]}, "too long"),
    ],
)
def test_what_matches_nothing_says_what_is_near(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], hint: str
) -> None:
    monkeypatch.setattr("hcpgraph_nodes.data.sources.patterns.SECONDS", 0.3)
    with pytest.raises(GraphError) as error:
        pictures(workspace, **settings)
    assert hint in str(error.value)


def test_a_lost_cache_says_so(tmp_path: Path) -> None:
    data = pictures(tmp_path, limit=2, size=16)
    for file in (tmp_path / "cache/openmoji").iterdir():
        file.unlink()
    with pytest.raises(GraphError, match="no-cache"):
        data.load(0)
