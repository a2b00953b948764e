"""The four kinds of plugins on a small module, against references."""

from __future__ import annotations

import gc

import pytest
import torch
from hcpgraph_nodes.model.handles import Handle
from hcpgraph_nodes.model.root import Placement, Root
from hcpgraph_nodes.optim.adamw import adamw
from hcpgraph_nodes.plugins.attach import adapted
from hcpgraph_nodes.plugins.base import load_model_state, model_state
from hcpgraph_nodes.plugins.kinds import MultiPluginBlock, PluginBlock, SinglePluginBlock, WrapPluginBlock
from torch import nn

from hcpgraph import GraphError

from .plugin_page import Gate, Mixed, Scale, Shortcut, Thin, fill, random


class Net(nn.Module):
    """Three linear layers; `c` is called by name, and gives a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 5), nn.Linear(5, 6), Pair()
        with torch.no_grad():
            for number, parameter in enumerate(self.parameters()):
                parameter.copy_(random(*parameter.shape, seed=number))
        self.segment = None

    def enable_gradient_checkpointing(self, function) -> None:
        self.segment = function

    def forward(self, x):
        run = self.segment or (lambda call, *args: call(*args))
        h = self.a(x)
        h = run(lambda h: torch.tanh(self.b(torch.tanh(h))), h)
        return run(lambda h: self.c(hidden=h)[0], h)


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(6, 6)

    def forward(self, hidden):
        return self.inner(hidden), "kept"


def net(checkpointing: bool = False) -> Handle:
    return Handle(root=Root(Net, Placement(torch.device("cpu"), checkpointing=checkpointing)), family="sd15")


def out(handle: Handle, x: torch.Tensor, **inputs) -> torch.Tensor:
    with handle.active(**inputs) as module:
        return module(x)


X = random(3, 4)
BASE = net()
A, B, C = BASE.root.module.a, BASE.root.module.b, BASE.root.module.c.inner


def test_a_wrap_block_takes_the_place_of_a_layer_and_keeps_it() -> None:
    whole = Thin.on(BASE, ["b"], lambda at: Thin(at.layer, rank=5))
    before = {name: value.clone() for name, value in BASE.root.module.state_dict().items()}
    thin = BASE.attach(whole)
    assert torch.allclose(out(thin, X), out(BASE, X), atol=1e-5)
    out(BASE.attach(Thin.on(BASE, ["b"], lambda at: Thin(at.layer, rank=1))), X).sum().backward()
    assert B.weight.grad is None
    assert sorted(whole.state()) == ["b.bias", "b.down", "b.up"]
    assert BASE.root.module.state_dict().keys() == before.keys()
    inner = fill(Scale.on(BASE, ["b"]))
    assert torch.equal(out(BASE.attach(inner).attach(whole), X), out(thin, X)), (
        "what is below a replaced layer is silent"
    )
    assert not torch.equal(out(thin.attach(inner), X), out(thin, X))


def test_a_layer_that_a_block_keeps_as_an_attribute_becomes_a_part_of_it() -> None:
    class Keeper(WrapPluginBlock):
        def __init__(self, layer):
            super().__init__()
            self.layer = layer

    assert sorted(Keeper.on(BASE, ["b"], trainable=True).state()) == ["b.layer.bias", "b.layer.weight"]


def test_single_changes_an_output_or_an_input() -> None:
    plugin = fill(Scale.on(BASE, ["a", "pre_hook:b", "pre_hook:c", "c"]))
    fa, fb, fc, fd = (block.factor for block in plugin.blocks.values())
    assert list(plugin.blocks) == ["a", "pre_hook:b", "pre_hook:c", "c"]
    expected = C(torch.tanh(B(torch.tanh(A(X) * fa) * fb)) * fc) * fd
    assert torch.equal(out(BASE.attach(plugin), X), expected)


def test_a_plugin_block_leads_from_one_layer_to_another() -> None:
    plugin = fill(Shortcut.on(BASE, ["pre_hook:a", "pre_hook:b"], ["b", "c.inner"]))
    first, second = (block.weight for block in plugin.blocks.values())
    hidden = torch.tanh(A(X))
    middle = torch.tanh(B(hidden) + X @ first.T)
    assert torch.equal(out(BASE.attach(plugin), X), C(middle) + hidden @ second.T)


def test_a_multi_plugin_block_leads_from_many_to_many() -> None:
    class Both(MultiPluginBlock):
        def __init__(self, sources, targets):
            super().__init__()
            self.maps = nn.ModuleList(nn.Linear(4 + 5, size) for size in (6, 6))

        def forward(self, features):
            return [each(torch.cat(features, 1)) for each in self.maps]

        def join(self, index, value, result):
            return value * result if index else super().join(index, value, result)

    plugin = fill(Both.on(BASE, ["pre_hook:a", "a"], ["b", "pre_hook:c"]))
    (block,) = plugin.blocks.values()
    features = torch.cat([X, A(X)], 1)
    middle = torch.tanh(B(torch.tanh(A(X))) + block.maps[0](features))
    assert torch.equal(out(BASE.attach(plugin), X), C(middle * block.maps[1](features)))
    assert next(iter(plugin.file_parameters())) == "Both.maps.0.weight"


def test_a_wrap_holds_the_call_and_sees_side_inputs() -> None:
    plugin = fill(Gate.on(BASE, ["c.inner"]))
    time = torch.tensor([1.0, 2.0, 3.0])
    h = torch.tanh(B(torch.tanh(A(X))))
    share = torch.sigmoid(plugin.blocks["c.inner"].slope * time)[:, None]
    assert torch.equal(out(BASE.attach(plugin), X, timesteps=time), share * C(h) + (1 - share) * h)


def test_every_kind_wants_side_inputs() -> None:
    class One(SinglePluginBlock):
        wants = ("shift",)

        def __init__(self, *layers):
            super().__init__()

        def forward(self, value, *args, shift, **kwargs):
            return value + shift

    class Two(PluginBlock):
        wants = ("shift",)

        def __init__(self, *layers):
            super().__init__()

        def forward(self, feature, value, *args, shift, **kwargs):
            return value + shift * feature.sum()

    class Many(MultiPluginBlock):
        wants = ("shift",)

        def __init__(self, *layers):
            super().__init__()

        def forward(self, features, *, shift):
            return [shift * features[0].sum()]

    handle = BASE
    for plugin in (One.on(BASE, ["c.inner"]), Two.on(BASE, ["a"], ["c.inner"]), Many.on(BASE, ["a"], ["c.inner"])):
        handle = handle.attach(plugin)
    first, second = handle.with_inputs(shift=0.5), handle.with_inputs(shift=2.0)
    for one, shift in ((first, 0.5), (second, 2.0), (first.with_inputs(shift=3.0), 3.0)):
        expected = out(BASE, X) + shift + shift * A(X).sum() + shift * A(X).sum()
        assert torch.allclose(out(one, X), expected, atol=1e-5)
    with pytest.raises(GraphError) as caught:
        out(handle.with_inputs(other=1), X, more=2)
    assert caught.value.problem.code == "E_SIDE_INPUT" and "more, other" in (caught.value.problem.hint or "")


def test_a_side_input_never_hides_an_argument_of_the_layer() -> None:
    class Hides(SinglePluginBlock):
        wants = ("hidden",)

    plugin = Hides.on(BASE, ["c"], lambda at: Hides())
    with pytest.raises(GraphError) as caught:
        out(BASE.attach(plugin), X, hidden=1)
    assert caught.value.problem.code == "E_SIDE_INPUT"


class Add(SinglePluginBlock):
    def __init__(self, amount: float) -> None:
        super().__init__()
        self.amount = amount

    def forward(self, value, *args, **kwargs):
        return value + self.amount


class Times(WrapPluginBlock):
    hyper_params = ("factor",)

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, host, *args, **kwargs):
        return host(*args, **kwargs) * self.factor


def test_plugins_act_in_the_order_in_which_they_are_attached() -> None:
    add = Add.on(BASE, ["c.inner"], lambda at: Add(1.0))
    times = Times.on(BASE, ["c.inner"], lambda at: Times(3.0))
    base = out(BASE, X)
    assert torch.equal(out(BASE.attach(add).attach(times), X), (base + 1) * 3)
    assert torch.equal(out(BASE.attach(times).attach(add), X), base * 3 + 1)
    before = Add.on(BASE, ["pre_hook:a"], lambda at: Add(1.0))
    double = Scale.on(BASE, ["pre_hook:a"], lambda at: Scale(at.layer, 2.0))
    assert torch.equal(out(BASE.attach(before).attach(double), X), out(BASE, (X + 1) * 2))
    assert torch.equal(out(BASE.attach(double).attach(before), X), out(BASE, X * 2 + 1))


def test_a_later_plugin_reads_what_an_earlier_one_made() -> None:
    class Copy(PluginBlock):
        def __init__(self, *layers):
            super().__init__()

        def forward(self, feature, value, *args, **kwargs):
            return value + feature.sum()

    add = Add.on(BASE, ["a"], lambda at: Add(1.0))
    copy = Copy.on(BASE, ["a"], ["c.inner"])
    with_one = out(BASE.attach(add), X)
    assert torch.allclose(out(BASE.attach(add).attach(copy), X), with_one + (A(X) + 1).sum(), atol=1e-5)
    assert torch.allclose(out(BASE.attach(copy).attach(add), X), with_one + A(X).sum(), atol=1e-5)


def test_a_plugin_never_uses_features_of_another_call() -> None:
    backwards = fill(Shortcut.on(BASE, ["c.inner"], ["a"]))
    handle = BASE.attach(backwards)
    for _ in range(2):
        with pytest.raises(GraphError) as caught, handle.active() as module:
            module(X)
        assert caught.value.problem.code == "E_PLUGIN_ORDER" and "c.inner->a" in caught.value.problem.message
    forwards = BASE.attach(fill(Shortcut.on(BASE, ["pre_hook:a"], ["b"])))
    with forwards.active() as module:
        both = [module(x) for x in (X, 2 * X)]
    assert all(torch.equal(one, out(forwards, x)) for one, x in zip(both, (X, 2 * X), strict=True))


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: Shortcut.on(BASE, ["a", "b"], ["b"]), "E_PLUGIN_PAIRS"),
        (lambda: Scale.on(BASE, ["re:aa"]), "E_NO_LAYER"),
        (lambda: Gate.on(BASE, ["pre_hook:a"]), "E_SELECTOR"),
        (lambda: Times.on(BASE, ["a"], lambda at: Times(1.0)).set_hyper_params(facto=2), "E_HYPER_PARAM"),
        (lambda: out(BASE.attach(Few.on(BASE, ["a"], ["b", "c.inner"])), X), "E_PLUGIN_RESULTS"),
    ],
)
def test_mistakes(make, code) -> None:
    with pytest.raises(GraphError) as caught:
        make()
    assert caught.value.problem.code == code


class Few(MultiPluginBlock):
    def __init__(self, sources, targets):
        super().__init__()

    def forward(self, features):
        return [features[0]]


def test_numbers_can_be_set() -> None:
    plugin = Times.on(BASE, ["c.inner"], lambda at: Times(3.0))
    before = plugin.revision
    plugin.set_hyper_params(factor=0.5)
    assert plugin.revision > before
    assert torch.equal(out(BASE.attach(plugin), X), out(BASE, X) * 0.5)


def test_own_learning_rate_and_weight_decay_apply_to_bare_parameters() -> None:
    """One step of AdamW with a gradient of zero multiplies a weight by 1 - lr · weight_decay."""
    groups = []
    for number, (lr, decay) in enumerate([(0.1, 0.5), (0.2, 0.0), (None, None)]):
        plugin = Scale.on(BASE, ["a"], lambda at: Scale(at.layer, 2.0))
        groups.append(adapted(BASE, "denoiser", plugin, f"n{number}", lr, decay))
    optimizer = adamw(tuple(each.params for each in groups), lr=0.3, weight_decay=0.1).optimizer
    factors = [each.adapter.plugin.blocks["a"].factor for each in groups]
    for factor in factors:
        factor.grad = torch.zeros(())
    optimizer.step()
    assert [f.item() for f in factors] == pytest.approx([2 * (1 - 0.1 * 0.5), 2.0, 2 * (1 - 0.3 * 0.1)])


def test_a_frozen_plugin_gives_nothing_to_train() -> None:
    frozen = Scale.on(BASE, ["a"], trainable=False)
    result = adapted(BASE, "denoiser", frozen, "n", 0.1)
    assert result.params.groups == () and not result.model.trainable
    assert not out(result.model, X).requires_grad

    class Half(Scale):
        def __init__(self, layer):
            super().__init__(layer)
            self.kept = nn.Parameter(torch.zeros(1), requires_grad=False)

    half = Half.on(BASE, ["a"])
    assert list(half.file_parameters()) == ["a.factor"] and list(half.state()) == ["a.factor", "a.kept"]


def every_kind(model: Handle, *, seed: int = 1) -> Handle:
    """A stack of all four kinds on `Net`."""
    plugins = (
        Scale.on(model, ["a", "pre_hook:b"]),
        Shortcut.on(model, ["pre_hook:a"], ["b"]),
        Mixed.on(model, ["a"], ["b", "c.inner"]),
        Gate.on(model, ["c.inner"]),
    )
    for number, plugin in enumerate(plugins):
        model = model.attach(fill(plugin, seed + number))
    return model


def test_checkpointing_gives_the_same_gradients_and_side_inputs() -> None:
    """Two branches with stacks and side inputs of their own; features cross the borders of recomputed parts."""
    times = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.1, 5.0, -2.0])
    found = []
    for checkpointing in (False, True):
        base = net(checkpointing)
        one, two = every_kind(base), every_kind(base, seed=9)
        loss = torch.zeros(())
        for handle, time in ((one, times[0]), (two, times[1]), (one, times[1]), (two, times[0])):
            with handle.with_inputs(timesteps=time).active() as module:
                loss = loss + module(X).square().sum() + module(2 * X).square().sum()  # two calls in one activation
        loss.backward()
        plugins = [*one.stack, *two.stack]
        found.append([loss, *(p.grad for plugin in plugins for p in plugin.parameters())])
    assert all(value is not None for value in found[0])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_removal_restores_the_model_bit_for_bit() -> None:
    model = net()
    before = out(model, X)
    state = {name: value.clone() for name, value in model.root.module.state_dict().items()}
    handle = every_kind(model)
    out(handle, X, timesteps=torch.ones(3)).sum().backward()
    assert torch.equal(out(model, X), before)
    bare = handle
    for plugin in handle.stack:
        bare = bare.without(plugin)
    assert torch.equal(out(bare, X), before)
    del handle, bare, plugin
    gc.collect()
    assert model.root.tapped == ()
    assert not any("forward" in vars(layer) for layer in model.root.module.modules())
    assert all(torch.equal(value, state[name]) for name, value in model.root.module.state_dict().items())


def test_a_copy_has_its_own_blocks() -> None:
    handle = every_kind(net()).with_inputs(timesteps=torch.ones(3))
    twin = handle.copy({})
    expected = out(handle, X)
    assert torch.equal(out(twin, X), expected)
    with torch.no_grad():
        for plugin in handle.stack:
            for parameter in plugin.parameters():
                parameter.zero_()
    assert torch.equal(out(twin, X), expected) and not torch.equal(out(handle, X), expected)


def test_states_with_and_without_the_host() -> None:
    handle = every_kind(net()).with_inputs(timesteps=torch.ones(3))
    other = every_kind(net(), seed=50).with_inputs(timesteps=torch.ones(3))
    whole, alone = model_state(handle), model_state(handle, host=False)
    assert set(whole) - set(alone) == set(Net().state_dict())
    assert "plugins.1.pre_hook:a->b.weight" in alone
    assert {name.partition(".")[2].partition(".")[2] for name in alone if name.startswith("plugins.0.")} == {
        *handle.stack[0].state()
    }
    assert not torch.equal(out(other, X), out(handle, X))
    load_model_state(other, {name: value.clone() for name, value in alone.items()}, host=False)
    assert torch.equal(out(other, X), out(handle, X))
    wrong = {**whole, "more": torch.ones(1), "a.bias": torch.ones(2)}
    del wrong["b.bias"]
    with pytest.raises(GraphError) as caught:
        load_model_state(other, wrong)
    assert caught.value.problem.code == "E_STATE"
    assert all(part in caught.value.problem.message for part in ("b.bias is missing", "more is unknown", "a.bias has"))
