"""The VAE's nodes: losses and gradients against references, scaling, files, and a training that learns."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.data.bucketing.bucketed import Bucketed
from hcpgraph_nodes.data.openmoji import openmoji
from hcpgraph_nodes.data.ratio_bucket import ratio_bucket
from hcpgraph_nodes.data.take import take
from hcpgraph_nodes.diffusion.encode_image import encode_image
from hcpgraph_nodes.image.decode import decode
from hcpgraph_nodes.loss.kl import kl
from hcpgraph_nodes.loss.l1 import l1
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.save import save_model
from hcpgraph_nodes.model.trainable import trainable
from hcpgraph_nodes.types import Images, Posterior, Reconstruction
from hcpgraph_nodes.vae.calibrate import calibrate
from hcpgraph_nodes.vae.encode import encode
from hcpgraph_nodes.vae.load import load_vae
from hcpgraph_nodes.vae.new import new_vae
from hcpgraph_nodes.vae.reconstruct import reconstruct
from hcpgraph_nodes.vae.sample import sample
from hcpgraph_nodes.vae.save import save_vae

import hcpgraph
from hcpgraph import Graph, GraphError
from hcpgraph.testing import context


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def bucketed(workspace: Path) -> Bucketed:
    pictures = openmoji(context(workspace), groups=["animals-nature"], limit=9, size=16)
    return ratio_bucket(context(workspace), pictures, target_area=256, crop="center")


def small(workspace: Path, **settings):
    return new_vae(context(workspace), **{"channels": [8, 16], "latent_channels": 3, "resolution": 16, **settings})


def test_kl_equals_that_of_torch_distributions() -> None:
    mean, deviation = random(2, 3, 4, 4), random(2, 3, 4, 4, seed=1).abs() + 0.1
    from torch.distributions import Normal, kl_divergence

    expected = kl_divergence(Normal(mean, deviation), Normal(0.0, 1.0)).sum(dim=(1, 2, 3)).mean()
    loss = kl(Posterior(mean, deviation))
    torch.testing.assert_close(loss.data, expected)
    assert loss.count == 2


def test_l1_against_a_reference() -> None:
    a, b = random(2, 3, 5, 4), random(2, 3, 5, 4, seed=1)
    assert torch.equal(l1(Reconstruction(a), Images(b)).data, (a - b).abs())


def test_gradients_equal_those_of_the_step_written_with_diffusers(workspace: Path) -> None:
    images = take(context(workspace), bucketed(workspace).dataset, count=3, width=16, height=16).images
    vae = trainable(context(workspace), small(workspace), layers=[""]).model
    module = vae.root.module.train()

    def gradients() -> list[torch.Tensor]:
        found = [parameter.grad.clone() for parameter in module.parameters()]
        module.zero_grad()
        return found

    posterior = encode(vae, images)
    ctx = context(workspace, node="draw", seed=3)
    pictures = reconstruct(vae, sample(ctx, vae, posterior))
    (l1(pictures, images).data.mean() + 1e-3 * kl(posterior).data).backward()
    own = gradients()

    inner = module.encode(images.data * 2 - 1).latent_dist
    latents = inner.mean + inner.std * ctx.normal(inner.mean.shape, images.keys)
    restored = module.decode(latents).sample / 2 + 0.5
    ((restored - images.data).abs().mean() + 1e-3 * inner.kl().mean()).backward()
    assert all(gradient.abs().sum() > 0 for gradient in own)
    for a, b in zip(own, gradients(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_a_draw_belongs_to_its_picture_and_is_scaled(workspace: Path) -> None:
    vae = load_model(context(workspace), path="models:tiny").vae
    images = take(context(workspace), bucketed(workspace).dataset, count=3, width=16, height=16).images
    ctx = context(workspace, seed=5)
    drawn = sample(ctx, vae, encode(vae, images))
    assert torch.equal(drawn.data, encode_image(ctx, vae, images, mode="sample").data)
    alone = sample(ctx, vae, encode(vae, Images(images.data[1:2], images.keys[1:2])))
    torch.testing.assert_close(alone.data[0], drawn.data[1], rtol=1e-4, atol=1e-5)
    cut = decode(ctx, vae, drawn).data
    torch.testing.assert_close(reconstruct(vae, drawn).data.clamp(0, 1), cut, rtol=1e-4, atol=1e-5)


def test_calibration_gives_variance_one_and_is_saved(workspace: Path) -> None:
    data = bucketed(workspace)
    ctx = context(workspace)
    model = load_model(ctx, path="models:tiny")
    scaled = calibrate(ctx, model.vae, data)
    images = take(ctx, data.dataset, count=len(data.dataset), width=16, height=16).images
    own = encode_image(ctx, scaled, images, mode="mean").data
    assert abs(float(own.var(unbiased=False)) - 1) < 1e-4
    assert model.vae.config["scaling_factor"] == 0.18215
    cut = decode(ctx, model.vae, encode_image(ctx, model.vae, images, mode="mean")).data
    same = decode(ctx, scaled, encode_image(ctx, scaled, images, mode="mean")).data
    torch.testing.assert_close(same, cut, rtol=1e-4, atol=1e-5)

    save_vae(ctx, scaled, path="out:vae")
    save_model(ctx, model.denoiser, model.text_encoder, scaled, model.schedule, path="out:model")
    from diffusers import AutoencoderKL

    for path in ("out/vae", "out/model/vae"):
        loaded = AutoencoderKL.from_pretrained(workspace / path, local_files_only=True)
        assert loaded.config.scaling_factor == scaled.config["scaling_factor"]
    for path in ("out:vae", "out:model"):
        back = load_vae(ctx, path=path)
        assert torch.equal(encode_image(ctx, back, images, mode="mean").data, own)


def test_equal_seeds_give_equal_weights_and_others_do_not(workspace: Path) -> None:
    one, same, other = (small(workspace, seed=seed).root.module.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert any(not torch.equal(one[key], other[key]) for key in one)


def test_mistakes_name_their_remedy(workspace: Path) -> None:
    ctx = context(workspace)
    with pytest.raises(GraphError) as file:
        load_vae(ctx, path="models:tiny/model_index.json")
    assert file.value.problem.code == "E_NO_SAFETENSORS"
    with pytest.raises(GraphError) as unet:
        load_vae(ctx, path="models:tiny/unet")
    assert unet.value.problem.code == "E_MODEL_CLASS"
    (workspace / "out/other").mkdir(parents=True)
    with pytest.raises(GraphError) as taken:
        save_vae(ctx, small(workspace), path="out:other", overwrite=True)
    assert taken.value.problem.code == "E_NOT_A_MODEL"
    flat = small(workspace)
    torch.nn.init.zeros_(flat.root.module.quant_conv.weight)
    torch.nn.init.zeros_(flat.root.module.quant_conv.bias)
    with pytest.raises(GraphError) as constant:
        calibrate(ctx, flat, bucketed(workspace))
    assert constant.value.problem.code == "E_LATENTS"


def vae_graph(steps: int) -> Graph:
    g = Graph()
    g.add("data.openmoji", "pictures", size=16, groups=["animals-nature"], limit=8)
    g.add("data.ratio_bucket", "buckets", target_area=256, crop="center")
    g.add("data.loader", "loader", batch_size=4)
    g.add("vae.new", "new", channels=[8, 16], latent_channels=3, resolution=16)
    g.add("model.trainable", "whole")
    g.add("optim.adamw", "adamw", lr=3e-3)
    g.add("train.loop", "train", steps=steps)
    g.add("vae.calibrate", "calibrate")
    g.add("flow.after", "done")
    for type_id, id in [
        ("data.batch", "batch"),
        ("vae.encode", "encode"),
        ("vae.sample", "sample"),
        ("vae.reconstruct", "restore"),
        ("loss.l1", "l1"),
        ("loss.mean", "mean"),
        ("loss.kl", "kl"),
    ]:
        g.add(type_id, id, inside="train")
    g.add("loss.weighted_sum", "sum", inside="train", weights=[1.0, 1e-6])
    for source, target in [
        ("pictures.out", "buckets.dataset"),
        ("buckets.out", "loader.data"),
        ("new.out", "whole.model"),
        ("whole.params", "adamw.params"),
        ("adamw.out", "train.optimizer"),
        ("loader.out", "batch.loader"),
        ("whole.model", "encode.vae"),
        ("batch.images", "encode.images"),
        ("whole.model", "sample.vae"),
        ("encode.out", "sample.posterior"),
        ("whole.model", "restore.vae"),
        ("sample.out", "restore.latents"),
        ("restore.out", "l1.reconstruction"),
        ("batch.images", "l1.images"),
        ("l1.out", "mean.loss"),
        ("encode.out", "kl.posterior"),
        ("mean.out", "sum.losses"),
        ("kl.out", "sum.losses"),
        ("sum.out", "train.loss"),
        ("whole.model", "done.value"),
        ("train.trained", "done.trained"),
        ("done.out", "calibrate.vae"),
        ("buckets.out", "calibrate.data"),
    ]:
        g.connect(source, target)
    return g


def test_a_vae_learns_from_its_drawing(tmp_path: Path) -> None:
    result = hcpgraph.run(vae_graph(40), workspace=tmp_path, targets=["train", "calibrate"])
    assert result.status == "done", result.failed
    losses = [value for _, value in result.outputs["train.losses"].series["loss"]]
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
    assert result.outputs["calibrate.out"].config["scaling_factor"] != 1.0


def test_measuring_before_the_end_of_training_is_refused(tmp_path: Path) -> None:
    g = vae_graph(4)
    g.connect("whole.model", "calibrate.vae")
    assert {problem.code for problem in hcpgraph.validate(g, workspace=tmp_path)} == {"E_STALE"}
