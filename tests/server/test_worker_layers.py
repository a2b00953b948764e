"""Counting the layers that a selector matches: the model is read once, nothing is trained or written for it."""

import time
from pathlib import Path

import pytest
from PIL import Image

import hcpgraph
from hcpgraph.paths import Roots
from hcpgraph.running.cache import Cache
from hcpgraph.server.queue.layers import Outlines, Question
from hcpgraph.server.queue.previews import Previews
from tests.server.serving import drawn, graph

GRAPHS = Path(__file__).parents[2] / "graphs"
LORA = r"re:.*attn1\.to_q$"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return tmp_path_factory.mktemp("layers") / "workspace"


@pytest.fixture(scope="module")
def outlines(workspace):
    return Outlines(Roots(workspace), [], "cpu", Cache())


def model():
    drawing = hcpgraph.Graph()
    drawing.add("model.load", "base", path="builtin:emoji")
    drawing.add("plugin.lora", "lora")
    drawing.connect("base.denoiser", "lora.model", many=False)
    return drawing


def ask(outlines, drawing, patterns, node="lora", may_run=True):
    return outlines.answer(Question(drawing.dump(), node, "layers", patterns), may_run=may_run)


def test_layers_are_counted_for_the_node_that_asks(tmp_path):
    outlines = Outlines(Roots(tmp_path), [], "cpu", Cache())  # in a workspace that remembers no other test's question
    drawing = model()
    assert ask(outlines, drawing, [LORA], may_run=False) is None, "the model has to be read first"
    reply = ask(outlines, drawing, [LORA])
    assert reply["problems"] == [] and reply["near"] == []
    assert 0 < reply["matched"] < reply["total"]
    assert all(name.endswith("attn1.to_q") for name in reply["names"])
    groups = reply["groups"]
    assert groups["@all"] == reply["total"] and "@norm" not in groups, "a LoRA goes to no norm"
    assert groups["@attention"] == ask(outlines, drawing, ["@attention"], may_run=False)["matched"]
    assert ask(outlines, drawing, ["@atention"], may_run=False)["problems"][0]["code"] == "E_SELECTOR"
    whole = ask(outlines, drawing, [""], may_run=False)
    assert whole["matched"] == whole["total"] == reply["total"]
    both = ask(outlines, drawing, [LORA, LORA], may_run=False)
    assert both["names"] == reply["names"], "a layer counts once"
    drawing.add("model.trainable", "all")
    drawing.connect("base.denoiser", "all.model", many=False)
    assert ask(outlines, drawing, [""], node="all")["matched"] > whole["matched"], "norms can be trained, not adapted"


def test_several_parts_of_a_model_on_one_wire(outlines):
    """The picker counts for all parts that the selectors of the node name, and offers the groups of each."""

    def whole(layers, patterns):
        drawing = hcpgraph.Graph()
        drawing.add("model.load", "base", path="builtin:emoji")
        drawing.add("plugin.lora", "lora", layers=layers)
        drawing.connect("base.model", "lora.model", many=False)
        return ask(outlines, drawing, patterns)

    both = ["@attention", "text_encoder:@attention"]
    unet, text = (whole([each], [each]) for each in both)
    assert unet["matched"] > 0 and text["matched"] > 0 and unet["problems"] == text["problems"] == []
    reply = whole(both, both)
    assert reply["matched"] == unet["matched"] + text["matched"] and reply["total"] == unet["total"] + text["total"]
    assert reply["names"] == unet["names"] + [f"text_encoder:{name}" for name in text["names"]]
    assert reply["groups"]["@attention"] == unet["matched"]
    assert reply["groups"]["text_encoder:@attention"] == text["matched"]
    assert whole(both, both[1:])["matched"] == text["matched"], "each is also counted alone"
    assert whole(both, ["text_encoder:@atention"])["problems"][0]["code"] == "E_SELECTOR"
    assert whole(both, ["vae:@attention"])["problems"][0]["code"] == "E_SELECTOR"
    assert whole(both, ["text_encoder:nothing"])["near"][0].startswith("text_encoder:")


def test_the_count_is_what_the_node_really_does(outlines, workspace):
    reply = ask(outlines, model(), [LORA])
    drawing = model()
    drawing.set("lora.layers", [LORA])
    result = hcpgraph.run(drawing, targets=["lora.adapter"], workspace=workspace, record=False)
    adapter = result.outputs["lora.adapter"]
    assert list(adapter.plugin.blocks) == reply["names"]


def test_near_misses_and_bad_selectors_are_told(outlines):
    ask(outlines, model(), [LORA])
    reply = ask(outlines, model(), ["down_blocks.0.attn.to_q", LORA], may_run=False)
    assert reply["near"] and reply["matched"] > 0
    reply = ask(outlines, model(), ["re:("], may_run=False)
    assert (reply["matched"], reply["problems"][0]["code"]) == (0, "E_SELECTOR")


def test_another_worker_finds_the_names_on_the_disk(outlines, workspace):
    reply = ask(outlines, model(), [LORA])
    fresh = Outlines(Roots(workspace), [], "cpu", Cache())
    assert ask(fresh, model(), [LORA], may_run=False) == reply


def test_an_unfinished_graph_is_no_hindrance(outlines):
    drawing = model()
    drawing.add("train.loop", "train")
    drawing.add("no.such.node", "unknown")
    drawing.add("image.save", "save")
    assert ask(outlines, drawing, [LORA])["matched"] > 0


def test_without_a_model_the_reason_is_told(outlines):
    drawing = model()
    drawing.disconnect("lora.model")
    assert ask(outlines, drawing, [LORA])["problems"][0]["code"] == "E_LAYERS"
    assert ask(outlines, drawing, [LORA], node="nobody")["problems"][0]["code"] == "E_NOT_FOUND"


def test_nothing_is_trained_or_written_for_a_count(outlines, workspace):
    """A LoRA behind the training loop of the shipped graph: the model from before the loop has the same layers."""
    drawing = hcpgraph.load(GRAPHS / "quickstart" / "train_lora.json")
    drawing.add("plugin.lora", "second")
    drawing.connect("model_done.out", "second.model", many=False)
    reply = ask(outlines, drawing, [LORA], node="second")
    assert reply["problems"] == []
    assert reply["matched"] == ask(outlines, model(), [LORA])["matched"]
    assert not (workspace / "cache" / "train").exists() and not (workspace / "runs").exists()
    assert not (workspace / "out").exists()


@pytest.mark.slow
def test_the_route_answers_beside_a_running_job_once_the_layers_are_known(server):
    question = {"graph": drawn(model()), "node": "lora", "setting": "layers", "patterns": [LORA]}
    job = server.run(graph(w=("lively.wait", {"gate": "layers"})))
    server.wait_for_event(job, lambda event: event["kind"] == "node_started")
    reply = server.request("POST", "/api/layers", json_body=question)
    assert (reply.status, reply.codes()) == (503, ["E_BUSY"])
    server.open("layers")
    server.wait(job)
    reply = server.post("/api/layers", question, "LayersReply")
    assert reply["matched"] > 0
    job = server.run(graph(w=("lively.wait", {"gate": "more layers"})))
    server.wait_for_event(job, lambda event: event["kind"] == "node_started")
    assert server.post("/api/layers", question) == reply
    server.cancel(job)
    for more in ({"node": 1}, {"setting": None}, {"patterns": "x"}):
        assert server.request("POST", "/api/layers", json_body={**question, **more}).codes() == ["E_FIELD"]


def test_pictures_of_values():
    import torch
    from hcpgraph_nodes.editor import PREVIEWS
    from hcpgraph_nodes.types import Images, Reconstruction

    one = torch.zeros(1, 3, 600, 1200)
    one[:, 0] = 1.0
    picture = PREVIEWS["Images"](Images(one))
    assert (picture.size, picture.getpixel((5, 5))) == ((256, 128), (255, 0, 0))
    picture = PREVIEWS["Reconstruction"](Reconstruction(torch.full((9, 3, 64, 64), 7.0)))
    assert (picture.size, picture.getpixel((70, 70))) == ((128, 128), (255, 255, 255)), "the first four, cut to [0, 1]"
    assert PREVIEWS["Images"](Images(torch.zeros(0, 3, 8, 8))) is None


def test_pictures_of_a_data_set(tmp_path):
    from hcpgraph_nodes.data.sources.dataset import Dataset, PictureFile, Sample
    from hcpgraph_nodes.editor import PREVIEWS
    from PIL import Image

    samples = []
    for number in range(7):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (300, 200), (number * 30, 0, 0)).save(path)
        samples.append(Sample(PictureFile(str(path), (300, 200)), "", str(number)))
    sheet = PREVIEWS["Dataset"](Dataset("d", tuple(samples)))
    assert sheet.size == (256, 170)
    assert [sheet.getpixel(at)[0] for at in ((5, 5), (200, 5), (5, 160), (200, 160))] == [0, 30, 90, 150]
    assert PREVIEWS["Dataset"](Dataset("d", ())) is None
    huge = Sample(PictureFile("nowhere.png", (9_000, 9_000)), "", "huge")
    assert PREVIEWS["Dataset"](Dataset("d", (huge,))) is None, "not decoded for a preview"


def test_every_picture_is_said_before_the_run_is_over():
    """One is being encoded by a thread of its own while the run ends, others wait."""
    said = []

    def send(message):
        time.sleep(0.5 if message["node"] == "first" else 0)
        said.append((message["node"], message["port"]))

    class Thing:
        pass

    previews = Previews("job", None, send)
    previews._shows = {"Thing": lambda value: Image.new("RGB", (4, 4))}
    previews("first", {"out": Thing()})
    time.sleep(0.05)
    previews("second", {"out": Thing(), "other": 3})
    previews.close()
    assert sorted(said) == [("first", "out"), ("second", "out")]
