"""A picture carries the graph that made it; loading it gives the same picture again (DESIGN §4)."""

import hashlib

from PIL import Image

import hcpgraph
from hcpgraph.document.embed import REMOVED

from .support import graph, run


def painting(workspace):
    (workspace / "data").mkdir(parents=True)
    (workspace / "data" / "word.txt").write_text("hello")
    g = graph({"n": ("toy.number", {"value": 40}), "r": ("toy.read", {"path": "data:word.txt"}),
               "p": ("files.picture", {"level": 60, "note": {"made": "in /home/me/secret by me"}}), "w": "toy.write"},
              {"p.gray": "n.out", "w.value": "r.out"})  # fmt: skip
    g.meta.title = "A painting"
    return g


def test_a_picture_gives_the_same_picture_again(workspace, tmp_path):
    run(painting(workspace), workspace)
    picture = workspace / "out" / "picture.png"
    again = run(hcpgraph.load(picture), workspace, roots={"out": tmp_path / "again"})
    assert again.status == "done" and again.problems == []
    first, second = (Image.open(path) for path in (picture, tmp_path / "again" / "picture.png"))
    assert first.tobytes() == second.tobytes() and first.getpixel((0, 0)) == 100
    assert first.text["hcpgraph"] == second.text["hcpgraph"]


def test_what_a_picture_carries(workspace):
    run(painting(workspace), workspace)
    text = Image.open(workspace / "out" / "picture.png").text["hcpgraph"]
    assert "/home/me" not in text and REMOVED in text and str(workspace) not in text
    carried = hcpgraph.loads(text)
    assert carried.meta.title == "A painting"
    record = carried.requires.files["data:word.txt"]
    assert (record.sha256, record.size) == (hashlib.sha256(b"hello").hexdigest(), 5)


def test_settings_of_the_call_are_what_is_carried(workspace):
    run(painting(workspace), workspace, settings={"p.level": 7})
    assert hcpgraph.load(workspace / "out" / "picture.png").nodes["p"].settings["level"] == 7
