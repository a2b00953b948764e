"""What the tests of every family of transformers do: draw as the pipeline of diffusers does, train, save, read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from hcpgraph_nodes.diffusion.add_noise import add_noise
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.diffusion.target import target
from hcpgraph_nodes.families.registry import family
from hcpgraph_nodes.image.decode import decode
from hcpgraph_nodes.model.load import LoadedModel, load_model
from hcpgraph_nodes.model.new import new_model
from hcpgraph_nodes.model.save import save_model
from hcpgraph_nodes.model.trainable import trainable
from hcpgraph_nodes.plugins.load import load_plugin
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.plugins.save import save_plugin
from hcpgraph_nodes.sample.denoise import denoise
from hcpgraph_nodes.sample.empty_latents import empty_latents
from hcpgraph_nodes.text.encode import encode_text
from hcpgraph_nodes.types import Captions, Conditioning, Latents, Noise, NoisyLatents, Timesteps
from torch import Tensor

from hcpgraph.testing import context

PROMPTS = ("a red cat", "two dogs on the beach")
NEGATIVE = ("blurry", "a bad picture")
SEED = 11
TOLERANCE = 1e-4
"""Of a picture in [0, 1]; a twin differs by a hundred times as much."""


@dataclass(frozen=True)
class Case:
    """A family and how its pipeline is called.

    Attributes:
        name: The family.
        config: Changes of its tiny configurations.
        width: Of the pictures.
        height: Of the pictures.
        steps: Of the sampler.
        guidance: Of our sampler.
        negative: Negative prompts; None: there are none.
        told: Whether the pipeline is called with them; else it has some of its own, which are these.
        sampler: Ours.
        called: What the pipeline is called with beside prompts, sizes, steps and generators.
        louder: Weights of the denoiser are multiplied by it, so that what leads it shows in a picture.
    """

    name: str
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    width: int = 16
    height: int = 32
    steps: int = 4
    guidance: float = 4.0
    negative: Sequence[str] | None = NEGATIVE
    told: bool = True
    sampler: Any = "euler"
    called: Mapping[str, Any] = field(default_factory=dict)
    louder: float = 1.0


def made(root: Path, case: Case, name: str = "") -> Path:
    """The tiny model as a diffusers folder models:NAME below a workspace, made once."""
    folder = root / "models" / (name or case.name)
    if not folder.exists():
        folder.mkdir(parents=True)
        ctx = context(root)
        model = new_model(
            ctx, family=case.name, config={key: dict(value) for key, value in case.config.items()}, seed=1
        )
        with torch.no_grad():
            for parameter in model.denoiser.root.module.parameters():
                parameter.mul_(case.louder)
        parts = (model.denoiser, model.text_encoder, model.vae, model.schedule)
        family(case.name).save(folder, parts, torch.float32, {})
    return folder


def opened(root: Path, case: Case) -> LoadedModel:
    """The model, opened by us."""
    made(root, case)
    return load_model(context(root), path=f"models:{case.name}")


def pipeline(root: Path, case: Case) -> Any:
    """The pipeline of diffusers, of the same folder."""
    import diffusers

    cls = getattr(diffusers, family(case.name).pipeline)  # type: ignore[attr-defined]
    pipe = cls.from_pretrained(made(root, case), local_files_only=True, torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def encoded(model: LoadedModel, texts: Sequence[str]) -> Conditioning:
    """Prompts, encoded by us."""
    with torch.no_grad():
        return encode_text(model.text_encoder, Captions(tuple(texts)))


def drawn(root: Path, case: Case, model: LoadedModel, positive: Conditioning, **changed: Any) -> Tensor:
    """Pictures (2, 3, H, W) that we draw."""
    ctx = context(root)
    latents = empty_latents(model.vae, width=case.width, height=case.height, count=len(PROMPTS))
    given: dict[str, Any] = {"sampler": case.sampler, "steps": case.steps, "guidance": case.guidance, "seed": SEED}
    against = None if case.negative is None else encoded(model, case.negative)
    against = changed.pop("negative", against)
    out = denoise(ctx, model.denoiser, model.schedule, positive, latents, against, **{**given, **changed})
    with torch.no_grad():
        return decode(ctx, model.vae, out).data


def theirs(root: Path, case: Case, pipe: Any = None, **changed: Any) -> Tensor:
    """Pictures (2, 3, H, W) that the pipeline draws."""
    pipe = pipe or pipeline(root, case)
    negative = {"negative_prompt": list(case.negative)} if case.told and case.negative is not None else {}
    given = {"num_inference_steps": case.steps, "width": case.width, "height": case.height, "output_type": "pt"}
    generators = [torch.Generator("cpu").manual_seed(SEED + index) for index in range(len(PROMPTS))]
    called = {"prompt": list(PROMPTS), **negative, **given, "generator": generators, **case.called, **changed}
    with torch.no_grad():
        images: Tensor = pipe(**called).images
    return images


def far(first: Tensor, second: Tensor) -> float:
    """The largest difference of two pictures."""
    return float((first - second).abs().max())


def without(conditioning: Conditioning, part: str) -> Conditioning:
    """The same with zeros in a part."""
    return conditioning.with_parts(**{part: torch.zeros_like(conditioning.parts[part])})


def unmasked(conditioning: Conditioning) -> Conditioning:
    """The same without masks: what is padding counts."""
    return Conditioning(dict(conditioning.parts), {name: torch.ones_like(m) for name, m in conditioning.masks.items()})


def example(root: Path, case: Case, model: LoadedModel) -> tuple[NoisyLatents, Timesteps, Conditioning, Tensor]:
    """Noisy latents at two pinned times, prompts, and the target of the network's output, of real shapes."""
    shape = empty_latents(model.vae, width=case.width, height=case.height, count=len(PROMPTS)).data.shape
    clean, noise = (torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in (3, 4))
    times = Timesteps(torch.tensor([0.3, 0.8]) if model.schedule.kind == "flow" else torch.tensor([100, 700]))
    noisy = add_noise(Latents(clean), Noise(noise), times, model.schedule)
    aim = target(Latents(clean), Noise(noise), times, model.schedule)
    return noisy, times, encoded(model, PROMPTS), aim.data


def trained(
    model: LoadedModel, denoiser: Any, parameters: Sequence[Tensor], data: Any, steps: int, lr: float
) -> list[float]:
    """Losses of training on one pinned example."""
    noisy, times, text, target = data
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=0.0)
    losses = []
    for _ in range(steps):
        loss = (predict(denoiser, noisy, times, text, schedule=model.schedule).data - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def learns_by_a_lora(root: Path, case: Case, **layout: Any) -> None:
    """A LoRA brings the loss of a pinned example to 0.7 of what it was; saved and read again it predicts the same."""
    model = opened(root, case)
    data = example(root, case, model)
    adapted = lora(context(root, node="lora", seed=2), model.denoiser, layers=["@attention", "@mlp"], rank=8)
    losses = trained(model, adapted.model, list(adapted.adapter.plugin.parameters()), data, 40, 2e-2)
    assert losses[-1] <= 0.7 * losses[0], losses
    with torch.no_grad():
        expected = predict(adapted.model, *data[:3], schedule=model.schedule).data
        plain = predict(model.denoiser, *data[:3], schedule=model.schedule).data
        saved = save_plugin(context(root), [adapted.adapter], path="out:lora.safetensors", dtype="fp32", **layout)
        again = load_plugin(context(root), opened(root, case).denoiser, path=saved.uri)
        found = predict(again.model, *data[:3], schedule=model.schedule).data
    assert far(found, expected) <= 1e-5 and far(plain, expected) > 1e-3


def the_pipeline_reads_a_lora(root: Path, case: Case, layout: Any) -> None:
    """A LoRA that we write leads the pipeline of diffusers as it leads our model."""
    model, pipe = opened(root, case), pipeline(root, case)
    adapted = lora(context(root, node="lora", seed=2), model.denoiser, layers=["@attention", "@mlp"], rank=4)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in adapted.adapter.plugin.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / 4)
    path = f"{case.name}_{layout}.safetensors"
    save_plugin(context(root), [adapted.adapter], path=f"out:{path}", dtype="fp32", layout=layout)
    pipe.load_lora_weights(root / "out", weight_name=path)
    positive, reference = encoded(model, PROMPTS), theirs(root, case, pipe)
    assert far(drawn(root, case, model._replace(denoiser=adapted.model), positive), reference) <= TOLERANCE
    assert far(drawn(root, case, model, positive), reference) >= 100 * TOLERANCE


def learns_whole(root: Path, case: Case, layout: str = "diffusers") -> None:
    """All weights bring the loss to 0.7 of what it was; the model, saved and read again, predicts the same."""
    model = opened(root, case)
    data = example(root, case, model)
    chosen = trainable(context(root), model.denoiser, layers=[""])
    losses = trained(model, chosen.model, list(chosen.model.root.module.parameters()), data, 30, 2e-3)
    assert losses[-1] <= 0.7 * losses[0], losses
    ending = ".safetensors" if layout == "single_file" else ""
    parts = (chosen.model, model.text_encoder, model.vae, model.schedule)
    path = f"out:{case.name}{ending}"
    saved = save_model(context(root), *parts, path=path, layout=layout, dtype="fp32")
    again = load_model(context(root), path=saved.uri, config=f"models:{case.name}" if ending else None)
    with torch.no_grad():
        expected = predict(chosen.model, *data[:3], schedule=model.schedule).data
        assert torch.equal(predict(again.denoiser, *data[:3], schedule=again.schedule).data, expected)
