"""Settings that must agree: every pair of `hcpgraph_nodes.pairs`, wrong, and right beside it."""

from pathlib import Path

import pytest
from hcpgraph_nodes.pairs import counts, files, inside, lengths, objectives, sizes, training

import hcpgraph
from hcpgraph import Graph
from hcpgraph.checking.analyse import analyse, default_roots
from hcpgraph.declaring.registry import default_registry

ROOT = Path(__file__).resolve().parents[2]
RULES = [rule for module in (lengths, training, objectives, files, counts, sizes, inside) for rule in module.RULES]


def told(g: Graph, code: str, workspace=None) -> list[tuple[str | None, str, str]]:
    found = analyse(g, default_registry(), default_roots(workspace)).problems
    return [(problem.node, problem.severity, problem.message) for problem in found if problem.code == code]


def quickstart(**settings) -> Graph:
    g = hcpgraph.load(ROOT / "graphs/quickstart/train_lora.json")
    for name, value in settings.items():
        g.set(name.replace("__", "."), value)
    return g


def wired(g: Graph, **wires) -> Graph:
    for target, source in wires.items():
        g.connect(source, target.replace("__", "."))
    return g


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_pair_stands_in_the_docs_and_is_tested(rule):
    (first, *_) = (rule.__doc__ or "").splitlines()
    assert first and first in (ROOT / "docs/training.md").read_text(encoding="utf-8"), first
    engine = (ROOT / "tests/engine").glob("test_*.py")
    tested = [Path(__file__), *engine]
    assert any(f"# {rule.__name__}" in path.read_text(encoding="utf-8") for path in tested)


# comes_due
@pytest.mark.parametrize(
    ("node", "settings", "words"),
    [
        ("check", {"check__steps": 121}, "runs every 121 steps, and 'train' does 120: only before the first step"),
        ("check", {"check__steps": 120}, None),
        ("check", {"train__steps": 20}, "and 'train' does 20"),
    ],
)
def test_what_runs_now_and_then_comes_due(node, settings, words):
    found = told(quickstart(**settings), "W_NEVER")
    assert [(id, severity) for id, severity, _ in found] == ([(node, "warning")] if words else [])
    assert words is None or words in found[0][2]


def test_what_does_not_run_at_the_start_either_never_runs():
    g = quickstart()
    g.add("train.every", "every", inside="train", steps=500, at_start=False)
    ((_, _, message),) = told(g, "W_NEVER")
    assert message.endswith("never")
    g.add("flow.repeat", "again", times=5)
    g.add("value.list", "none", settings={"value": []})
    wired(g, again__state="none.out", again__next="train.losses")
    g.move_into("train", "again")
    assert told(g, "W_NEVER") == []


def averaged(ema=True, read=True) -> Graph:
    g = quickstart()
    if ema:
        g.add("optim.ema", "ema")
        wired(g, ema__optimizer="schedule.out")
        g.connect("ema.out", "train.optimizer.0")
    if read:
        g.add("train.averaged", "average")
        wired(g, average__value="lora.adapter", average__trained="train.trained")
        g.connect("average.out", "save_lora.adapter.0")
    return g


# average_is_kept
# average_is_read
def test_an_average_is_kept_where_it_is_read_and_read_where_it_is_kept():
    ((id, severity, message),) = told(averaged(ema=False), "E_EMA")
    assert (id, severity) == ("average", "error") and "'train' keeps no average" in message
    assert [id for id, *_ in told(averaged(read=False), "W_UNREAD")] == ["ema"]
    for code in ("E_EMA", "W_UNREAD"):
        assert told(averaged(), code) == []
        assert told(averaged(ema=False, read=False), code) == []


# rate_has_an_end
@pytest.mark.parametrize(
    ("rate", "kind", "wrong"), [(1e-7, "polynomial", True), (1e-4, "polynomial", False), (0, "cosine", False)]
)
def test_a_polynomial_needs_a_learning_rate_above_its_end(rate, kind, wrong):
    found = told(quickstart(schedule__kind=kind, optimizer__lr=rate), "E_SETTING")
    assert [id for id, *_ in found] == (["schedule"] if wrong else [])


# length_is_read
def test_a_length_that_no_argument_takes_is_told():
    g = quickstart()
    g.remove("schedule")
    g.add("python.object", "kind", path="torch.optim.lr_scheduler:StepLR", args={"step_size": 10})
    g.add("optim.custom_schedule", "own", total_steps=50)
    wired(g, own__optimizer="optimizer.out", own__kind="kind.out")
    g.connect("own.out", "train.optimizer.0")
    assert [id for id, *_ in told(g, "W_LENGTH")] == ["own"]
    g.set("own.total_steps", "auto")
    assert told(g, "W_LENGTH") == []


def saving(first: str, second: str, *, overwrite=(False, False), inside: str | None = None, kind="image.save") -> Graph:
    g = Graph()
    g.add("image.load", "picture", path="builtin:emoji/contact.webp")
    for id, path, replaces in zip("ab", (first, second), overwrite, strict=True):
        g.add(kind, id, path=path, **({"overwrite": replaces} if kind == "image.save" else {}))
        wired(g, **{f"{id}__images": "picture.out"})
    if inside:
        g.add("value.list", "items", settings={"value": [1, 2]})
        g.add("flow.for_each", "each")
        wired(g, each__items="items.out")
        g.move_into("a", "each")
        g.connect("a.out", "each.result")
    return g


# places_differ
@pytest.mark.parametrize(
    ("settings", "severity"),
    [
        ({"second": "out:a.png"}, "warning"),
        ({"second": "out:A.png"}, "warning"),
        ({"second": "out:./a.png"}, "warning"),
        ({"second": "out:a.png", "overwrite": (True, False)}, "error"),
        ({"second": "out:a.png", "kind": "image.log"}, "error"),
        ({"second": "out:b.png"}, None),
        ({"second": "out:b.png", "overwrite": (True, True)}, None),
        ({"second": "out:b.png", "overwrite": (True, False), "inside": "each"}, "warning"),
        ({"second": "out:b.png", "inside": "each"}, None),
    ],
)
def test_two_savers_do_not_write_the_same_place(settings, severity):
    found = told(saving("out:a.png", **settings), "E_SAME_PLACE" if severity == "error" else "W_SAME_PLACE")
    assert [each for _, each, _ in found] == ([severity] if severity else [])


def test_a_path_that_is_made_of_values_and_one_inside_of_training_are_compared_too():
    g = saving("out:x.png", "out:sub/a.png", overwrite=(True, True))
    g.add("value.text", "name", value="sub/a")
    g.add("value.format", "path", template="out:{}.png")
    specs = default_registry().find("value.format")
    g.set("path.template", "out:{name}.png")
    g.set("path.values", {"name": "sub/a"})
    assert specs is not None
    g.connect("path.out", "a.path")
    assert [each for _, each, _ in told(g, "E_SAME_PLACE")] == ["error"]
    g.set("path.values", {"name": "sub/b"})
    assert told(g, "E_SAME_PLACE") == []

    def trained(path: str, **settings) -> Graph:
        g = quickstart()
        g.add("train.every", "every", inside="train", steps=50)
        g.add("plugin.save", "during", inside="every", path=path, **settings)
        g.connect("lora.adapter", "during.adapter.0")
        return g

    assert told(trained("out:quickstart/cats.safetensors", overwrite=True), "E_SAME_PLACE")
    assert not told(trained("out:quickstart/cats.safetensors"), "E_SAME_PLACE")
    assert not told(trained("out:quickstart/latest.safetensors", overwrite=True), "W_SAME_PLACE")


def test_branches_of_which_one_runs_may_write_the_same_place():
    g = saving("out:a.png", "out:a.png", overwrite=(True, True))
    g.add("flow.switch", "switch")
    wired(g, switch__on_true="a.out", switch__on_false="b.out")
    assert told(g, "E_SAME_PLACE") == []


# prompts_for_pictures
@pytest.mark.parametrize(
    ("settings", "ports"),
    [
        ({"before__count": 5}, ["before/sample"]),
        ({"after__count": 4}, ["after/sample"]),
        ({"prompts__texts": ["one", "two"]}, ["after/sample", "before/sample"]),
        ({"prompts__texts": ["one"]}, []),
        ({"nothing__repeat": 2}, ["after/sample", "before/sample"]),
        ({"nothing__repeat": 6}, []),
        ({}, []),
    ],
)
def test_there_is_one_prompt_for_all_pictures_or_one_a_picture(settings, ports):
    assert sorted({id for id, *_ in told(quickstart(**settings), "E_BATCH")}) == ports


# captions_below_pictures
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"grid__row_titles": ["a", "b", "c"]}, "3 row_titles for 2 rows"),
        ({"grid__row_titles": ["a", "b", "c"], "grid__columns": 4}, None),
        ({"before__count": 7, "after__count": 7}, "6 captions for 14 pictures in 7 columns"),
        ({"before__count": 1, "after__count": 1, "prompts__texts": ["x"]}, None),
        ({}, None),
    ],
)
def test_a_grid_has_titles_for_rows_and_captions_for_pictures(settings, words):
    found = [message for id, _, message in told(quickstart(**settings), "E_GRID") if id == "grid"]
    assert found == ([words] if words else [])


# names_of_curves
def test_a_plot_has_no_more_names_than_curves():
    assert "2 names for 1 curve" in told(quickstart(plot__names=["a", "b"]), "W_COUNT")[0][2]
    assert told(quickstart(plot__names=["a"]), "W_COUNT") == told(quickstart(plot__names=[]), "W_COUNT") == []


def bucketed(size: int, planned: int, *, latents=0, leftover="pad_repeat") -> Graph:
    g = Graph()
    g.add("data.openmoji", "pictures", limit=8)
    g.add("data.auto_bucket", "buckets", batch_size=planned, target_area=4096, leftover=leftover)
    wired(g, buckets__dataset="pictures.out")
    if not latents:
        g.add("data.loader", "loader", batch_size=size)
        return wired(g, loader__data="buckets.out")
    g.add("vae.new", "vae")
    g.add("data.latents", "latents", batch_size=latents)
    g.add("data.latent_loader", "loader", batch_size=size)
    return wired(g, latents__data="buckets.out", latents__vae="vae.out", loader__data="latents.out")


# batches_as_planned
def test_a_loader_takes_batches_as_large_as_its_buckets_were_planned_for():
    assert [(id, severity) for id, severity, _ in told(bucketed(4, 8), "W_COUNT")] == [("loader", "warning")]
    assert told(bucketed(8, 8), "W_COUNT") == []
    ((id, severity, message),) = told(bucketed(4, 4, latents=8, leftover="merge"), "E_DATA")
    assert (id, severity) == ("loader", "error") and "batches of 8, and this loader takes 4" in message
    assert told(bucketed(4, 4, latents=4, leftover="merge"), "E_DATA") == []
    assert told(bucketed(4, 4, latents=8), "E_DATA") == []


# pictures_fit_the_model
@pytest.mark.parametrize(
    ("settings", "wrong"),
    [({"before__width": 66}, ["before/canvas"]), ({"before__width": 72, "after__height": 80}, [])],
)
def test_the_sides_of_pictures_fit_the_vae(settings, wrong):
    assert [id for id, *_ in told(quickstart(**settings), "E_SIZE")] == wrong


def test_the_sides_of_pictures_fit_a_vae_that_is_made_and_a_model_that_is_missing_says_nothing(workspace):
    g = Graph()
    g.add("model.new", "model", vae_channels=[8, 16, 16], channels=[8, 16])
    g.add("sample.empty_latents", "canvas", width=26, height=24)
    wired(g, canvas__vae="model.vae")
    assert len(told(g, "E_SIZE", workspace)) == 1
    g.set("canvas.width", 28)
    assert told(g, "E_SIZE", workspace) == []
    assert told(hcpgraph.load(ROOT / "graphs/train/lora.json"), "E_SIZE", workspace) == []


# pictures_are_usual
def test_pictures_far_from_the_size_of_the_model_are_told():
    found = told(quickstart(before__width=512, before__height=512), "W_SIZE")
    assert [id for id, *_ in found] == ["before/sample"] and "trained with 64 × 64" in found[0][2]
    assert told(quickstart(before__width=96, before__height=64), "W_SIZE") == []


def one(type: str, **settings) -> Graph:
    g = Graph()
    g.add(type, "node", settings=settings)
    return g


# word_fits_its_format
@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"path": "out:cat.pt", "format": "safetensors"}, True),
        ({"path": "out:cat.safetensors", "format": "a1111"}, True),
        ({"path": "out:cat.safetensors", "format": "diffusers"}, False),
        ({"path": "out:cat.pt", "format": "a1111"}, False),
        ({}, False),
    ],
)
def test_a_word_ends_as_its_format_is_written(settings, wrong):
    assert bool(told(one("word.save", **settings), "E_WORD_FORMAT")) == wrong


@pytest.mark.parametrize(("family", "wrong"), [("sdxl", True), ("sd15", False)])
def test_a_word_of_two_networks_has_no_place_in_a1111s_file(family, wrong):
    g = Graph()
    g.add("model.new", "model", family=family, text_layers=2)
    g.add("word.new", "word", name="<cat>")
    g.add("word.save", "save", format="a1111", path="out:cat.pt")
    wired(g, word__model="model.text_encoder", save__word="word.word")
    assert bool(told(g, "E_WORD_FORMAT")) == wrong


# layout_has_a_place
@pytest.mark.parametrize(
    ("kind", "settings", "layout", "wrong"),
    [
        ("plugin.loha", {}, "peft", True),
        ("plugin.lokr", {}, "hcp", True),
        ("plugin.loha", {}, "kohya", False),
        ("plugin.lora", {}, "peft", False),
        ("plugin.lora", {"bias": True}, "peft", True),
        ("plugin.lora", {"decompose": True}, "hcp", True),
        ("plugin.lora", {"decompose": True}, "peft", False),
    ],
)
def test_a_layout_has_a_place_for_the_adapter(kind, settings, layout, wrong):
    g = quickstart(save_lora__layout=layout)
    g.add(kind, "other", **settings)
    wired(g, other__model="model.denoiser", adapter_done__value="other.adapter")
    assert bool(told(g, "E_ADAPTER")) == wrong


def test_a_file_of_hcp_is_for_one_component():
    for name, wrong in (("lora", 0), ("lora_text_encoder", 1)):
        g = hcpgraph.load(ROOT / f"graphs/train/{name}.json")
        assert not told(g, "E_ADAPTER")
        g.set("save.layout", "hcp")
        assert len(told(g, "E_ADAPTER")) == wrong
    g = hcpgraph.load(ROOT / "graphs/train/lora.json")
    g.set("save.layout", "hcp")
    g.set("lora.layers", ["@attention", "text_encoder:@attention"])
    assert len(told(g, "E_ADAPTER")) == 1


# sampler_reads_it
@pytest.mark.parametrize(
    ("settings", "wrong"),
    [({"eta": 0.5, "sampler": "euler"}, True), ({"eta": 0.5, "sampler": "ddim"}, False), ({"sampler": "euler"}, False)],
)
def test_eta_is_read_by_ddim_alone(settings, wrong):
    assert bool(told(one("sample.denoise", **settings), "W_UNREAD")) == wrong


@pytest.mark.parametrize(("guidance", "wrong"), [(1.0, True), (4.0, False)])
def test_a_model_for_the_negative_side_needs_guidance(guidance, wrong):
    g = one("sample.denoise", guidance=guidance)
    g.add("model.new", "model")
    assert bool(told(wired(g, node__negative_denoiser="model.denoiser"), "W_UNREAD")) == wrong


# lists_fit_their_wires
@pytest.mark.parametrize(
    ("settings", "wrong"), [({"repeats": [1, 2, 3]}, 1), ({"weights": [0.5]}, 1), ({"repeats": [1, 2]}, 0), ({}, 0)]
)
def test_lists_of_a_merge_fit_its_wires(settings, wrong):
    g = one("data.merge", **settings)
    for id in "ab":
        g.add("data.openmoji", id, limit=2, name=id)
        g.connect(f"{id}.out", "node.datasets", many=True)
    assert len(told(g, "E_WEIGHTS_COUNT")) == wrong


# smallest_below_largest
@pytest.mark.parametrize(
    ("g", "wrong"),
    [
        (one("data.crop_jitter", min_zoom=1.5, max_zoom=1.2), 1),
        (one("data.crop_jitter", min_zoom=1.1, max_zoom=1.2), 0),
        (one("data.filter", min_side=600, max_side=500, min_ratio=2.0, max_ratio=1.0), 2),
        (one("data.filter", min_side=600, max_side=0), 0),
    ],
)
def test_a_smallest_value_lies_below_its_largest(g, wrong):
    assert len(told(g, "E_RANGE")) == wrong


# leftovers_need_a_batch
@pytest.mark.parametrize(("leftover", "batch", "wrong"), [("merge", 0, True), ("merge", 4, False), ("drop", 0, False)])
def test_merged_leftovers_need_a_batch_size(leftover, batch, wrong):
    g = bucketed(4, 4, latents=1, leftover=leftover)
    g.set("latents.batch_size", batch)
    assert bool(told(g, "E_DATA")) == wrong


# one_source_of_templates
@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"file": "builtin:templates/object.txt", "templates": ["a photo of {caption}"]}, True),
        ({"file": "builtin:templates/object.txt"}, False),
        ({"templates": ["a photo of {caption}"]}, False),
    ],
)
def test_templates_have_one_source(settings, wrong):
    assert bool(told(one("text.template", **settings), "E_TEMPLATE")) == wrong


# backend_has_the_mode
@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"backend": "aot_eager", "mode": "max-autotune"}, True),
        ({"backend": "aot_eager"}, False),
        ({"mode": "max-autotune"}, False),
    ],
)
def test_a_backend_has_the_mode(settings, wrong):
    assert bool(told(one("model.compile", **settings), "E_SETTING")) == wrong


# points_rise
# curve_can_be
@pytest.mark.parametrize(
    ("node", "settings", "port"),
    [
        ("value.at_step", {"points": [[0, 1.0], [5, 2.0]]}, None),
        ("value.at_step", {"points": [[5, 1.0], [0, 2.0]]}, "points"),
        ("value.curve", {"over": 10, "warmup_steps": 9.0}, None),
        ("value.curve", {"over": 10, "warmup_steps": 10.0}, "warmup_steps"),
        ("value.curve", {"over": 10, "shape": "exponential", "end": 0.0}, "end"),
    ],
)
def test_values_of_the_step_can_be_had(node, settings, port):
    g = quickstart()
    g.add(node, "follows", inside="train", settings=settings)
    g.connect("train.update", "follows.step")
    found = [problem for problem in hcpgraph.validate(g) if problem.node == "follows"]
    assert [(problem.code, problem.port) for problem in found] == ([("E_SETTING", port)] if port else [])
