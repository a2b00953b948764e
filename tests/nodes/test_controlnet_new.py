"""controlnet.new and controlnet.apply: the start, the weights, plugins on a ControlNet, and mistakes."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.controlnet.apply import apply_controlnet
from hcpgraph_nodes.controlnet.new import new_controlnet
from hcpgraph_nodes.controlnet.rule import acts_at_all
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.model.encoder import encoder_digest
from hcpgraph_nodes.model.handles import ControlNet, component
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.trainable import trainable
from hcpgraph_nodes.plugins.kinds import WrapPluginBlock
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.types import Images

from hcpgraph import GraphError
from hcpgraph.testing import context

from .control_sets import CHANNELS, NOISY, TEXT, TIME, control, pictures, random


@pytest.fixture
def denoiser(workspace: Path):
    return load_model(context(workspace), path="models:tiny").denoiser


def run(handle) -> torch.Tensor:
    return predict(handle, NOISY, TIME, TEXT).data


def test_the_start_is_the_identity_bit_for_bit(workspace: Path, denoiser) -> None:
    base = run(denoiser)
    made = new_controlnet(context(workspace), denoiser, channels=CHANNELS)
    led = apply_controlnet(denoiser, made, pictures(2))
    assert torch.equal(run(led), base)
    assert torch.equal(run(apply_controlnet(led, made, pictures(1), strength=2.0)), base)
    filled = control(workspace, denoiser)
    assert (run(apply_controlnet(denoiser, filled, pictures(2))) - base).abs().max() > 1e-2
    assert torch.equal(run(denoiser), base)


def test_it_is_what_diffusers_makes_of_the_unet(workspace: Path, denoiser) -> None:
    from diffusers import ControlNetModel

    reference = ControlNetModel.from_unet(denoiser.root.module, conditioning_embedding_out_channels=tuple(CHANNELS))
    made = new_controlnet(context(workspace), denoiser, channels=CHANNELS)
    own, other = made.root.module.state_dict(), reference.state_dict()
    assert own.keys() == other.keys()
    drawn = {key for key in own if key.startswith("controlnet_cond_embedding.") and "conv_out" not in key}
    assert all(torch.equal(own[key], other[key]) for key in own.keys() - drawn)
    assert all(own[key].shape == other[key].shape and own[key].any() for key in drawn)
    zero = {key for key in own if key.startswith(("controlnet_down", "controlnet_mid")) or ".conv_out." in key}
    assert len(zero) == 2 * (4 + 1 + 1) and not any(own[key].any() for key in zero)
    assert made.config == {name: value for name, value in reference.config.items() if not name.startswith("_")}


def test_equal_seeds_give_equal_weights_and_they_are_read_late(workspace: Path, denoiser) -> None:
    torch.manual_seed(3)
    expected = torch.get_rng_state()
    one, same, other = (new_controlnet(context(workspace), denoiser, seed=seed) for seed in (1, 1, 2))
    led = apply_controlnet(denoiser, one, pictures(2, 64, 64))
    assert not one.root.loaded and led.modules() == (denoiser.root.module, *led.stack)
    states = [each.root.module.state_dict() for each in (one, same, other)]
    assert torch.equal(torch.get_rng_state(), expected)
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert {key for key in states[0] if not torch.equal(states[0][key], states[2][key])} == {
        key for key in states[0] if key.startswith("controlnet_cond_embedding") and "conv_out" not in key
    }


def test_weights_of_a_trained_denoiser_are_copied_at_once(workspace: Path, denoiser) -> None:
    whole = trainable(context(workspace), denoiser).model
    made = new_controlnet(context(workspace), whole, channels=CHANNELS)
    before = denoiser.root.module.conv_in.weight.clone()
    with torch.no_grad():
        denoiser.root.module.conv_in.weight.add_(1)
    assert torch.equal(made.root.module.conv_in.weight, before)
    assert not made.trainable and not any(p.requires_grad for p in made.root.module.parameters())


def test_conditions_of_other_channels(workspace: Path, denoiser) -> None:
    depth = control(workspace, denoiser, condition_channels=1)
    led = apply_controlnet(denoiser, depth, Images(pictures(2).data[:, :1]))
    assert not torch.equal(run(led), run(denoiser))
    with pytest.raises(GraphError) as caught:
        apply_controlnet(denoiser, depth, pictures(2))
    assert caught.value.problem.code == "E_CONDITION" and "(B, 1, H, W)" in caught.value.problem.message


def test_one_picture_stands_for_all_and_each_has_its_own(workspace: Path, denoiser) -> None:
    made = control(workspace, denoiser)
    two = pictures(2)
    led = run(apply_controlnet(denoiser, made, two))
    for row in range(2):
        alone = run(apply_controlnet(denoiser, made, Images(two.data[row : row + 1])))
        torch.testing.assert_close(alone[row], led[row], rtol=1e-4, atol=1e-5)
        assert (alone[1 - row] - led[1 - row]).abs().max() > 1e-3


def test_a_lora_on_a_controlnet(workspace: Path, denoiser) -> None:
    made = control(workspace, denoiser)
    adapted = lora(context(workspace), made, layers=["re:.*attn1", "controlnet_mid_block"], rank=2)
    assert component(made) == adapted.adapter.component == "controlnet"
    plain, with_lora = (apply_controlnet(denoiser, each, pictures(2)) for each in (made, adapted.model))
    base = run(plain)
    assert torch.equal(run(with_lora), base)
    with torch.no_grad():
        for index, parameter in enumerate(adapted.adapter.plugin.parameters()):
            parameter.copy_(0.3 * random(*parameter.shape, seed=index))
    assert (run(with_lora) - base).abs().max() > 1e-4
    assert torch.equal(run(plain), base)
    assert with_lora.trainable and not plain.trainable and not denoiser.trainable
    assert with_lora.modules() == (
        denoiser.root.module,
        *with_lora.stack,
        made.root.module,
        adapted.adapter.plugin,
    )
    run(with_lora).square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in adapted.adapter.plugin.parameters())
    assert all(p.grad is None for each in (made, denoiser) for p in each.root.module.parameters())


def test_a_copy_has_weights_of_its_own(workspace: Path, denoiser) -> None:
    made = trainable(context(workspace), control(workspace, denoiser)).model
    led = apply_controlnet(denoiser, made, pictures(2))
    before = run(led).detach()
    zero = {id(parameter): torch.zeros_like(parameter) for parameter in made.root.module.parameters()}
    twin, empty = led.copy({}), led.copy(zero)
    with torch.no_grad():
        for parameter in made.root.module.parameters():
            parameter.add_(1)
    assert torch.equal(run(twin), before) and not twin.trainable
    assert torch.equal(run(empty), run(denoiser))
    assert (run(led) - before).abs().max() > 1e-3


def test_a_cache_of_an_encoder_knows_the_models_that_its_plugins_call(workspace: Path, denoiser) -> None:
    encoder = load_model(context(workspace), path="models:tiny").text_encoder
    made = control(workspace, denoiser)

    class Asks(WrapPluginBlock):
        handles = (made,)

    asking = encoder.attach(Asks.on(encoder, [""], lambda at: Asks()))
    before = encoder_digest(context(workspace), asking)
    assert before == encoder_digest(context(workspace), asking)
    with torch.no_grad():
        made.root.module.conv_in.bias.add_(1)
    assert before != encoder_digest(context(workspace), asking)


def test_a_step_leaves_no_tap(workspace: Path, denoiser) -> None:
    made = control(workspace, denoiser)
    for step in range(3):
        led = apply_controlnet(denoiser, made, pictures(2, seed=step))
        run(led)
        assert denoiser.root.tapped == ("",)
        del led
        assert denoiser.root.tapped == () and "forward" not in vars(denoiser.root.module)
    gc.collect()
    assert denoiser.root.active is None and made.root.uses == 0


def test_half_precision(workspace: Path, denoiser) -> None:
    half = load_model(context(workspace, precision="bf16"), path="models:tiny").denoiser
    made = new_controlnet(context(workspace, precision="bf16"), half, channels=CHANNELS)
    exact = control(workspace, denoiser)
    made.root.module.load_state_dict(exact.root.module.state_dict())
    expected = run(apply_controlnet(denoiser, exact, pictures(2)))
    whole = trainable(context(workspace), made, layers=["re:controlnet_.*"]).model
    found = run(apply_controlnet(half, whole, pictures(2)))
    found.square().mean().backward()
    assert (found - expected).abs().max() < 0.1 * expected.abs().max()
    trained = [p for p in made.root.module.parameters() if p.requires_grad]
    assert trained and all(p.dtype is torch.float32 and p.grad.isfinite().all() for p in trained)
    assert made.root.module.conv_in.weight.dtype is torch.bfloat16


@pytest.mark.parametrize(
    ("image", "code", "said"),
    [
        (pictures(3), "E_BATCH", "3 conditions for 2 samples"),
        (pictures(2, 16, 32), "E_CONDITION", "the conditions have 32×16 pixels; latents of 8×8 go with 16×16"),
        (pictures(2, 8, 8), "E_CONDITION", "the conditions have 8×8 pixels"),
        (Images(torch.zeros(0, 3, 16, 16)), "E_CONDITION", "[0, 3, 16, 16]"),
        (Images(torch.zeros(3, 16, 16)), "E_CONDITION", "[3, 16, 16]"),
    ],
)
def test_conditions_that_do_not_fit(workspace: Path, denoiser, image: Images, code: str, said: str) -> None:
    made = control(workspace, denoiser)
    with pytest.raises(GraphError) as caught:
        run(apply_controlnet(denoiser, made, image))
    assert caught.value.problem.code == code and said in caught.value.problem.message
    assert caught.value.problem.port == "image" and caught.value.problem.hint
    assert denoiser.root.active is None and made.root.active is None


def test_a_controlnet_of_another_model(workspace: Path, denoiser) -> None:
    from dataclasses import replace

    made = control(workspace, denoiser)
    with pytest.raises(GraphError) as family:
        apply_controlnet(denoiser, replace(made, family="sdxl"), pictures(2))
    assert family.value.problem.code == "E_FAMILY" and "for sdxl" in family.value.problem.message
    other = replace(made, config={**made.config, "cross_attention_dim": 64, "layers_per_block": 2})
    with pytest.raises(GraphError) as sizes:
        apply_controlnet(denoiser, other, pictures(2))
    assert sizes.value.problem.code == "E_FAMILY"
    assert "layers_per_block is 2 instead of 1; cross_attention_dim is 64 instead of 32" in sizes.value.problem.message
    with pytest.raises(GraphError) as never:
        apply_controlnet(denoiser, made, pictures(2), start=0.6, end=0.6)
    assert never.value.problem.code == "E_RANGE"
    with pytest.raises(GraphError) as kind:
        new_controlnet(context(workspace), replace(denoiser, config={"num_layers": 2}))
    assert kind.value.problem.code == "E_FAMILY"


def test_the_rule_of_start_and_end() -> None:
    class View:
        node, type = "n", "controlnet.apply"

        def __init__(self, **settings: object) -> None:
            self.settings = settings

    assert acts_at_all(View(start=0.0, end=1.0)) == []
    assert [problem.code for problem in acts_at_all(View(start=0.5, end=0.2))] == ["E_RANGE"]


def test_the_component_has_a_name(workspace: Path, denoiser) -> None:
    made = control(workspace, denoiser)
    assert isinstance(made, ControlNet) and component(made) == "controlnet"
    with pytest.raises(GraphError) as caught:
        component(pictures(1))
    assert "a ControlNet" in caught.value.problem.hint
