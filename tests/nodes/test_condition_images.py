"""Pictures beside the noisy latents: inpainting and InstructPix2Pix against the pipelines of diffusers, and trained."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.condition.guidance import guidance
from hcpgraph_nodes.condition.image import image
from hcpgraph_nodes.condition.inpaint import inpaint
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.image.decode import decode
from hcpgraph_nodes.image.mask import mask
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.save import save_model
from hcpgraph_nodes.model.trainable import trainable
from hcpgraph_nodes.sample.denoise import denoise
from hcpgraph_nodes.sample.empty_latents import empty_latents
from hcpgraph_nodes.sample.schedulers import make_scheduler
from hcpgraph_nodes.text.encode import encode_text
from hcpgraph_nodes.types import Captions, Conditioning, Images, LossMask, Noise, NoisyLatents, Timesteps

import hcpgraph
from hcpgraph import Graph, GraphError
from hcpgraph.testing import context

from .conftest import SDXL_UNET, UNET

PROMPTS = ("a red cat", "two dogs on the beach")
NEGATIVE = ("blurry", "bad picture")
HEIGHT, WIDTH = 24, 16
TOLERANCE = 1e-4
KINDS = {"inpaint": 9, "edit": 8}


def random(*shape: int, seed: int, uniform: bool = False) -> torch.Tensor:
    make = torch.rand if uniform else torch.randn
    return make(*shape, generator=torch.Generator().manual_seed(seed))


PICTURES = random(2, 3, HEIGHT, WIDTH, seed=1, uniform=True)
MASK = torch.zeros(2, 1, HEIGHT, WIDTH)
MASK[0, :, 5:17, 3:], MASK[1, :, :9, :11] = 1, 0.7
START = random(2, 4, HEIGHT // 2, WIDTH // 2, seed=7)


@pytest.fixture(scope="module")
def root(tiny_folder: Path, tiny_sdxl_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with models:inpaint and models:edit, of SD 1.x and of SDXL."""
    from diffusers import UNet2DConditionModel

    root = tmp_path_factory.mktemp("images")
    shutil.copytree(tiny_folder, root / "models/sd15")
    for family, folder, config in (("sd15", tiny_folder, UNET), ("sdxl", tiny_sdxl_folder, SDXL_UNET)):
        for kind, channels in KINDS.items():
            own = shutil.copytree(folder, root / "models" / f"{kind}_{family}")
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(channels)
                unet = UNet2DConditionModel(**{**config, "in_channels": channels})
                unet.conv_in.weight.data[:, 4:] *= 4  # the picture counts
            unet.save_pretrained(own / "unet")
    return root


def pipeline(root: Path, kind: str, family: str) -> Any:
    import diffusers

    name = {"inpaint": "Inpaint", "edit": "InstructPix2Pix"}[kind]
    cls = getattr(diffusers, f"StableDiffusion{'XL' if family == 'sdxl' else ''}{name}Pipeline")
    extra = {} if family == "sdxl" else {"safety_checker": None}
    pipe = cls.from_pretrained(root / "models" / f"{kind}_{family}", torch_dtype=torch.float32, **extra)
    pipe.scheduler = make_scheduler("ddim", load_model(context(root), path=f"models:{kind}_{family}").schedule)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def theirs(root: Path, kind: str, family: str, **arguments: Any) -> torch.Tensor:
    pipe = pipeline(root, kind, family)
    given: dict[str, Any] = {"image": PICTURES, "latents": START, "guidance_scale": 4.0, "num_inference_steps": 4}
    if family == "sdxl":
        given |= {"height": HEIGHT, "width": WIDTH}
    if kind == "inpaint":
        given |= {"mask_image": MASK, "height": HEIGHT, "width": WIDTH, "strength": 1.0}
        with torch.no_grad():  # their draws go on with the generator of the start noise
            moments = pipe.vae.encode((PICTURES * 2 - 1) * (MASK < 0.5)).latent_dist
        given["masked_image_latents"] = moments.mode() * pipe.vae.config.scaling_factor
    given |= {"negative_prompt": list(NEGATIVE), "output_type": "pt", **arguments}
    return pipe(list(PROMPTS), **given).images


def conditioned(root: Path, kind: str, family: str, *, masks: torch.Tensor = MASK, pictures: torch.Tensor = PICTURES):
    ctx = context(root)
    model = load_model(ctx, path=f"models:{kind}_{family}")
    text = encode_text(model.text_encoder, Captions(PROMPTS))
    if kind == "inpaint":
        return model, inpaint(ctx, text, model.vae, Images(pictures), LossMask(masks), mode="mean")
    return model, image(ctx, text, model.vae, Images(pictures))


def ours(root: Path, kind: str, family: str, image_guidance: float = 1.0, **given: Any) -> torch.Tensor:
    ctx = context(root)
    model, positive = conditioned(root, kind, family, **given)
    against = encode_text(model.text_encoder, Captions(NEGATIVE))
    latents = empty_latents(model.vae, width=WIDTH, height=HEIGHT, count=2)
    settings: dict[str, Any] = {"sampler": "ddim", "steps": 4, "guidance": 4.0, "image_guidance": image_guidance}
    out = denoise(ctx, model.denoiser, model.schedule, positive, latents, against, Noise(START), **settings)
    return decode(ctx, model.vae, out).data


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_inpainting_equals_the_pipeline(root: Path, family: str):
    found = ours(root, "inpaint", family)
    assert (found - theirs(root, "inpaint", family)).abs().max() <= TOLERANCE
    twins = {"no mask": {"masks": torch.zeros_like(MASK)}, "no picture": {"pictures": torch.full_like(PICTURES, 0.5)}}
    for name, given in twins.items():
        assert (ours(root, "inpaint", family, **given) - found).abs().max() >= 100 * TOLERANCE, name


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_editing_equals_the_pipeline(root: Path, family: str, scale: float):
    found = ours(root, "edit", family, scale)
    assert (found - theirs(root, "edit", family, image_guidance_scale=scale)).abs().max() <= TOLERANCE
    other = ours(root, "edit", family, scale + 1)
    assert (other - found).abs().max() >= 100 * TOLERANCE, "the scale of the picture"
    without = ours(root, "edit", family, scale, pictures=PICTURES.flip(0))
    assert (without - found).abs().max() >= 100 * TOLERANCE, "another picture"


def test_a_mask_and_a_picture_stand_for_all(root: Path):
    _, both = conditioned(root, "inpaint", "sd15", masks=MASK[:1].expand(2, -1, -1, -1))
    model, one = conditioned(root, "inpaint", "sd15", masks=MASK[:1])
    assert torch.equal(one.parts["image_channels"], both.parts["image_channels"])
    with pytest.raises(GraphError) as caught:
        inpaint(context(root), one, model.vae, Images(PICTURES[[0, 1, 1]]), LossMask(MASK[:1]))
    assert caught.value.problem.code == "E_BATCH"
    with pytest.raises(GraphError) as caught:
        inpaint(context(root), one, model.vae, Images(PICTURES), LossMask(MASK[..., :8]))
    assert caught.value.problem.code == "E_CONDITION"


def test_drawn_latents_follow_the_posterior(root: Path):
    """Mean and deviation of many draws of one picture are the encoder's."""
    model = load_model(context(root), path="models:inpaint_sd15")
    text = encode_text(model.text_encoder, Captions(("x",)))
    count, nothing = 2000, LossMask(torch.zeros(1, 1, 4, 4))
    picture = PICTURES[:1, :, :4, :4]
    made = inpaint(context(root), text, model.vae, Images(picture.expand(count, -1, -1, -1)), nothing)
    with torch.no_grad():
        moments = model.vae.root.module.encode(picture * 2 - 1).latent_dist
    drawn = made.parts["image_channels"][:, 1:] / model.vae.config["scaling_factor"]
    error = moments.std[0] / count**0.5
    assert ((drawn.mean(0) - moments.mean[0]).abs() <= 5 * error).all()
    assert ((drawn.std(0) / moments.std[0] - 1).abs() <= 0.1).all() and moments.std.min() > 0


def test_pictures_are_dropped_by_the_key_of_their_sample(root: Path):
    model = load_model(context(root), path="models:edit_sd15")
    text = encode_text(model.text_encoder, Captions(("x",)))
    keys = tuple((f"sample {index}", 0, 0) for index in range(400))
    many = Images(PICTURES[:1, :, :4, :4].expand(len(keys), -1, -1, -1), keys)
    made = image(context(root), text, model.vae, many, dropout=0.25).parts["image_channels"]
    dropped = [not row.any() for row in made]
    assert abs(sum(dropped) / len(keys) - 0.25) <= 0.08
    plain = image(context(root), text, model.vae, many).parts["image_channels"]
    assert all(torch.equal(row, own) for row, own, gone in zip(made, plain, dropped, strict=True) if not gone)
    turned = Images(many.data, keys[::-1])
    again = image(context(root), text, model.vae, turned, dropout=0.25).parts["image_channels"]
    assert [not row.any() for row in again] == dropped[::-1]


def test_brightness_becomes_a_mask():
    colours = torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]).view(3, 3, 1, 1)
    assert torch.allclose(mask(Images(colours)).data.flatten(), torch.tensor([1.0, 0.0, 0.299]))
    assert torch.allclose(mask(Images(colours), invert=True).data.flatten(), torch.tensor([0.0, 1.0, 0.701]))


@pytest.mark.parametrize(("kind", "steps"), [("inpaint", 12), ("edit", 12)])
def test_a_step_learns_from_the_picture(root: Path, kind: str, steps: int):
    """On pinned timesteps and noise the loss falls, and gradients reach the weights that read the picture."""
    model, conditioning = conditioned(root, kind, "sd15")
    handle, params = trainable(context(root), model.denoiser)
    weights = [value for group in params.groups for value in group["params"].values()]
    noise, times = random(2, 4, 12, 8, seed=3), Timesteps(torch.tensor([300, 600]))
    optimizer = torch.optim.AdamW(weights, lr=2e-3)
    losses = []
    for _ in range(steps):
        loss = (predict(handle, NoisyLatents(noise), times, conditioning).data - noise).square().mean()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        first = handle.root.module.conv_in.weight.grad
        optimizer.step()
    assert first[:, 4:].abs().max() > 0
    assert losses[-1] <= 0.7 * losses[0]


@pytest.mark.parametrize("kind", KINDS)
def test_models_that_read_pictures_are_saved(root: Path, kind: str):
    ctx = context(root)
    model = load_model(ctx, path=f"models:{kind}_sd15")
    state = model.denoiser.root.module.state_dict()
    for path, layout in ((f"out:{kind}", "diffusers"), (f"out:{kind}.safetensors", "single_file")):
        made: Any = layout
        saved = save_model(ctx, *model, path=path, layout=made, overwrite=True)
        again = load_model(ctx, path=saved.uri).denoiser
        assert all(torch.equal(value, again.root.module.state_dict()[name]) for name, value in state.items())
    import diffusers

    pipe = diffusers.DiffusionPipeline.from_pretrained(root / "out" / kind, safety_checker=None)
    wanted = {"inpaint": "StableDiffusionInpaintPipeline", "edit": "StableDiffusionInstructPix2PixPipeline"}
    assert type(pipe).__name__ == wanted[kind] and pipe.unet.config.in_channels == KINDS[kind]


def drawing(model: str, condition: str | None, **settings: Any) -> Graph:
    g = Graph()
    g.add("model.load", "model", path=f"models:{model}")
    g.add("text.prompt", "prompt", texts=["a cat"])
    g.add("text.encode", "encode")
    g.add("sample.empty_latents", "empty", width=16, height=16)
    g.add("sample.denoise", "draw", **{"guidance": 2.0, **settings})
    g.edges |= {
        "encode.text_encoder": "model.text_encoder",
        "encode.captions": "prompt.out",
        "empty.vae": "model.vae",
        "draw.denoiser": "model.denoiser",
        "draw.schedule": "model.schedule",
        "draw.positive": "encode.out",
        "draw.negative": "encode.out",
        "draw.latents": "empty.out",
    }
    if condition is None:
        return g
    g.add(condition, "condition")
    g.edges |= {"condition.conditioning": "encode.out", "draw.positive": "condition.out"}
    if condition != "condition.guidance":
        g.add("image.load", "picture", path="data:picture.png")
        g.edges |= {"condition.vae": "model.vae", "condition.images": "picture.out"}
    if condition == "condition.inpaint":
        g.add("image.mask", "mask")
        g.edges |= {"mask.images": "picture.out", "condition.masks": "mask.out"}
    return g


@pytest.mark.parametrize(
    ("model", "condition", "settings", "wrong"),
    [
        ("sd15", None, {}, []),
        ("inpaint_sd15", "condition.inpaint", {}, []),
        ("edit_sd15", "condition.image", {"image_guidance": 1.5}, []),
        ("sd15", "condition.inpaint", {}, [("E_CHANNELS", "positive")]),
        ("inpaint_sd15", None, {}, [("E_CHANNELS", "positive")]),
        ("inpaint_sdxl", "condition.image", {}, [("E_CHANNELS", "positive")]),
        ("edit_sd15", "condition.inpaint", {}, [("E_CHANNELS", "positive")]),
        ("sd15", None, {"image_guidance": 1.5}, [("E_PARTS", "image_guidance")]),
        ("sd15", "condition.guidance", {}, [("E_PARTS", "positive")]),
    ],
)
def test_what_does_not_fit_is_told_before_anything_runs(
    root: Path, model: str, condition: str | None, settings: dict[str, Any], wrong: list[tuple[str, str]]
):
    from PIL import Image

    (root / "data").mkdir(exist_ok=True)
    Image.new("RGB", (16, 16)).save(root / "data/picture.png")
    g = drawing(model, condition, **settings)
    found = [problem for problem in hcpgraph.validate(g, workspace=root) if problem.severity == "error"]
    assert [(problem.code, problem.port) for problem in found] == wrong


def test_pictures_by_tokens_are_refused_by_a_unet(root: Path):
    g = drawing("sd15", "condition.image")
    g.nodes["condition"].settings["by"] = "tokens"
    assert ("E_PARTS", "positive") in [(each.code, each.port) for each in hcpgraph.validate(g, workspace=root)]
    ctx = context(root)
    model = load_model(ctx, path="models:sd15")
    text = encode_text(model.text_encoder, Captions(PROMPTS))
    made = image(
        ctx, image(ctx, text, model.vae, Images(PICTURES), by="tokens"), model.vae, Images(PICTURES), by="tokens"
    )
    assert list(made.parts) == ["text", "image_tokens_1", "image_tokens_2"]
    normal = model.vae.root.module.encode(PICTURES * 2 - 1).latent_dist.mode() * model.vae.config["scaling_factor"]
    assert torch.allclose(made.references[1], normal, atol=1e-6)
    inputs = NoisyLatents(START), Timesteps(torch.tensor([3, 4]))
    for refused, code in (
        (made, "E_PARTS"),
        (guidance(text, value=3.5), "E_PARTS"),
        (conditioned(root, "inpaint", "sd15")[1], "E_CHANNELS"),
    ):
        with pytest.raises(GraphError) as caught:
            predict(model.denoiser, *inputs, refused)
        assert caught.value.problem.code == code
    assert guidance(text, value=3.5).parts["guidance"].tolist() == [3.5, 3.5]


def test_the_picture_has_the_size_of_the_latents(root: Path):
    model, conditioning = conditioned(root, "edit", "sd15", pictures=PICTURES[..., :8])
    with pytest.raises(GraphError) as caught:
        predict(model.denoiser, NoisyLatents(START), Timesteps(torch.tensor([3, 4])), conditioning)
    assert caught.value.problem.code == "E_CONDITION"


def test_a_picture_that_cannot_guide(root: Path):
    with pytest.raises(GraphError) as caught:
        ours(root, "inpaint", "sd15", 1.5)
    assert (caught.value.problem.code, caught.value.problem.port) == ("E_PARTS", "image_guidance")


def test_a_negative_side_has_the_picture_of_the_positive_one():
    text = Conditioning.of(torch.zeros(1, 2, 3), torch.zeros(1, 4))
    given = {"image_channels": torch.ones(1, 4, 2, 2), "guidance": torch.ones(1)}
    positive = Conditioning.of(torch.ones(1, 2, 3), torch.ones(1, 4), **given)
    found = text.with_conditions_of(positive)
    assert not found.data.any() and found.pooled is not None and not found.pooled.any()
    assert all(found.parts[name] is part for name, part in given.items())
    own = text.with_parts(image_channels=torch.zeros(1, 4, 2, 2)).with_conditions_of(positive)
    assert not own.parts["image_channels"].any()
