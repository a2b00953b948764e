"""The pieces of a diffusion step against diffusers and ten-line references."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.diffusion.add_noise import add_noise
from hcpgraph_nodes.diffusion.encode_image import encode_image
from hcpgraph_nodes.diffusion.guide import guide
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.diffusion.target import target
from hcpgraph_nodes.diffusion.timesteps import draw_timesteps
from hcpgraph_nodes.image.decode import decode
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.new import new_model
from hcpgraph_nodes.model.trainable import trainable
from hcpgraph_nodes.process.kinds.vp import VariancePreserving
from hcpgraph_nodes.text.encode import encode_text
from hcpgraph_nodes.types import Captions, Images, Latents, Noise, Prediction, Timesteps

from hcpgraph import GraphError
from hcpgraph.testing import context

KEYS = (("cats", 0, 3), ("cats", 0, 4), ("dogs", 1, 0))


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def model(workspace: Path):
    return load_model(context(workspace), path="models:tiny")


@pytest.fixture
def pipe(workspace: Path):
    from diffusers import StableDiffusionPipeline

    return StableDiffusionPipeline.from_pretrained(workspace / "models/tiny", local_files_only=True)


def test_encode_image_mean_equals_diffusers(workspace: Path, model, pipe) -> None:
    images = torch.rand(3, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    latents = encode_image(context(workspace), model.vae, Images(images, KEYS), mode="mean")
    with torch.no_grad():
        reference = pipe.vae.encode(images * 2 - 1).latent_dist.mean * pipe.vae.config.scaling_factor
    assert torch.equal(latents.data, reference)
    assert latents.keys == KEYS


def test_encode_image_samples_each_picture_on_its_own(workspace: Path, model) -> None:
    ctx = context(workspace, node="lat", seed=7)
    images = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    all_three = encode_image(ctx, model.vae, Images(images, KEYS)).data
    last = encode_image(ctx, model.vae, Images(images[2:], KEYS[2:])).data
    assert torch.allclose(all_three[2:], last, atol=1e-6)
    mean = encode_image(ctx, model.vae, Images(images, KEYS), mode="mean").data
    assert (all_three - mean).abs().max() > 0.01


def test_decode_equals_diffusers(workspace: Path, model, pipe) -> None:
    latents = random(2, 4, 8, 8)
    with torch.no_grad():
        reference = (pipe.vae.decode(latents / pipe.vae.config.scaling_factor)[0] / 2 + 0.5).clamp(0, 1)
    image = decode(context(workspace), model.vae, Latents(latents)).data
    assert torch.allclose(image, reference, atol=1e-5)


def test_pixel_vae_changes_nothing(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    vae = new_model(ctx, channels=[8], resolution=16).vae
    images = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    latents = encode_image(ctx, vae, Images(images))
    assert latents.data.shape == images.shape
    assert (latents.data - (images * 2 - 1)).abs().max() < 1e-4
    assert (decode(ctx, vae, latents).data - images).abs().max() < 1e-4
    flat = encode_image(ctx, vae, Images(torch.ones(1, 3, 16, 16)))
    assert (decode(ctx, vae, flat).data - 1).abs().max() < 1e-4


@pytest.mark.parametrize("clip_skip", [0, 1, 2])
def test_text_encode_equals_diffusers(model, pipe, clip_skip: int) -> None:
    texts = ("a cat", "photo " * 100)
    with torch.no_grad():
        reference = (
            pipe.encode_prompt(list(texts), "cpu", 1, False, clip_skip=clip_skip or None)[0] if not clip_skip else None
        )
        if clip_skip:
            ids = pipe.tokenizer(list(texts), padding="max_length", max_length=77, truncation=True, return_tensors="pt")
            hidden = pipe.text_encoder(ids.input_ids, output_hidden_states=True).hidden_states[-1 - clip_skip]
            reference = pipe.text_encoder.final_layer_norm(hidden)
    embedding = encode_text(model.text_encoder, Captions(texts), clip_skip=clip_skip).data
    assert embedding.shape == (2, 77, 32)
    assert torch.equal(embedding, reference)
    assert not embedding.requires_grad


def test_clip_skip_beyond_the_encoder(model) -> None:
    with pytest.raises(GraphError) as caught:
        encode_text(model.text_encoder, Captions(("a",)), clip_skip=3)
    assert caught.value.problem.code == "E_CLIP_SKIP"


def test_text_encoder_gives_gradients_only_where_it_is_trained(workspace: Path, model) -> None:
    assert not encode_text(model.text_encoder, Captions(("a",))).data.requires_grad
    tuned = trainable(context(workspace), model.text_encoder, layers=["re:.*layers\\.0"])
    assert encode_text(tuned.model, Captions(("a",))).data.requires_grad
    with torch.no_grad():
        assert not encode_text(tuned.model, Captions(("a",))).data.requires_grad


def test_timesteps_are_uniform_and_belong_to_the_sample(workspace: Path, model) -> None:
    ctx = context(workspace, node="t", seed=1)
    many = tuple(("d", 0, index) for index in range(4000))
    latents = Latents(torch.zeros(4000, 1, 1, 1), many)
    drawn = draw_timesteps(ctx, latents, model.schedule).data
    assert drawn.dtype is torch.int64 and drawn.min() >= 0 and drawn.max() <= 999
    counts = torch.histc(drawn.double(), 10, 0, 1000)
    assert ((counts - 400) ** 2 / 400).sum() < 27.9  # chi², 9 degrees of freedom, p = 0.001
    reverse = draw_timesteps(ctx, Latents(latents.data, many[::-1]), model.schedule).data
    assert torch.equal(drawn, reverse.flip(0))
    part = draw_timesteps(ctx, latents, model.schedule, low=100, high=102).data
    assert set(part.tolist()) == {100, 101}
    assert draw_timesteps(ctx, latents, model.schedule, high=5000).data.max() <= 999
    with pytest.raises(GraphError) as caught:
        draw_timesteps(ctx, latents, model.schedule, low=1000)
    assert caught.value.problem.code == "E_RANGE"


def test_add_noise_equals_diffusers(model, pipe) -> None:
    latents, noise = random(3, 4, 8, 8), random(3, 4, 8, 8, seed=1)
    timesteps = torch.tensor([0, 500, 999])
    noisy = add_noise(Latents(latents, KEYS), Noise(noise), Timesteps(timesteps), model.schedule)
    assert torch.allclose(noisy.data, pipe.scheduler.add_noise(latents, noise, timesteps), atol=1e-6)
    assert noisy.keys == KEYS


def test_targets(model, pipe) -> None:
    latents, noise = random(3, 4, 8, 8), random(3, 4, 8, 8, seed=1)
    timesteps = torch.tensor([0, 500, 999])
    args = (Latents(latents), Noise(noise), Timesteps(timesteps))
    kinds = ("epsilon", "sample", "v_prediction")
    references = (noise, latents, pipe.scheduler.get_velocity(latents, noise, timesteps))
    for kind, reference in zip(kinds, references, strict=True):
        result = target(*args, VariancePreserving(model.schedule.alphas_cumprod, kind))
        assert result.kind == kind
        assert torch.allclose(result.data, reference, atol=1e-6)


def test_predict_equals_the_unet(workspace: Path, model, pipe) -> None:
    noisy, timesteps = random(2, 4, 8, 8), torch.tensor([10, 700])
    text = encode_text(model.text_encoder, Captions(("a cat",)))
    prediction = predict(model.denoiser, Latents(noisy), Timesteps(timesteps), text)
    with torch.no_grad():
        reference = pipe.unet(noisy, timesteps, text.data.expand(2, -1, -1)).sample
    assert prediction.kind == "epsilon"
    assert torch.equal(prediction.data, reference)


def test_half_precision_runs_and_returns_float32(workspace: Path) -> None:
    ctx = context(workspace, precision="bf16")
    model = load_model(ctx, path="models:tiny")
    tuned = trainable(ctx, model.denoiser, layers=["re:.*attn1"])
    text = encode_text(model.text_encoder, Captions(("a cat",)))
    noisy, timesteps = random(1, 4, 8, 8), torch.tensor([10])
    prediction = predict(tuned.model, Latents(noisy), Timesteps(timesteps), text)
    assert prediction.data.dtype is torch.float32
    prediction.data.square().mean().backward()
    gradients = [p.grad for p in tuned.params.groups[0]["params"].values()]
    assert all(g is not None and g.dtype is torch.float32 and g.abs().max() > 0 for g in gradients)
    full = load_model(context(workspace), path="models:tiny")
    reference = predict(
        full.denoiser, Latents(noisy), Timesteps(timesteps), encode_text(full.text_encoder, Captions(("a cat",)))
    )
    assert (prediction.data - reference.data).abs().max() < 0.05 * reference.data.abs().max()


def test_guide() -> None:
    positive, negative = random(2, 4, 8, 8), random(2, 4, 8, 8, seed=1)
    guided = guide(Prediction(positive, "v_prediction"), Prediction(negative, "v_prediction"), scale=3.0)
    assert guided.kind == "v_prediction"
    assert torch.allclose(guided.data, 3 * positive - 2 * negative, atol=1e-5)
    assert torch.allclose(guide(Prediction(positive), Prediction(negative), scale=1.0).data, positive, atol=1e-6)


def test_family_is_known() -> None:
    from hcpgraph_nodes.families.registry import family

    with pytest.raises(GraphError, match="sd15"):
        family("sd16")
