"""Training a ControlNet: gradients against a step written with diffusers, regions, checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.controlnet.apply import apply_controlnet
from hcpgraph_nodes.diffusion.guide import guide
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.loss.mse import mse
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.trainable import trainable
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.types import Conditioning, Target
from PIL import Image
from safetensors.torch import load_file

import hcpgraph
from hcpgraph import Graph
from hcpgraph.testing import context

from .control_sets import CHANNELS, NOISY, TEXT, TIME, control, pictures, random

TARGET = Target(random(2, 4, 8, 8, seed=2))


def gradients(module: torch.nn.Module) -> dict[str, torch.Tensor | None]:
    found = {name: None if p.grad is None else p.grad.clone() for name, p in module.named_parameters()}
    module.zero_grad()
    return found


def equal(one: dict[str, torch.Tensor | None], other: dict[str, torch.Tensor | None]) -> bool:
    return one.keys() == other.keys() and all(
        (a is None and other[name] is None) or torch.equal(a, other[name]) for name, a in one.items()
    )


@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradients_equal_those_of_a_step_written_with_diffusers(workspace: Path, checkpointing: bool) -> None:
    denoiser = load_model(context(workspace), path="models:tiny", checkpointing=checkpointing).denoiser
    made = control(workspace, denoiser, checkpointing=checkpointing)
    whole = trainable(context(workspace), made).model
    led = apply_controlnet(denoiser, whole, pictures(2), strength=0.7)
    assert led.trainable and not denoiser.trainable
    unet, net = denoiser.root.module, made.root.module
    assert all(module.is_gradient_checkpointing is checkpointing for module in (unet, net))
    loss = mse(predict(led, NOISY, TIME, TEXT), TARGET).data.mean()
    loss.backward()
    own = gradients(net)
    del led
    unet.disable_gradient_checkpointing()
    net.disable_gradient_checkpointing()
    down, mid = net(
        NOISY.data, TIME.data, TEXT.data, controlnet_cond=pictures(2).data, conditioning_scale=0.7, return_dict=False
    )
    prediction = unet(
        NOISY.data, TIME.data, TEXT.data, down_block_additional_residuals=down, mid_block_additional_residual=mid
    ).sample
    expected = ((prediction - TARGET.data) ** 2).mean()
    expected.backward()
    reference = gradients(net)
    assert torch.equal(loss, expected)
    assert equal(own, reference) and all(each.any() for each in own.values())
    assert all(parameter.grad is None for parameter in unet.parameters())


def test_a_part_is_trained_by_selector_with_its_own_rate(workspace: Path) -> None:
    denoiser = load_model(context(workspace), path="models:tiny").denoiser
    made = control(workspace, denoiser)
    part = trainable(context(workspace), made, layers=["re:controlnet_.*"], lr=1e-3)
    (group,) = part.params.groups
    assert group["lr"] == 1e-3 and all(name.startswith("controlnet_") for name in group["params"])
    mse(predict(apply_controlnet(denoiser, part.model, pictures(2)), NOISY, TIME, TEXT), TARGET).data.mean().backward()
    found = gradients(made.root.module)
    assert {name for name, each in found.items() if each is not None} == set(group["params"])


def test_text_is_trained_through_a_frozen_controlnet(workspace: Path) -> None:
    denoiser = load_model(context(workspace), path="models:tiny").denoiser
    net = control(workspace, denoiser)
    text = TEXT.data.clone().requires_grad_()
    led = apply_controlnet(denoiser, net, pictures(2))
    mse(predict(led, NOISY, TIME, Conditioning.of(text)), TARGET).data.mean().backward()
    module = net.root.module
    down, mid = module(NOISY.data, TIME.data, TEXT.data, controlnet_cond=pictures(2).data, return_dict=False)
    cut = TEXT.data.clone().requires_grad_()
    prediction = denoiser.root.module(
        NOISY.data,
        TIME.data,
        cut,
        down_block_additional_residuals=[each.detach() for each in down],
        mid_block_additional_residual=mid.detach(),
    ).sample
    ((prediction - TARGET.data) ** 2).mean().backward()
    assert text.grad is not None and not torch.allclose(text.grad, cut.grad)


def test_two_branches_with_other_conditions_and_loras_under_checkpointing(workspace: Path) -> None:
    """Each branch of one step has its own conditions and its own LoRA on one ControlNet, also when recomputed."""
    found = []
    for checkpointing in (False, True):
        denoiser = load_model(context(workspace), path="models:tiny", checkpointing=checkpointing).denoiser
        net = control(workspace, denoiser, checkpointing=checkpointing)
        branches, plugins = [], []
        for seed in (1, 2):
            adapted = lora(context(workspace, node=f"l{seed}"), net, layers=["re:.*attn"], rank=2)
            own = lora(context(workspace, node=f"d{seed}"), denoiser, layers=["re:.*attn1"], rank=2)
            for each in (adapted, own):
                plugins.append(each.adapter.plugin)
                with torch.no_grad():
                    for index, parameter in enumerate(each.adapter.plugin.parameters()):
                        parameter.copy_(0.2 * random(*parameter.shape, seed=100 * seed + index))
            branches.append(apply_controlnet(own.model, adapted.model, pictures(2, seed=seed)))
        guided = guide(*(predict(branch, NOISY, TIME, TEXT) for branch in branches), scale=3.0)
        mse(guided, TARGET).data.mean().backward()
        found.append([guided.data, *(p.grad for plugin in plugins for p in plugin.parameters())])
    assert all(value is not None and value.any() for value in found[0])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def training(steps: int) -> Graph:
    g = Graph()
    g.add("model.load", "model", path="models:tiny")
    g.add("data.folder", "pictures", path="data:pictures", captions="none", on_missing="filename")
    g.add("data.conditions", "edges", path="data:edges")
    g.add("data.ratio_bucket", "buckets", target_area=256, crop="center")
    g.add("data.loader", "loader", batch_size=2)
    g.add("controlnet.new", "new", channels=CHANNELS)
    g.add("model.trainable", "whole")
    g.add("optim.adamw", "adamw", lr=2e-3)
    g.add("train.loop", "train", steps=steps)
    for kind, id in [
        ("data.batch", "batch"),
        ("data.batch_conditions", "conditions"),
        ("text.encode", "text"),
        ("diffusion.encode_image", "encode"),
        ("noise.gaussian", "noise"),
        ("diffusion.timesteps", "times"),
        ("diffusion.add_noise", "add"),
        ("diffusion.target", "target"),
        ("controlnet.apply", "apply"),
        ("diffusion.predict", "predict"),
        ("loss.mse", "mse"),
        ("loss.mean", "mean"),
    ]:
        g.add(kind, id, inside="train")
    g.add("train.every", "preview", inside="train", steps=2)
    g.add("controlnet.apply", "led", inside="preview")
    g.add("sample.empty_latents", "empty", width=16, height=16)
    g.add("sample.denoise", "draw", inside="preview", steps=2, guidance=1.0)
    g.add("image.decode", "decode", inside="preview")
    g.add("image.log", "log", inside="preview", path="out:preview.png")
    g.add("text.prompt", "prompt", texts=["a picture"])
    g.add("text.encode", "prompt_text")
    g.add("image.load", "edge", path="data:edges/0.png")
    g.add("flow.after", "done")
    g.add("controlnet.save", "save", path="out:net.safetensors", layout="single_file", overwrite=True)
    for source, target in [
        ("pictures.out", "edges.dataset"),
        ("edges.out", "buckets.dataset"),
        ("buckets.out", "loader.data"),
        ("model.denoiser", "new.denoiser"),
        ("new.out", "whole.model"),
        ("whole.params", "adamw.params"),
        ("adamw.out", "train.optimizer"),
        ("loader.out", "batch.loader"),
        ("loader.out", "conditions.loader"),
        ("model.text_encoder", "text.text_encoder"),
        ("batch.captions", "text.captions"),
        ("model.vae", "encode.vae"),
        ("batch.images", "encode.images"),
        ("encode.out", "noise.latents"),
        ("encode.out", "times.latents"),
        ("model.schedule", "times.schedule"),
        ("encode.out", "add.latents"),
        ("noise.out", "add.noise"),
        ("times.out", "add.timesteps"),
        ("model.schedule", "add.schedule"),
        ("encode.out", "target.latents"),
        ("noise.out", "target.noise"),
        ("times.out", "target.timesteps"),
        ("model.schedule", "target.schedule"),
        ("model.denoiser", "apply.denoiser"),
        ("whole.model", "apply.controlnet"),
        ("conditions.out", "apply.image"),
        ("apply.out", "predict.denoiser"),
        ("add.out", "predict.noisy"),
        ("times.out", "predict.timesteps"),
        ("text.out", "predict.conditioning"),
        ("predict.out", "mse.prediction"),
        ("target.out", "mse.target"),
        ("mse.out", "mean.loss"),
        ("mean.out", "train.loss"),
        ("model.denoiser", "led.denoiser"),
        ("whole.model", "led.controlnet"),
        ("edge.out", "led.image"),
        ("model.vae", "empty.vae"),
        ("prompt.out", "prompt_text.captions"),
        ("model.text_encoder", "prompt_text.text_encoder"),
        ("led.out", "draw.denoiser"),
        ("model.schedule", "draw.schedule"),
        ("prompt_text.out", "draw.positive"),
        ("empty.out", "draw.latents"),
        ("model.vae", "decode.vae"),
        ("draw.out", "decode.latents"),
        ("decode.out", "log.images"),
        ("whole.model", "done.value"),
        ("train.trained", "done.trained"),
        ("done.out", "save.controlnet"),
    ]:
        g.connect(source, target)
    return g


@pytest.fixture
def data(workspace: Path) -> Path:
    for index in range(4):
        for folder, side in (("pictures", 16), ("edges", 16)):
            place = workspace / "data" / folder
            place.mkdir(parents=True, exist_ok=True)
            noise = torch.randint(0, 256, (side, side, 3), generator=torch.Generator().manual_seed(index))
            Image.fromarray(noise.to(torch.uint8).numpy()).save(place / f"{index}.png")
    return workspace


@pytest.mark.slow
def test_a_graph_trains_previews_saves_and_goes_on(data: Path) -> None:
    """Two steps and two more are four in one go; the UNet stays as it is."""
    from diffusers import UNet2DConditionModel

    problems = hcpgraph.validate(training(4), workspace=data)
    assert not [problem for problem in problems if problem.severity == "error"], problems
    assert hcpgraph.run(training(2), workspace=data).status == "done"
    result = hcpgraph.run(training(4), workspace=data, targets=["save", "done", "new", "model"])
    assert result.status == "done", result.failed
    trained = result.outputs["done.out"].root.module
    unet = UNet2DConditionModel.from_pretrained(data / "models/tiny/unet", local_files_only=True)
    base, own = unet.state_dict(), trained.state_dict()
    denoiser = result.outputs["model.denoiser"].root.module.state_dict()
    assert all(torch.equal(denoiser[name], value) for name, value in base.items())
    assert not torch.equal(base["conv_in.weight"], own["conv_in.weight"])
    assert trained.controlnet_mid_block.weight.any() and trained.controlnet_mid_block.bias.any()
    saved = load_file(data / "out/net.safetensors")
    assert torch.equal(saved["control_model.middle_block_out.0.weight"], trained.controlnet_mid_block.weight)
    assert [path.name for path in sorted((data / "out").glob("preview*"))]
    assert hcpgraph.run(training(4), workspace=data, force=["train"]).status == "done"
    at_once = load_file(data / "out/net.safetensors")
    assert all(torch.equal(saved[key], at_once[key]) for key in saved)


def test_reading_before_the_end_of_training_is_refused(data: Path) -> None:
    g = training(2)
    g.connect("whole.model", "save.controlnet")
    assert "E_STALE" in {problem.code for problem in hcpgraph.validate(g, workspace=data)}


def test_the_bare_denoiser_after_training_is_led_through_flow_after(data: Path) -> None:
    """The engine counts the denoiser among the weights of a ControlNet that was made of it."""
    g = training(2)
    g.add("sample.denoise", "bare", steps=1, guidance=1.0)
    for source, port in [
        ("model.denoiser", "denoiser"),
        ("model.schedule", "schedule"),
        ("prompt_text.out", "positive"),
        ("empty.out", "latents"),
    ]:
        g.connect(source, f"bare.{port}")
    assert "E_STALE" in {problem.code for problem in hcpgraph.validate(g, workspace=data)}
    g.add("flow.after", "later")
    g.disconnect("bare.denoiser")
    for source, target in [
        ("model.denoiser", "later.value"),
        ("train.trained", "later.trained"),
        ("later.out", "bare.denoiser"),
    ]:
        g.connect(source, target)
    assert not [problem for problem in hcpgraph.validate(g, workspace=data) if problem.severity == "error"]
