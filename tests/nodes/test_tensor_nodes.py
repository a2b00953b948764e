"""Atoms on tensors against the same lines of torch, with gradients; what they refuse, in the run and before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from hcpgraph_nodes.loss.elements import elements
from hcpgraph_nodes.tensor.concat import concat
from hcpgraph_nodes.tensor.like import like
from hcpgraph_nodes.tensor.map import map_numbers
from hcpgraph_nodes.tensor.mix import mix
from hcpgraph_nodes.tensor.per_sample import per_sample
from hcpgraph_nodes.tensor.resize import resize
from hcpgraph_nodes.tensor.scale import scale
from hcpgraph_nodes.tensor.slice import cut_out
from hcpgraph_nodes.tensor.split import split
from hcpgraph_nodes.types import (
    Features,
    Images,
    Latents,
    Loss,
    LossMask,
    Noise,
    NoisyLatents,
    Prediction,
    SampleLoss,
    Target,
    Timesteps,
)
from torch import Tensor
from torch.nn import functional as F

import hcpgraph
from hcpgraph import GraphError

KEYS = (("a", 0, 0), ("b", 0, 0))


def leaf(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).requires_grad_()


def gradients(result: Tensor, leaves: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Of a weighted sum of the result, so that every element counts differently."""
    weights = torch.linspace(-1, 2, result.numel(), dtype=result.dtype).view(result.shape)
    return torch.autograd.grad((result * weights).sum(), leaves, retain_graph=True)


def same(result: Tensor, expected: Tensor, *leaves: Tensor) -> bool:
    """Whether numbers and gradients are equal to rounding."""
    pairs = zip(gradients(result, leaves), gradients(expected, leaves), strict=True)
    return torch.allclose(result, expected, rtol=1e-9) and all(torch.allclose(a, b, rtol=1e-9) for a, b in pairs)


def refused(call: Callable[[], Any]) -> tuple[str, str | None]:
    with pytest.raises(GraphError) as caught:
        call()
    assert caught.value.problem.hint
    return caught.value.problem.code, caught.value.problem.port


def told(type: str, settings: dict[str, Any], wires: dict[str, str]) -> list[tuple[str, str | None]]:
    """What the check of a graph says of a node that takes empty latents."""
    graph = hcpgraph.Graph()
    graph.add("sample.empty_latents", "latents")
    graph.add(type, "node", **settings)
    for target, source in wires.items():
        graph.connect(source, f"node.{target}")
    return [(one.code, one.port) for one in hcpgraph.validate(graph) if one.node == "node"]


# mix


def test_mix_is_the_weighted_sum_of_the_formula() -> None:
    a, b, c = leaf(2, 4, 3, 3), leaf(2, 4, 3, 3, seed=1), leaf(1, 4, 3, 3, seed=2)
    values = (Latents(a, KEYS), Latents(b), Latents(c))
    mixed = mix(values, weights=[0.25, -1.5, 2.0])
    assert type(mixed) is Latents and mixed.keys == KEYS
    assert same(mixed.data, 0.25 * a - 1.5 * b + 2 * c, a, b, c)
    assert not same(mixed.data, 0.25 * a - 1.5 * b + 2 * c + 1e-6, a, b, c)
    assert same(mix(values[:2]).data, a + b, a, b), "1 each"


def test_mix_keeps_the_kind_and_counts_losses_as_the_largest() -> None:
    a, b = leaf(2, 4, 3, 3), leaf(2, 4, 3, 3, seed=1)
    assert mix((Prediction(a, "flow"), Prediction(b, "flow")), weights=[2, -1]).kind == "flow"
    loss = mix((Loss(a.mean(), 2), Loss(b.mean(), 8)), weights=[1, -0.5])
    assert loss.count == 8 and torch.allclose(loss.data, a.mean() - 0.5 * b.mean())


def test_mix_takes_the_keys_of_what_has_as_many_rows_as_the_result() -> None:
    one, two = Latents(leaf(1, 4, 3, 3), KEYS[:1]), Latents(leaf(2, 4, 3, 3), KEYS)
    assert mix((one, two)).keys == KEYS
    assert mix((one, Latents(two.data))).keys is None


def test_mix_of_timesteps_stays_whole() -> None:
    mixed = mix((Timesteps(torch.tensor([10, 11])), Timesteps(torch.tensor([20, 20]))), weights=[0.5, 0.5])
    assert mixed.data.dtype == torch.int64 and mixed.data.tolist() == [15, 16]


def test_mix_refuses_what_does_not_fit() -> None:
    a = Latents(leaf(2, 4, 3, 3))
    assert refused(lambda: mix((a, a), weights=[1.0])) == ("E_WEIGHTS_COUNT", "weights")
    assert refused(lambda: mix((a, Latents(leaf(3, 4, 3, 3))))) == ("E_BATCH", "values.0")
    assert refused(lambda: mix((Latents(leaf(3, 4, 3, 3)), a))) == ("E_BATCH", "values.1")
    assert refused(lambda: mix((a, Latents(leaf(2, 1, 3, 3))))) == ("E_SHAPE", "values.1")
    assert refused(lambda: mix((SampleLoss(leaf(2, 4)), SampleLoss(leaf(2))))) == ("E_SHAPE", "values.1")
    p = Prediction(leaf(2, 4, 3, 3))
    assert refused(lambda: mix((p, Prediction(p.data, "flow")))) == ("E_PREDICTION", "values.1")


# map, scale, per_sample

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "neg": lambda x: -x,
    "square": lambda x: x * x,
    "abs": lambda x: torch.where(x > 0, x, -x),
    "sqrt": lambda x: x**0.5,
    "exp": lambda x: torch.e**x,
    "log": lambda x: torch.log2(x) / torch.log2(torch.tensor(torch.e, dtype=x.dtype)),
    "log_sigmoid": lambda x: -torch.log1p(torch.exp(-x)),
    "softplus": lambda x: torch.log1p(torch.exp(x)),
    "tanh": lambda x: (torch.exp(x) - torch.exp(-x)) / (torch.exp(x) + torch.exp(-x)),
    "sigmoid": lambda x: 1 / (1 + torch.exp(-x)),
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_map_is_the_function(function: str) -> None:
    x = leaf(2, 4, 3, 3)
    inside = x.abs() + 0.1 if function in ("sqrt", "log") else x
    mapped = map_numbers(Noise(inside, KEYS), function=function)
    assert (type(mapped), mapped.keys) == (Noise, KEYS)
    assert same(mapped.data, FUNCTIONS[function](inside), x)
    assert not same(mapped.data, FUNCTIONS[function](inside) * 1.0001, x)


def test_map_clamps_on_one_side_or_both_and_keeps_the_count_of_a_loss() -> None:
    x = leaf(2, 4, 3, 3)
    assert same(map_numbers(SampleLoss(x), function="clamp", low=0).data, torch.relu(x), x)
    assert same(map_numbers(SampleLoss(x), function="clamp", low=-0.5, high=0.5).data, F.hardtanh(x, -0.5, 0.5), x)
    assert map_numbers(Loss(x.mean(), 2), function="exp").count == 2


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"function": "exp", "low": 0.0}, ("E_SETTING", "low")),
        ({"function": "exp", "high": 0.0}, ("E_SETTING", "high")),
        ({"function": "clamp"}, ("E_SETTING", "low")),
        ({"function": "clamp", "low": 1.0, "high": 0.0}, ("E_RANGE", "low")),
    ],
)
def test_map_refuses_bounds_that_nobody_reads(settings: dict[str, Any], wrong: tuple[str, str]) -> None:
    assert refused(lambda: map_numbers(Noise(leaf(1, 1)), **settings)) == wrong
    assert told("tensor.map", settings, {"value": "latents.out"}) == [wrong]
    assert told("tensor.map", {"function": "clamp", "low": 0.0, "high": 1.0}, {"value": "latents.out"}) == []


def test_scale_multiplies_by_weights_of_samples_or_elements() -> None:
    x, rows, mask = leaf(2, 4, 3, 3), leaf(2, seed=1), leaf(2, 1, 3, 3, seed=2)
    scaled = scale(Latents(x, KEYS), SampleLoss(rows), multiplier=-0.5)
    assert scaled.keys == KEYS and same(scaled.data, x * rows.view(2, 1, 1, 1) * -0.5, x, rows)
    assert same(scale(SampleLoss(x), LossMask(mask)).data, x * mask, x, mask)
    assert same(scale(SampleLoss(rows), SampleLoss(rows)).data, rows.square(), rows)
    assert same(scale(Target(x, "flow"), multiplier=3).data, 3 * x, x)
    assert scale(Loss(x.mean(), 7), multiplier=2).count == 7
    assert refused(lambda: scale(Latents(x), SampleLoss(leaf(3)))) == ("E_BATCH", "weights")
    assert refused(lambda: scale(Latents(x), SampleLoss(leaf(3, 3)))) == ("E_BATCH", "weights"), "torch would do it"
    assert refused(lambda: scale(Latents(x), SampleLoss(leaf(2, 3)))) == ("E_SHAPE", "weights")
    assert refused(lambda: scale(SampleLoss(leaf(1, 4, 3, 3)), SampleLoss(rows))) == ("E_SHAPE", "weights")
    assert refused(lambda: scale(Loss(x.mean()), SampleLoss(rows))) == ("E_SHAPE", "weights")


def test_per_sample_reduces_rows() -> None:
    x = leaf(3, 4, 2, 2)
    flat = x.reshape(3, -1)
    expected = {"mean": flat.sum(1) / 16, "sum": flat.sum(1), "max": flat.max(1).values,
                "norm": (flat * flat).sum(1).sqrt()}  # fmt: skip
    for reduction, rows in expected.items():
        result = per_sample(Latents(x), reduction=reduction)
        assert type(result) is SampleLoss and same(result.data, rows, x), reduction
    one = leaf(3)
    assert same(per_sample(SampleLoss(one)).data, one, one)
    assert same(per_sample(SampleLoss(one), reduction="norm").data, one.abs(), one)
    assert refused(lambda: per_sample(SampleLoss(one.sum()))) == ("E_SHAPE", "value")


# like, elements


def test_like_takes_numbers_for_something_else_and_gradients_flow() -> None:
    x = leaf(2, 4, 3, 3)
    picture, clean = Prediction(x, "sample"), Latents(torch.zeros(2, 4, 3, 3), KEYS)
    taken = like(picture, clean)
    assert (type(taken), taken.keys) == (Latents, KEYS) and same(taken.data, x * 1, x)
    assert like(clean, Target(x, "sample")).kind == "sample"
    assert type(like(clean, NoisyLatents(x))) is NoisyLatents
    assert refused(lambda: like(Prediction(x, "epsilon"), clean)) == ("E_PREDICTION", "value")
    assert refused(lambda: like(Prediction(x, "flow"), Noise(x))) == ("E_PREDICTION", "value")
    assert refused(lambda: like(Prediction(x, "flow"), Target(x, "sample"))) == ("E_PREDICTION", "value")
    assert refused(lambda: like(Prediction(x[:1], "sample"), Latents(leaf(3, 4, 3, 3)))) == ("E_SHAPE", "value")
    assert refused(lambda: like(picture, Latents(leaf(3, 4, 3, 3)))) == ("E_BATCH", "value")


def test_elements_are_losses() -> None:
    x = leaf(2, 4, 3, 3)
    assert type(elements(Prediction(x))) is SampleLoss and elements(Prediction(x)).data is x


# concat, split, slice


def test_concat_and_split_are_torch_and_undo_each_other() -> None:
    a, b = leaf(2, 4, 3, 3), leaf(2, 4, 3, 3, seed=1)
    other = (("c", 0, 0), ("d", 0, 0))
    both = concat((Latents(a, KEYS), Latents(b, other)), along="batch")
    assert both.keys == KEYS + other and same(both.data, torch.cat([a, b]), a, b)
    first, rest = split(both)
    assert (first.keys, rest.keys) == (KEYS, other) and same(first.data - rest.data, a - b, a, b)
    assert concat((Latents(a, KEYS), Latents(b))).keys is None
    wide = concat((Noise(a, KEYS), Noise(b[:, :1], other)), along="channels")
    assert wide.keys == KEYS and same(wide.data, torch.cat([a, b[:, :1]], 1), a, b)
    front, back = split(wide, along="channels", size=4)
    assert front.keys == back.keys == KEYS and same(back.data, b[:, :1] * 1, b) and front.data.shape[1] == 4
    times = split(Timesteps(torch.tensor([1, 2, 3]), (*KEYS, other[0])), parts=3)
    assert times.first.data.tolist() == [1] and times.rest.data.tolist() == [2, 3] and times.rest.keys[1] == other[0]
    assert concat((Prediction(a, "flow"), Prediction(b, "flow"))).kind == "flow"


def test_concat_and_split_refuse_what_does_not_fit() -> None:
    a, three = leaf(2, 4, 3, 3), leaf(3, 4, 3, 3)
    assert refused(lambda: concat((Latents(a), Latents(three)), along="channels")) == ("E_BATCH", "values.1")
    assert refused(lambda: concat((Latents(a), Latents(leaf(2, 3, 3, 3))))) == ("E_SHAPE", "values.1")
    assert refused(lambda: concat((SampleLoss(leaf(2)),) * 2, along="channels")) == ("E_SHAPE", "values.0")
    kinds = (Prediction(a), Prediction(a, "flow"))
    assert refused(lambda: concat(kinds)) == ("E_PREDICTION", "values.1")
    assert refused(lambda: split(Latents(three))) == ("E_RANGE", "value")
    assert refused(lambda: split(Latents(three), size=3)) == ("E_RANGE", "value")
    assert refused(lambda: split(SampleLoss(leaf(2)), along="channels")) == ("E_SHAPE", "value")
    assert refused(lambda: split(Latents(a), parts=4, size=1)) == ("E_SETTING", "parts")
    assert told("tensor.split", {"parts": 4, "size": 1}, {"value": "latents.out"}) == [("E_SETTING", "parts")]
    assert told("tensor.split", {"size": 1}, {"value": "latents.out"}) == []


@pytest.mark.parametrize(
    ("start", "stop", "step"), [(0, None, 1), (1, 3, 1), (-2, None, 1), (0, -1, 2), (1, None, 2), (0, 99, 3)]
)
def test_slice_is_that_of_python(start: int, stop: int | None, step: int) -> None:
    keys = tuple((name, 0, 0) for name in "abcd")
    x, kept = leaf(4, 4, 2, 2), slice(start, stop, step)
    rows = cut_out(Latents(x, keys), along="batch", start=start, stop=stop, step=step)
    assert rows.keys == keys[kept] and same(rows.data, x[list(range(4))[kept]], x)
    channels = cut_out(Latents(x, keys), along="channels", start=start, stop=stop, step=step)
    assert channels.keys == keys and same(channels.data, x[:, list(range(4))[kept]], x)


def test_slice_refuses_nothing() -> None:
    assert refused(lambda: cut_out(Latents(leaf(2, 4, 2, 2)), start=4)) == ("E_RANGE", "start")
    assert refused(lambda: cut_out(SampleLoss(leaf(2)))) == ("E_SHAPE", "value")


# resize


@pytest.mark.parametrize("method", ["nearest", "bilinear", "bicubic", "area"])
@pytest.mark.parametrize("zoom", [0.5, 2.0])
def test_resize_is_torch(method: str, zoom: float) -> None:
    x = leaf(2, 4, 6, 8)
    size, smooth = (int(6 * zoom), int(8 * zoom)), method.startswith("bi")
    expected = F.interpolate(x, size, mode="nearest-exact" if method == "nearest" else method,
                             **({"antialias": True} if smooth else {}))  # fmt: skip
    resized = resize(Latents(x, KEYS), zoom=zoom, method=method)
    assert resized.keys == KEYS and same(resized.data, expected, x)
    by_wire = resize(Latents(x), LossMask(torch.zeros(5, 1, *size)), method=method)
    assert torch.equal(by_wire.data, resized.data)


def test_resize_by_area_is_the_mean_of_blocks_and_bilinear_is_antialiased() -> None:
    x = leaf(1, 1, 8, 8)
    blocks = x.view(1, 1, 4, 2, 4, 2).mean((3, 5))
    assert same(resize(LossMask(x), zoom=0.5, method="area").data, blocks, x)
    stripes = torch.zeros(1, 1, 32, 32)
    stripes[..., ::4] = 1
    inside = resize(Latents(stripes), zoom=0.25).data[..., 1:-1]
    assert (inside - 0.25).abs().max() < 0.05
    assert F.interpolate(stripes, (8, 8), mode="bilinear").max() == 0, "without antialiasing the stripes are gone"


def test_resize_keeps_pictures_and_masks_in_their_range() -> None:
    steps = torch.zeros(1, 3, 8, 8)
    steps[..., 4:] = 1
    assert resize(Latents(steps), zoom=2, method="bicubic").data.max() > 1
    grown = resize(Images(steps), zoom=2, method="bicubic").data
    assert grown.min() == 0 and grown.max() == 1
    assert resize(LossMask(5 * steps[:, :1]), zoom=2, method="bicubic").data.aminmax().min == 0
    same_size = Latents(steps)
    assert resize(same_size, zoom=1) is same_size


def test_resize_asks_for_one_size() -> None:
    latents = Latents(leaf(1, 4, 4, 4))
    assert refused(lambda: resize(latents)) == ("E_SETTING", "like")
    assert refused(lambda: resize(latents, latents, zoom=2)) == ("E_SETTING", "zoom")
    assert refused(lambda: resize(SampleLoss(leaf(2)), zoom=2)) == ("E_SHAPE", "value")
    assert refused(lambda: resize(latents, SampleLoss(leaf(2)))) == ("E_SHAPE", "like")
    value = {"value": "latents.out"}
    assert told("tensor.resize", {}, value) == [("E_SETTING", "like")]
    assert told("tensor.resize", {"zoom": 2.0}, value | {"like": "latents.out"}) == [("E_SETTING", "zoom")]
    assert told("tensor.resize", {"zoom": 2.0}, value) == []


# types on wires


def test_results_have_the_type_of_what_came_in() -> None:
    assert told("tensor.mix", {"weights": [1.0]}, {"values.0": "latents.out", "values.1": "latents.out"}) == [
        ("E_WEIGHTS_COUNT", "weights")
    ]
    graph = hcpgraph.Graph()
    for type, id in (("tensor.mix", "mix"), ("tensor.split", "split"), ("image.decode", "decode")):
        graph.add(type, id)
    graph.add("sample.empty_latents", "latents")
    graph.connect("latents.out", "mix.values.0")
    graph.connect("mix.out", "split.value")
    graph.connect("split.rest", "decode.latents")
    assert not [one for one in hcpgraph.validate(graph) if one.code == "E_TYPE"]
    graph.add("loss.mean", "mean")
    graph.connect("split.first", "mean.loss")
    assert [(one.node, one.port) for one in hcpgraph.validate(graph) if one.code == "E_TYPE"] == [("mean", "loss")]
    graph.add("text.prompt", "prompt")
    graph.connect("prompt.out", "mix.values.1")
    assert ("mix", "values.1") in [(one.node, one.port) for one in hcpgraph.validate(graph) if one.code == "E_TYPE"]


def test_facts_go_through_and_meet() -> None:
    """Latents of one autoencoder stay its latents, however they are put together."""
    graph = hcpgraph.Graph()
    for family in ("sd15", "sdxl"):
        graph.add("vae.load", f"vae_{family}", family=family, path="models:none")
        graph.add("sample.empty_latents", f"latents_{family}")
        graph.connect(f"vae_{family}.out", f"latents_{family}.vae")
    for type, id in (("tensor.mix", "mix"), ("tensor.split", "split"), ("image.decode", "decode")):
        graph.add(type, id)
    graph.connect("latents_sd15.out", "mix.values.0")
    graph.connect("mix.out", "split.value")
    graph.connect("split.rest", "decode.latents")
    graph.connect("vae_sd15.out", "decode.vae")

    def contradictions() -> list[tuple[str | None, str | None]]:
        return [(one.node, one.port) for one in hcpgraph.validate(graph) if one.code == "E_FACT"]

    assert contradictions() == []
    graph.connect("vae_sdxl.out", "decode.vae")
    assert [node for node, _ in contradictions()] == ["decode"]
    graph.connect("latents_sdxl.out", "mix.values.1")
    assert ("mix", "values.1") in contradictions()


def test_a_record_with_more_fields_keeps_them() -> None:
    x = leaf(2, 4, 3)
    features = Features(x, (2, 2), KEYS)
    assert (scale(features, multiplier=2).grid, scale(features, multiplier=2).keys) == ((2, 2), KEYS)
    first = cut_out(features, along="batch", stop=1)
    assert (first.grid, first.keys) == ((2, 2), KEYS[:1])
