"""FLUX.1 against its pipelines in diffusers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.condition.guidance import guidance
from hcpgraph_nodes.condition.image import image
from hcpgraph_nodes.condition.inpaint import inpaint
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.families.dit.packing import pack, places, reference_places, unpack
from hcpgraph_nodes.families.flux import LAYOUT, sized
from hcpgraph_nodes.families.image_conditions import image_fact
from hcpgraph_nodes.families.registry import family
from hcpgraph_nodes.families.text_probe import probe_text_encoder
from hcpgraph_nodes.image.decode import decode
from hcpgraph_nodes.model.load import LoadedModel
from hcpgraph_nodes.model.root import Placement
from hcpgraph_nodes.process.kinds.shift import Shift
from hcpgraph_nodes.sample.denoise import denoise
from hcpgraph_nodes.sample.empty_latents import empty_latents
from hcpgraph_nodes.text.encode import encode_text
from hcpgraph_nodes.types import Captions, Conditioning, Images, LossMask, Noise, NoisyLatents, Timesteps

import hcpgraph
from hcpgraph import GraphError

from . import files, harness
from .adapters import attached, saved
from .harness import NEGATIVE, PROMPTS, TOLERANCE, Case, drawn, encoded, far, opened, pipeline, theirs, without

WIDE = {"attention_head_dim": 128, "num_attention_heads": 1, "axes_dims_rope": [16, 56, 56]}
"""Heads whose axes are known, so that tensors tell every size."""
CASE = Case("flux", guidance=1.0, negative=None, called={"guidance_scale": 3.5}, louder=2.0)
TRUE = replace(CASE, guidance=3.0, negative=NEGATIVE, called={"guidance_scale": 3.5, "true_cfg_scale": 3.0})
SIZE = (16, 32)
PICTURES = torch.rand(2, 3, 32, 16, generator=torch.Generator().manual_seed(5))
MASK = (torch.rand(2, 1, 32, 16, generator=torch.Generator().manual_seed(6)) > 0.5).float()
START = torch.randn(2, 4, 16, 8, generator=torch.Generator().manual_seed(7))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("flux")


def variant(root: Path, name: str, **transformer: Any) -> LoadedModel:
    """A model of another kind, at models:NAME, whose VAE's posterior has no width, so that draws are means."""
    folder = harness.made(root, replace(CASE, config={"transformer": transformer}), name)
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    state = files.load_file(path)
    state["encoder.conv_out.weight"][4:], state["encoder.conv_out.bias"][4:] = 0, -30
    files.save_file(state, path, {"format": "pt"})
    return harness.load_model(harness.context(root), path=f"models:{name}")


def ours(root: Path, model: LoadedModel, positive: Conditioning, start: torch.Tensor = START) -> torch.Tensor:
    ctx = harness.context(root)
    latents = empty_latents(model.vae, width=SIZE[0], height=SIZE[1], count=2)
    out = denoise(
        ctx,
        model.denoiser,
        model.schedule,
        positive,
        latents,
        None,
        Noise(start),
        sampler="euler",
        steps=4,
        guidance=1.0,
    )
    with torch.no_grad():
        return decode(ctx, model.vae, out).data


def of_pipeline(root: Path, cls: str, name: str, **called: Any) -> torch.Tensor:
    import diffusers

    pipe = getattr(diffusers, cls).from_pretrained(root / "models" / name, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    given = {"width": SIZE[0], "height": SIZE[1], "num_inference_steps": 4, "guidance_scale": 3.5, "output_type": "pt"}
    with torch.no_grad():
        images: torch.Tensor = pipe(prompt=list(PROMPTS), latents=pack(START), **{**given, **called}).images
    return images


def test_prompts_are_those_of_the_pipeline(root: Path) -> None:
    model, pipe = opened(root, CASE), pipeline(root, CASE)
    with torch.no_grad():
        told = pipe.encode_prompt(list(PROMPTS))
    found = encoded(model, PROMPTS)
    assert found.pooled is not None and not found.masks
    assert far(found.data, told[0]) <= 1e-4 and far(found.pooled, told[1]) <= 1e-4
    assert found.data.shape == (2, 512, 32) and found.pooled.shape == (2, 16)


def test_pictures_are_those_of_the_pipeline(root: Path) -> None:
    model = opened(root, CASE)
    positive = encoded(model, PROMPTS)
    reference = theirs(root, CASE)
    assert far(drawn(root, CASE, model, positive), reference) <= TOLERANCE
    assert far(drawn(root, CASE, model, guidance(positive, value=3.5)), reference) <= TOLERANCE
    plain = model._replace(schedule=replace(model.schedule, shift=Shift()))
    twins = {
        "prompt": drawn(root, CASE, model, without(positive, "text")),
        "pooled": drawn(root, CASE, model, without(positive, "pooled")),
        "guidance": drawn(root, CASE, model, guidance(positive, value=1.0)),
        "shift": drawn(root, CASE, plain, positive),
    }
    assert {name: far(twin, reference) for name, twin in twins.items() if far(twin, reference) < 100 * TOLERANCE} == {}


def test_bfloat16_rounds_as_the_pipeline_does(root: Path) -> None:
    """The noise level is rounded before it is divided; its thousandfold is what the network embeds."""
    model, pipe = opened(root, CASE), pipeline(root, CASE)
    pipe.transformer.to(torch.bfloat16)
    placement = Placement(torch.device("cpu"), torch.bfloat16, False)
    half, *_ = family("flux").load_folder(root / "models/flux", placement, None)
    text = encoded(model, PROMPTS)
    for sigma in (0.3013, 0.5157, 0.9131):
        timesteps = torch.full((2,), 1000 * sigma)
        with torch.no_grad():
            theirs = pipe.transformer(
                hidden_states=pack(START).bfloat16().contiguous(),
                timestep=timesteps.bfloat16() / 1000,
                guidance=torch.full((2,), 3.5),
                pooled_projections=text.parts["pooled"].bfloat16(),
                encoder_hidden_states=text.data.bfloat16(),
                txt_ids=torch.zeros(512, 3),
                img_ids=places(START.shape),
                return_dict=False,
            )[0]
            found = predict(half, NoisyLatents(START), Timesteps(timesteps / 1000), text, schedule=model.schedule).data
        assert torch.equal(found, unpack(theirs.float(), *START.shape[-2:]))


def test_it_is_guided_by_a_negative_prompt_too(root: Path) -> None:
    model = opened(root, CASE)
    positive = guidance(encoded(model, PROMPTS), value=3.5)
    found = drawn(root, TRUE, model, positive)
    assert far(found, theirs(root, TRUE)) <= TOLERANCE
    assert far(found, drawn(root, CASE, model, positive)) >= 100 * TOLERANCE


def test_schnell_has_no_guidance_and_no_shift(root: Path) -> None:
    model = variant(root, "schnell", guidance_embeds=False)
    positive = encoded(model, PROMPTS)
    assert far(ours(root, model, positive), of_pipeline(root, "FluxPipeline", "schnell")) <= TOLERANCE
    assert model.schedule.shift == Shift()
    with pytest.raises(GraphError) as caught:
        ours(root, model, guidance(positive, value=3.5))
    assert caught.value.problem.code == "E_PARTS"


def test_fill_equals_the_pipeline(root: Path) -> None:
    model = variant(root, "fill", in_channels=16 + 16 + 4 * 2**2, out_channels=16)
    text = encoded(model, PROMPTS)

    def led(pictures: torch.Tensor, mask: torch.Tensor, mode: Any = "sample") -> Conditioning:
        return inpaint(harness.context(root), text, model.vae, Images(pictures), LossMask(mask), mode=mode)

    given = {"image": PICTURES, "mask_image": MASK, "guidance_scale": 30.0}
    reference = of_pipeline(root, "FluxFillPipeline", "fill", **given)
    found = ours(root, model, led(PICTURES, MASK))
    assert far(found, reference) <= TOLERANCE
    twins = {
        "picture": ours(root, model, led(PICTURES.flip(0), MASK)),
        "mask": ours(root, model, led(PICTURES, 1 - MASK)),
        "guidance": ours(root, model, guidance(led(PICTURES, MASK), value=1.0)),
    }
    assert {name: far(twin, reference) for name, twin in twins.items() if far(twin, reference) < 100 * TOLERANCE} == {}
    for wrong, code in (
        (text, "E_CHANNELS"),
        (image(harness.context(root), text, model.vae, Images(PICTURES), by="tokens"), "E_CHANNELS"),
    ):
        with pytest.raises(GraphError) as caught:
            ours(root, model, wrong)
        assert caught.value.problem.code == code
    with pytest.raises(GraphError) as caught:
        led(PICTURES[..., :15], MASK[..., :15])
    assert caught.value.problem.code == "E_SIZE"


def test_control_equals_the_pipeline(root: Path) -> None:
    model = variant(root, "control", in_channels=32, out_channels=16)
    text = encoded(model, PROMPTS)
    found = ours(root, model, image(harness.context(root), text, model.vae, Images(PICTURES)))
    assert far(found, of_pipeline(root, "FluxControlPipeline", "control", control_image=PICTURES * 2 - 1)) <= TOLERANCE
    other = ours(root, model, image(harness.context(root), text, model.vae, Images(PICTURES.flip(0))))
    assert far(found, other) >= 100 * TOLERANCE


def test_kontext_equals_the_pipeline(root: Path) -> None:
    model = variant(root, "kontext")
    text = encoded(model, PROMPTS)
    picture = PICTURES[:, :, :20, :12]  # of another size than what is made

    def led(*pictures: torch.Tensor) -> torch.Tensor:
        made = text
        for each in pictures:
            made = image(harness.context(root), made, model.vae, Images(each), by="tokens")
        return ours(root, model, made)

    given = {"image": picture, "max_area": SIZE[0] * SIZE[1], "_auto_resize": False}
    found = led(picture)
    assert far(found, of_pipeline(root, "FluxKontextPipeline", "kontext", **given)) <= TOLERANCE
    assert far(found, ours(root, model, text)) >= 100 * TOLERANCE
    assert far(found, led(picture.flip(0))) >= 100 * TOLERANCE
    assert far(led(picture, PICTURES), led(picture)) >= 100 * TOLERANCE
    with pytest.raises(GraphError) as caught:
        led(picture[..., :10])
    assert caught.value.problem.code == "E_CONDITION"


def test_places_of_tokens() -> None:
    latents = torch.arange(2 * 3 * 4 * 6.0).view(2, 3, 4, 6)
    tokens = pack(latents)
    assert tokens.shape == (2, 6, 12) and torch.equal(unpack(tokens, 4, 6), latents)
    assert tokens[0, 1, :4].tolist() == latents[0, 0, :2, 2:4].flatten().tolist()
    assert places(latents.shape)[[0, 1, 3]].tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 0]]
    corners = [each[0].tolist() for each in reference_places([latents] * 4)]
    assert corners == [[1, 0, 0], [1, 2, 0], [1, 4, 0], [1, 0, 3]]


def test_it_learns(root: Path) -> None:
    harness.learns_by_a_lora(root, CASE)
    harness.learns_whole(root, CASE)
    harness.learns_whole(root, CASE, layout="single_file")


@pytest.mark.parametrize("layout", ["peft", "kohya"])
def test_diffusers_loads_adapters(root: Path, layout: str) -> None:
    """Of kohya's layout its reader takes double blocks of any width, and single ones of the released width alone."""
    model, pipe = opened(root, CASE), pipeline(root, CASE)
    layers = [""] if layout == "peft" else ["re:^transformer_blocks.*"]
    made = [attached(model.denoiser, layers), attached(model.text_encoder, ["re:text_encoder\\..*(q|k|v|out)_proj$"])]
    pipe.load_lora_weights(root / "out", weight_name=saved(root, made, layout, f"flux_{layout}").removeprefix("out:"))
    noisy, times, _, _ = harness.example(root, CASE, model)
    with torch.no_grad():
        text, pooled, ids = pipe.encode_prompt(list(PROMPTS))
        theirs = pipe.transformer(
            hidden_states=pack(noisy.data),
            timestep=times.data,
            guidance=torch.full((2,), 3.5),
            pooled_projections=pooled,
            encoder_hidden_states=text,
            txt_ids=ids,
            img_ids=places(noisy.data.shape),
            return_dict=False,
        )[0]
        told = encode_text(made[1].model, Captions(PROMPTS))
        assert told.pooled is not None and far(told.pooled, pooled) <= 1e-4
        found = predict(made[0].model, noisy, times, told, schedule=model.schedule).data
        plain = predict(model.denoiser, noisy, times, told, schedule=model.schedule).data
    assert far(found, unpack(theirs, *noisy.data.shape[-2:])) <= 1e-4 and far(found, plain) > 1e-2
    assert far(encoded(model, PROMPTS).parts["pooled"], pooled) > 1e-2


def test_the_files_that_people_have(tmp_path: Path) -> None:
    case = replace(CASE, config={"transformer": WIDE})
    files.denoiser_files_are_read(tmp_path, case)
    files.parts_are_read(tmp_path, case)


def test_files_of_clip_have_more_than_the_network(root: Path) -> None:
    """Those that people have are of the whole CLIP's text side, with what FLUX.1 does not read."""
    model, folder = opened(root, CASE), harness.made(root, CASE)
    state = files.load_file(folder / "text_encoder" / "model.safetensors")
    more = {"logit_scale": torch.ones(()), "text_projection.weight": torch.ones(16, 16)}
    more["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    whole = {name if name.startswith("text_model.") else f"text_model.{name}": value for name, value in state.items()}
    files.save_file(whole | more, root / "models/clip_l.safetensors")
    files.save_file(files.load_file(folder / "text_encoder_2" / "model.safetensors"), root / "models/t5.safetensors")
    settings = {"path": "models:clip_l.safetensors", "path_2": "models:t5.safetensors", "config": "models:flux"}
    assert probe_text_encoder([root / "models/clip_l.safetensors", root / "models/t5.safetensors"]) == "flux"
    files.equal(files.load_text_encoder(harness.context(root), **settings), model.text_encoder)


KINDS: dict[str, dict[str, Any]] = {
    "none or tokens": {},
    "inpaint": {"in_channels": 48, "out_channels": 16},
    "channels": {"in_channels": 32, "out_channels": 16},
}


@pytest.mark.parametrize("kind", KINDS)
def test_files_tell_what_a_model_reads(tmp_path: Path, kind: str) -> None:
    """Pictures by the sizes of tensors, and of schnell, which has no scale of guidance, a flow that is not shifted."""
    changed = {**WIDE, **KINDS[kind], "guidance_embeds": kind != "channels"}
    case = replace(CASE, config={"transformer": changed})
    for name, state in files.denoisers(tmp_path, case).items():
        path = tmp_path / "models" / f"{name}.safetensors"
        files.save_file(state, path)
        assert image_fact({"path": str(path)}, Path) == kind
        found = files.load_denoiser(harness.context(tmp_path), path=f"models:{name}.safetensors")
        assert found.schedule.shift.use_dynamic_shifting == changed["guidance_embeds"]
    assert image_fact({"path": "models:flux"}, lambda path: tmp_path / "models/flux") == kind


def test_a_gguf_file_is_read(tmp_path: Path) -> None:
    """The names are those of the authors; matrices have eight bits."""
    import gguf

    case = replace(CASE, config={"transformer": WIDE})
    writer = gguf.GGUFWriter(tmp_path / "flux.gguf", "flux")
    for name, value in files.denoisers(tmp_path, case)["bare"].items():
        kind = gguf.GGMLQuantizationType.Q8_0
        eight = value.dim() > 1 and value.shape[-1] % 32 == 0
        writer.add_tensor(
            name,
            gguf.quants.quantize(value.numpy(), kind) if eight else value.numpy(),
            raw_dtype=kind if eight else None,
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    (tmp_path / "flux.gguf").rename(tmp_path / "models/flux.gguf")
    assert files.probe_denoiser(tmp_path / "models/flux.gguf") == "flux"
    found = files.load_denoiser(harness.context(tmp_path), path="models:flux.gguf").denoiser
    expected = opened(tmp_path, case).denoiser.root.module.state_dict()
    for name, value in found.root.module.state_dict().items():
        assert (value - expected[name]).abs().max() <= expected[name].abs().max() / 127, name


def test_a_file_of_unknown_axes_is_refused(root: Path) -> None:
    state = files.denoisers(root, CASE)["bare"]
    files.save_file(state, root / "models" / "small.safetensors")
    found = files.load_denoiser(harness.context(root), path="models:small.safetensors").denoiser
    with pytest.raises(GraphError) as caught:
        _ = found.root.module
    assert caught.value.problem.code == "E_WEIGHTS"


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"guidance_embeds": False},
        {"in_channels": 384, "out_channels": 64},
        {"in_channels": 128, "out_channels": 64},
    ],
)
def test_released_sizes_are_told_by_tensors_and_the_layout_is_that_of_diffusers(changed: dict[str, Any]) -> None:
    """Its converter, the other way, on the released sizes: values of the first row tell which part is which."""
    from accelerate import init_empty_weights
    from diffusers import FluxTransformer2DModel
    from diffusers.loaders.single_file_utils import convert_flux_transformer_checkpoint_to_diffusers

    config = {**family("flux").transformer.released, **changed}
    with init_empty_weights():
        state = FluxTransformer2DModel.from_config(config).state_dict()
    original = LAYOUT.write(state)
    for known in (state, original):
        shapes = {name: tuple(value.shape) for name, value in known.items()}
        assert {**config, **sized(shapes)} == config and sized(shapes)["num_layers"] == 19
    converted = convert_flux_transformer_checkpoint_to_diffusers(dict(original))
    assert {name: value.shape for name, value in converted.items()} == {name: one.shape for name, one in state.items()}


def test_the_order_of_joined_rows_is_that_of_diffusers() -> None:
    """One block of each kind in the released width, a number a matrix: the converter finds every one in its place."""
    from accelerate import init_empty_weights
    from diffusers import FluxTransformer2DModel
    from diffusers.loaders.single_file_utils import convert_flux_transformer_checkpoint_to_diffusers

    config = {**family("flux").transformer.released, "num_layers": 1, "num_single_layers": 1}
    with init_empty_weights():
        shapes = {name: value.shape for name, value in FluxTransformer2DModel.from_config(config).state_dict().items()}
    state = {name: torch.full(shape[:1], float(index)) for index, (name, shape) in enumerate(shapes.items())}
    state["norm_out.linear.bias"][:3072] = -1.0
    state["norm_out.linear.weight"][:3072] = -2.0
    converted = convert_flux_transformer_checkpoint_to_diffusers(LAYOUT.write(state))
    assert converted.keys() == state.keys()
    assert all(torch.equal(converted[name], value) for name, value in state.items())


@pytest.mark.parametrize(
    ("name", "condition", "settings", "wrong"),
    [
        ("kontext", None, {}, []),
        ("kontext", "condition.guidance", {}, []),
        ("kontext", "condition.image", {"by": "tokens"}, []),
        ("kontext", "condition.image", {"by": "channels"}, [("E_CHANNELS", "positive")]),
        ("control", "condition.image", {"by": "channels"}, []),
        ("control", None, {}, [("E_CHANNELS", "positive")]),
        ("fill", "condition.inpaint", {}, []),
        ("fill", "condition.image", {"by": "channels"}, [("E_CHANNELS", "positive")]),
    ],
)
def test_what_does_not_fit_is_told_before_anything_runs(
    root: Path, name: str, condition: str | None, settings: dict[str, Any], wrong: list[tuple[str, str]]
) -> None:
    from PIL import Image

    from tests.nodes.test_condition_images import drawing

    kinds = {
        "kontext": {},
        "control": {"in_channels": 32, "out_channels": 16},
        "fill": {"in_channels": 48, "out_channels": 16},
    }
    variant(root, name, **kinds[name])
    (root / "data").mkdir(exist_ok=True)
    Image.new("RGB", (16, 16)).save(root / "data/picture.png")
    g = drawing(name, condition, guidance=1.0, sampler="euler")
    del g.edges["draw.negative"]
    if condition is not None:
        g.nodes["condition"].settings.update(settings)
    found = [problem for problem in hcpgraph.validate(g, workspace=root) if problem.severity == "error"]
    assert [(problem.code, problem.port) for problem in found] == wrong


def test_the_loss_is_that_of_the_example_scripts(root: Path) -> None:
    """`train_dreambooth_lora_flux.py` of diffusers, retyped: the model's output at σ against ε − x_0, guidance 3.5."""
    model, module = opened(root, CASE), pipeline(root, CASE).transformer
    clean, noise = (torch.randn(2, 4, 16, 8, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    sigmas = torch.tensor([0.25, 0.75])
    noisy = (1 - sigmas.view(-1, 1, 1, 1)) * clean + sigmas.view(-1, 1, 1, 1) * noise
    text = encoded(model, PROMPTS)
    with torch.no_grad():
        raw = module(
            hidden_states=pack(noisy),
            timestep=sigmas,
            guidance=torch.full((2,), 3.5),
            pooled_projections=text.pooled,
            encoder_hidden_states=text.data,
            txt_ids=torch.zeros(512, 3),
            img_ids=places(noisy.shape),
            return_dict=False,
        )[0]
        found = predict(model.denoiser, NoisyLatents(noisy), Timesteps(sigmas), text, schedule=model.schedule).data
    expected = (unpack(raw, 16, 8) - (noise - clean)).square().mean()
    assert torch.allclose((found - (noise - clean)).square().mean(), expected, rtol=1e-4)
