"""SD 2.x and SDXL against the pipelines of diffusers: embeddings, latents, pictures."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.families import schedule
from hcpgraph_nodes.families.registry import family
from hcpgraph_nodes.image.decode import decode
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.sample.denoise import denoise
from hcpgraph_nodes.sample.empty_latents import empty_latents
from hcpgraph_nodes.sample.samplers import Sampler
from hcpgraph_nodes.sample.schedulers import make_scheduler
from hcpgraph_nodes.text.encode import encode, encode_text
from hcpgraph_nodes.types import Captions, Conditioning, CropInfo, NoisyLatents, Timesteps

from hcpgraph import GraphError
from hcpgraph.testing import context

PROMPTS = ("a red cat", "two dogs on the beach")
NEGATIVE = ("blurry", "bad picture")
SIZE = {"width": 16, "height": 24}


@pytest.fixture(scope="module")
def root(tiny_folder: Path, tiny_sd2_folder: Path, tiny_sdxl_folder: Path, tmp_path_factory: Any) -> Path:
    """A workspace with models:sd15, models:sd2 (velocity), models:sd2_base (noise), models:sdxl and models:sdxl_plain,
    which encodes the empty prompt instead of taking zeros."""
    root = tmp_path_factory.mktemp("families")
    for name, folder in (("sd15", tiny_folder), ("sd2", tiny_sd2_folder), ("sdxl", tiny_sdxl_folder)):
        shutil.copytree(folder, root / "models" / name)
    change(
        shutil.copytree(tiny_sd2_folder, root / "models/sd2_base") / "scheduler/scheduler_config.json",
        prediction_type="epsilon",
    )
    plain = shutil.copytree(tiny_sdxl_folder, root / "models/sdxl_plain")
    change(plain / "model_index.json", force_zeros_for_empty_prompt=False)
    return root


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def pipeline(root: Path, name: str) -> Any:
    import diffusers

    cls = diffusers.StableDiffusionXLPipeline if "sdxl" in name else diffusers.StableDiffusionPipeline
    extra = {} if "sdxl" in name else {"safety_checker": None}
    pipe = cls.from_pretrained(root / "models" / name, local_files_only=True, torch_dtype=torch.float32, **extra)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def ours(root: Path, name: str, *, negative: bool = True, guidance: float = 4.0, clip_skip: int = 0) -> torch.Tensor:
    ctx = context(root)
    model = load_model(ctx, path=f"models:{name}")
    positive = encode_text(model.text_encoder, Captions(PROMPTS), clip_skip=clip_skip)
    against = encode_text(model.text_encoder, Captions(NEGATIVE)) if negative else None
    latents = empty_latents(model.vae, **SIZE, count=2)
    settings: dict[str, Any] = {"sampler": "ddim", "steps": 4, "guidance": guidance, "seed": 11}
    out = denoise(ctx, model.denoiser, model.schedule, positive, latents, against, **settings)
    return decode(ctx, model.vae, out).data


def theirs(root: Path, name: str, **arguments: Any) -> torch.Tensor:
    pipe = pipeline(root, name)
    pipe.scheduler = make_scheduler("ddim", load_model(context(root), path=f"models:{name}").schedule)
    generators = [torch.Generator("cpu").manual_seed(11 + index) for index in range(2)]
    arguments = {"guidance_scale": 4.0, **arguments}
    images = pipe(list(PROMPTS), generator=generators, output_type="pt", num_inference_steps=4, **SIZE, **arguments)
    return images.images


@pytest.mark.parametrize("name", ["sd2", "sd2_base", "sdxl"])
def test_equals_the_pipeline(root: Path, name: str) -> None:
    image = ours(root, name)
    assert (image - theirs(root, name, negative_prompt=list(NEGATIVE))).abs().max() <= 1e-5
    assert image.std() > 0.01


def test_velocity_and_noise_are_told_apart(root: Path) -> None:
    velocity, noise = (load_model(context(root), path=f"models:{name}") for name in ("sd2", "sd2_base"))
    assert velocity.schedule.prediction_type == velocity.denoiser.prediction_type == "v_prediction"
    assert noise.schedule.prediction_type == noise.denoiser.prediction_type == "epsilon"
    assert (ours(root, "sd2") - ours(root, "sd2_base")).abs().max() > 0.01


@pytest.mark.parametrize(("name", "negative"), [("sdxl", None), ("sdxl_plain", "")])
def test_no_negative_prompt(root: Path, name: str, negative: str | None) -> None:
    """Zeros where the model says so; a model that does not say so needs an (empty) prompt, as the error tells."""
    if negative is None:
        assert (ours(root, name, negative=False) - theirs(root, name)).abs().max() <= 1e-5
    else:
        with pytest.raises(GraphError) as caught:
            ours(root, name, negative=False)
        assert caught.value.problem.code == "E_NO_NEGATIVE"


def test_without_guidance(root: Path) -> None:
    image = ours(root, "sdxl", negative=False, guidance=1.0)
    assert (image - theirs(root, "sdxl", guidance_scale=1.0)).abs().max() <= 1e-5


@pytest.mark.parametrize("clip_skip", [0, 1])
@pytest.mark.parametrize("name", ["sd2", "sdxl"])
def test_embeddings(root: Path, name: str, clip_skip: int) -> None:
    found = encode_text(
        load_model(context(root), path=f"models:{name}").text_encoder, Captions(PROMPTS), clip_skip=clip_skip
    )
    given = {"prompt": list(PROMPTS), "device": "cpu", "num_images_per_prompt": 1, "do_classifier_free_guidance": False}
    pipe = pipeline(root, name)
    if name == "sd2" and clip_skip:  # diffusers 0.42 looks for `text_model`, which transformers 5.6 took away
        ids = pipe.tokenizer(list(PROMPTS), padding="max_length", return_tensors="pt").input_ids
        states = pipe.text_encoder(ids, output_hidden_states=True).hidden_states
        assert torch.equal(found.data, pipe.text_encoder.final_layer_norm(states[-2]))
        return
    told = pipe.encode_prompt(**given, clip_skip=clip_skip or None)
    assert torch.equal(found.data, told[0])
    if name == "sdxl":
        assert found.pooled is not None and torch.equal(found.pooled, told[2])
        assert found.data.shape == (2, 77, 32 + 40) and found.pooled.shape == (2, 24)
    else:
        assert found.pooled is None


@pytest.mark.parametrize(("name", "most"), [("sd2", 2), ("sdxl", 1)])
def test_clip_skip_leaves_a_layer(root: Path, name: str, most: int) -> None:
    encoder = load_model(context(root), path=f"models:{name}").text_encoder
    encode_text(encoder, Captions(("x",)), clip_skip=most)
    with pytest.raises(GraphError) as caught:
        encode_text(encoder, Captions(("x",)), clip_skip=most + 1)
    assert caught.value.problem.code == "E_CLIP_SKIP"


@pytest.mark.parametrize("cache", ["ram", "disk"])
def test_cached_embeddings_have_their_pooled_rows(root: Path, cache: str) -> None:
    ctx = context(root)
    encoder = load_model(ctx, path="models:sdxl").text_encoder
    alone = [encode_text(encoder, Captions((text,))) for text in PROMPTS]
    for _ in range(2):
        found = encode(ctx, encoder, Captions(PROMPTS), cache=cache)  # type: ignore[arg-type]
        assert torch.equal(found.data, torch.cat([each.data for each in alone]))
        assert found.pooled is not None
        assert torch.equal(found.pooled, torch.cat([each.pooled for each in alone if each.pooled is not None]))
    again = load_model(ctx, path="models:sdxl").text_encoder
    assert torch.equal(encode(ctx, again, Captions(PROMPTS[::-1]), cache=cache).pooled, found.pooled.flip(0))  # type: ignore[arg-type,union-attr]


def inputs(root: Path, name: str = "sdxl") -> tuple[Any, NoisyLatents, Timesteps, Conditioning]:
    model = load_model(context(root), path=f"models:{name}")
    noisy = NoisyLatents(torch.randn(2, 4, 12, 8, generator=torch.Generator().manual_seed(5)))
    return model.denoiser, noisy, Timesteps(torch.tensor([10, 700])), encode_text(model.text_encoder, Captions(PROMPTS))


def test_sizes_reach_the_unet(root: Path) -> None:
    denoiser, noisy, timesteps, text = inputs(root)
    sizes = torch.tensor([[100, 90, 3, 4, 24, 16], [50, 60, 0, 8, 24, 16]])
    unet = pipeline(root, "sdxl").unet

    def reference(numbers: torch.Tensor) -> torch.Tensor:
        added = {"text_embeds": text.pooled, "time_ids": numbers}
        with torch.no_grad():
            return unet(noisy.data, timesteps.data, text.data, added_cond_kwargs=added).sample

    own = torch.tensor([[24, 16, 0, 0, 24, 16]] * 2)
    assert torch.equal(predict(denoiser, noisy, timesteps, text, CropInfo(sizes)).data, reference(sizes))
    assert torch.equal(predict(denoiser, noisy, timesteps, text).data, reference(own))
    assert (reference(own) - reference(sizes)).abs().max() > 1e-4
    one_for_all = predict(denoiser, noisy, timesteps, text, CropInfo(sizes[:1])).data
    assert torch.equal(one_for_all, reference(sizes[:1].expand(2, -1)))
    with pytest.raises(GraphError) as caught:
        predict(denoiser, noisy, timesteps, text, CropInfo(sizes[[0, 1, 1]]))
    assert caught.value.problem.code == "E_BATCH"


def test_sdxl_needs_the_pooled_embedding(root: Path) -> None:
    denoiser, noisy, timesteps, text = inputs(root)
    with pytest.raises(GraphError) as caught:
        predict(denoiser, noisy, timesteps, Conditioning.of(text.data))
    assert caught.value.problem.code == "E_POOLED"


def test_sd15_does_not_read_sizes(root: Path) -> None:
    denoiser, noisy, timesteps, text = inputs(root, "sd15")
    plain = predict(denoiser, noisy, timesteps, text).data
    assert torch.equal(plain, predict(denoiser, noisy, timesteps, text, CropInfo(torch.full((2, 6), 9))).data)


@pytest.mark.parametrize(
    ("name", "force", "precision", "kept"),
    [
        ("sdxl", True, "fp16", torch.float32),
        ("sdxl", None, "fp16", torch.float32),
        ("sdxl", False, "fp16", torch.float16),
        ("sdxl", True, "bf16", torch.bfloat16),
        ("sd2", True, "fp16", torch.float16),
    ],
)
def test_a_vae_that_overflows_stays_in_float32(
    root: Path, tmp_path: Path, name: str, force: bool | None, precision: str, kept: torch.dtype
) -> None:
    folder = shutil.copytree(root / "models" / name, tmp_path / "models" / name)
    path = folder / "vae/config.json"
    config = json.loads(path.read_text()) | {"force_upcast": force}
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))
    model = load_model(context(tmp_path, precision=precision), path=f"models:{name}")
    assert {parameter.dtype for parameter in model.vae.root.module.parameters()} == {kept}
    assert {p.dtype for p in model.denoiser.root.module.parameters()} != {torch.float32}
    if kept is torch.float32:
        image = decode(context(tmp_path, precision=precision), model.vae, empty_latents(model.vae, **SIZE)).data
        assert image.dtype is torch.float32 and image.isfinite().all()


def test_words_behind_the_vocabulary_leave_the_pooled_embedding_at_the_end_token() -> None:
    """Old configurations name 2 as the end token; transformers then pools at the highest id, which a new word would be."""
    from hcpgraph_nodes.families.networks import text_model
    from hcpgraph_nodes.families.sdxl import FAMILY
    from hcpgraph_nodes.families.sizes import Sizes, TextSizes, text_configs

    small = Sizes(texts=(TextSizes(width=16, layers=1, heads=2, projection=8),))
    config = {**text_configs(small)[0], "eos_token_id": 2, "vocab_size": 49410}
    torch.manual_seed(0)
    network = text_model(FAMILY.texts[1], config).eval()
    ids = torch.tensor([[49406, 320, 49409, 49407, 0, 0]])
    with torch.no_grad():
        out = network(ids)
        assert torch.equal(out.text_embeds, network.text_projection(out.last_hidden_state[:, 3]))


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
@pytest.mark.parametrize("name", ["sd15", "sd2", "sdxl"])
def test_latents_are_not_cut_like_pixels(name: str, sampler: Sampler) -> None:
    """Also where the configuration, such as that of an Euler scheduler, does not speak of it."""
    told = schedule.read(family(name).schedule, torch.device("cpu"))
    bare = schedule.read(
        {"_class_name": "EulerDiscreteScheduler", "beta_schedule": "scaled_linear"}, torch.device("cpu")
    )
    assert [make_scheduler(sampler, each).config.clip_sample for each in (told, bare)] == [False, False]
    pixels = replace(bare, config={**bare.config, "clip_sample": True})
    assert make_scheduler(sampler, pixels).config.clip_sample is True
