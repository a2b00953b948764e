"""A LoRA-free training step of a tiny Stable Diffusion, drawn as a graph and written by hand; shared with benchmarks."""

from collections.abc import Iterator
from copy import deepcopy

import torch

from hcpgraph import Graph
from hcpgraph.rng import stream_seed

CAPTIONS = ["panda", "frog", "lion", "fox"]
SEED = 7
RESOLUTION = 16


def drawn(steps: int, **loop) -> Graph:
    """Train the whole UNet of a tiny model on four emoji with AdamW."""
    g = Graph()
    g.add("model.new", "new", resolution=RESOLUTION, channels=[8, 16], text_width=16, text_layers=1, vocab_size=600)
    g.add("model.trainable", "whole")
    g.connect("new.denoiser", "whole.model")
    g.add("data.openmoji", "pictures", size=RESOLUTION, include=[f"re:^{c}$" for c in CAPTIONS], template="{name}")
    g.add("data.ratio_bucket", "buckets", target_area=RESOLUTION**2, crop="center")
    g.connect("pictures.out", "buckets.dataset")
    g.add("data.loader", "loader", batch_size=2)
    g.connect("buckets.out", "loader.data")
    g.add("optim.adamw", "adamw", lr=1e-3)
    g.connect("whole.params", "adamw.params")
    g.add("train.loop", "train", steps=steps, seed=SEED, **loop)
    g.connect("adamw.out", "train.optimizer")
    for type_id, id, settings in [
        ("data.batch", "batch", {}),
        ("diffusion.encode_image", "latents", {"mode": "mean"}),
        ("text.encode", "text", {}),
        ("noise.gaussian", "noise", {}),
        ("diffusion.timesteps", "t", {}),
        ("diffusion.add_noise", "noisy", {}),
        ("diffusion.predict", "predict", {}),
        ("diffusion.target", "target", {}),
        ("loss.mse", "mse", {}),
        ("loss.mean", "mean", {}),
    ]:
        g.add(type_id, id, inside="train", settings=settings)
    for source, target in [
        ("loader.out", "batch.loader"),
        ("new.vae", "latents.vae"),
        ("batch.images", "latents.images"),
        ("new.text_encoder", "text.text_encoder"),
        ("batch.captions", "text.captions"),
        ("latents.out", "noise.latents"),
        ("latents.out", "t.latents"),
        ("new.schedule", "t.schedule"),
        ("latents.out", "noisy.latents"),
        ("noise.out", "noisy.noise"),
        ("t.out", "noisy.timesteps"),
        ("new.schedule", "noisy.schedule"),
        ("whole.model", "predict.denoiser"),
        ("noisy.out", "predict.noisy"),
        ("t.out", "predict.timesteps"),
        ("text.out", "predict.conditioning"),
        ("latents.out", "target.latents"),
        ("noise.out", "target.noise"),
        ("t.out", "target.timesteps"),
        ("new.schedule", "target.schedule"),
        ("predict.out", "mse.prediction"),
        ("target.out", "mse.target"),
        ("mse.out", "mean.loss"),
        ("mean.out", "train.loss"),
    ]:
        g.connect(source, target)
    return g


def with_pixels(g: Graph, weight: float) -> Graph:
    """A second loss of `weight`: L1 between the picture and what the frozen VAE decodes of the estimated latents."""
    for type_id, id, settings in [
        ("clean.estimate", "estimate", {}),
        ("vae.reconstruct", "decoded", {}),
        ("loss.l1", "l1", {}),
        ("loss.mean", "l1_mean", {}),
        ("loss.weighted_sum", "scaled", {"weights": [weight]}),
    ]:
        g.add(type_id, id, inside="train", settings=settings)
    for source, target in [
        ("noisy.out", "estimate.noisy"),
        ("predict.out", "estimate.prediction"),
        ("t.out", "estimate.timesteps"),
        ("new.schedule", "estimate.schedule"),
        ("new.vae", "decoded.vae"),
        ("estimate.out", "decoded.latents"),
        ("decoded.out", "l1.reconstruction"),
        ("batch.images", "l1.images"),
        ("l1.out", "l1_mean.loss"),
        ("l1_mean.out", "scaled.losses"),
        ("scaled.out", "train.loss"),
    ]:
        g.connect(source, target)
    return g


def with_offset(g: Graph, over: int) -> Graph:
    """Noise with an offset per channel, whose strength goes from 0.3 down to 0 over so many steps."""
    g.add("value.curve", "strength", inside="train", shape="linear", start=0.3, over=over)
    g.add("noise.offset", "offset", inside="train")
    for source, target in [
        ("train.update", "strength.step"),
        ("strength.out", "offset.strength"),
        ("noise.out", "offset.noise"),
        ("offset.out", "noisy.noise"),
        ("offset.out", "target.noise"),
    ]:
        g.connect(source, target)
    return g


def with_teacher(g: Graph, decay: float) -> Graph:
    """A second loss: the distance from what the moving average of the model predicts."""
    g.add("optim.ema", "ema", decay=decay, power=1.0)
    g.add("model.average", "teacher")
    for type_id, id in [
        ("diffusion.predict", "told"),
        ("diffusion.as_target", "lesson"),
        ("loss.mse", "apart"),
        ("loss.mean", "apart_mean"),
    ]:
        g.add(type_id, id, inside="train")
    for source, target in [
        ("adamw.out", "ema.optimizer"),
        ("ema.out", "train.optimizer.0"),
        ("whole.model", "teacher.value"),
        ("ema.out", "teacher.optimizer"),
        ("teacher.out", "told.denoiser"),
        ("noisy.out", "told.noisy"),
        ("t.out", "told.timesteps"),
        ("text.out", "told.conditioning"),
        ("told.out", "lesson.prediction"),
        ("predict.out", "apart.prediction"),
        ("lesson.out", "apart.target"),
        ("apart.out", "apart_mean.loss"),
        ("apart_mean.out", "train.loss"),
    ]:
        g.connect(source, target)
    return g


def by_hand(
    unet,
    vae,
    text_encoder,
    tokenizer,
    alphas_cumprod,
    loader,
    steps: int,
    pixels: float = 0.0,
    offset: int = 0,
    teacher: float = 0.0,
) -> Iterator[torch.Tensor]:
    """The same step as one writes it with diffusers; yields the loss of every step.

    Args:
        pixels: Weight of the L1 loss of `with_pixels`.
        offset: Steps of the curve of `with_offset`.
        teacher: Decay of the average of `with_teacher`, whose weights it begins with.
    """
    average = deepcopy(unet).requires_grad_(False) if teacher else unet
    parameters = list(unet.requires_grad_(True).parameters())
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.01)
    for step in range(steps):
        images, captions, *_ = loader.batch(step)
        keys = images.keys

        def draws(stream, sample, step=step, keys=keys):
            seeds = [stream_seed(SEED, stream, (step,), key) for key in keys]
            return torch.stack([sample(torch.Generator().manual_seed(seed)) for seed in seeds])

        with torch.no_grad():
            latents = vae.encode(images.data * 2 - 1).latent_dist.mean * vae.config.scaling_factor
            tokens = tokenizer(
                list(captions.texts), padding="max_length", truncation=True, max_length=77, return_tensors="pt"
            )
            text = text_encoder(tokens.input_ids).last_hidden_state
        shape = latents.shape[1:]
        noise = draws("noise", lambda generator, shape=shape: torch.randn(shape, generator=generator))
        if offset:
            strength = 0.3 - 0.3 * min(step / offset, 1)
            one = (shape[0], 1, 1)
            noise = noise + strength * draws("offset", lambda generator, one=one: torch.randn(one, generator=generator))
        uniform = draws("t", lambda generator: torch.rand((), dtype=torch.float64, generator=generator))
        timesteps = (uniform * len(alphas_cumprod)).long()
        signal = alphas_cumprod[timesteps].view(-1, 1, 1, 1)
        noisy = signal.sqrt() * latents + (1 - signal).sqrt() * noise
        predicted = unet(noisy, timesteps, encoder_hidden_states=text).sample
        loss = (predicted - noise).square().mean()
        if pixels:
            clean = (noisy - (1 - signal).sqrt() * predicted) / signal.sqrt()
            decoded = vae.decode(clean / vae.config.scaling_factor).sample / 2 + 0.5
            loss = torch.stack([loss, pixels * (decoded - images.data).abs().mean()]).sum()
        if teacher:
            told = average(noisy, timesteps, encoder_hidden_states=text).sample
            loss = torch.stack([loss, (predicted - told).square().mean()]).sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if teacher:
            decay = min(teacher, 1 - 1 / (step + 1))
            with torch.no_grad():
                for mean, last in zip(average.parameters(), parameters, strict=True):
                    mean.sub_((1 - decay) * (mean - last))
        yield loss.detach()
