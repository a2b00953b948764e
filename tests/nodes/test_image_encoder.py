"""Image encoders against transformers: preprocessing, features, gradients, files of old and of today."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.feature.distance import distance
from hcpgraph_nodes.feature.resize import resize
from hcpgraph_nodes.image.encode import encode
from hcpgraph_nodes.image_encoder.load import load_image_encoder
from hcpgraph_nodes.image_encoder.new import new_image_encoder
from hcpgraph_nodes.model.handles import ImageEncoder
from hcpgraph_nodes.model.load_part import load_part
from hcpgraph_nodes.model.save_part import save_part
from hcpgraph_nodes.model.trainable import trainable
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.types import Features, Images, Reconstruction
from safetensors.torch import load_file, save_file

import hcpgraph
from hcpgraph import GraphError
from hcpgraph.testing import context

SIZES = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "patch_size": 8, "image_size": 32}
WIDE = {**SIZES, "intermediate_size": 64}
KINDS: dict[str, tuple[str, str, dict[str, Any], str, int]] = {
    "clip": ("CLIPVisionConfig", "CLIPVisionModelWithProjection", {**WIDE, "projection_dim": 24}, "clip_vision", 1),
    "clip_bare": ("CLIPVisionConfig", "CLIPVisionModel", WIDE, "clip_vision", 1),
    "dinov2": ("Dinov2Config", "Dinov2Model", SIZES, "dinov2", 1),
    "gated": ("Dinov2Config", "Dinov2Model", {**SIZES, "use_swiglu_ffn": True}, "dinov2", 1),
    "registers": ("Dinov2WithRegistersConfig", "Dinov2WithRegistersModel", SIZES, "dinov2_registers", 5),
    "siglip": ("SiglipVisionConfig", "SiglipVisionModel", WIDE, "siglip", 0),
}
PROCESSORS: dict[str, tuple[str, dict[str, Any]]] = {
    "clip": ("CLIPImageProcessor", {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}),
    "dinov2": (
        "BitImageProcessor",
        {
            "size": {"shortest_edge": 40},
            "crop_size": {"height": 32, "width": 32},
            "image_mean": [0.485, 0.456, 0.406],
            "image_std": [0.229, 0.224, 0.225],
        },
    ),
    "siglip": ("SiglipImageProcessor", {"size": {"height": 32, "width": 32}}),
}


def pictures(height: int = 32, width: int = 32, count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(height + width))


def network(name: str) -> Any:
    import transformers

    settings, cls, config, _, _ = KINDS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        made = getattr(transformers, cls)(getattr(transformers, settings)(**config)).eval()
        for value in made.parameters():  # norms too begin as something else than the identity
            value.data.add_(0.1 * torch.randn_like(value))
    return made


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import transformers

    root = tmp_path_factory.mktemp("encoders")
    for name in KINDS:
        network(name).save_pretrained(root / "models" / name)
    for name, (cls, settings) in PROCESSORS.items():
        getattr(transformers, cls)(**settings).save_pretrained(root / "models" / name)
    return root


def loaded(root: Path, name: str, **settings: Any) -> ImageEncoder:
    return load_image_encoder(context(root), path=f"models:{name}", **settings)


@pytest.mark.parametrize("name", PROCESSORS)
@pytest.mark.parametrize("size", [(32, 32), (48, 80), (90, 40), (33, 32)])
def test_preprocessing_is_that_of_the_library(root: Path, name: str, size: tuple[int, int]) -> None:
    import transformers

    processor = getattr(transformers, PROCESSORS[name][0]).from_pretrained(root / "models" / name)
    data = pictures(*size)
    theirs = processor(list(data), do_rescale=False, return_tensors="pt")["pixel_values"]
    ours = loaded(root, name).preprocessing(data, "processor", 8)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    assert (loaded(root, name).preprocessing(data + 0.01, "processor", 8) - theirs).abs().max() > 1e-3
    smooth = torch.nn.functional.interpolate(0.2 + 0.6 * pictures(4, 4), size, mode="bilinear")
    levels = (smooth * 255).round().to(torch.uint8)
    theirs = processor(list(levels), return_tensors="pt")["pixel_values"]
    ours = loaded(root, name).preprocessing(levels / 255, "processor", 8)
    exact = size == (32, 32) and name != "dinov2"
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5 if exact else 2 / 255 / 0.2)


@pytest.mark.parametrize("name", KINDS)
def test_features_are_those_of_the_library(root: Path, name: str) -> None:
    encoder, special = loaded(root, name), KINDS[name][4]
    assert encoder.family == KINDS[name][3] and not encoder.root.loaded
    data = pictures()
    pixels = encoder.preprocessing(data, "as_is", 8)
    with torch.no_grad():
        theirs = network(name)(pixels, output_hidden_states=True)
        ours = encode(encoder, Images(data, (("a", 0, 0), ("b", 0, 1))), fit="as_is")
        pooled = theirs.image_embeds if name == "clip" else theirs.pooler_output
        torch.testing.assert_close(ours.tokens.data, theirs.last_hidden_state, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(ours.pooled.data, pooled, rtol=1e-5, atol=1e-5)
        for layer in (0, 2, -1, -2):
            some = encode(encoder, Images(data), layer=layer, fit="as_is", tokens="patches").tokens
            torch.testing.assert_close(some.data, theirs.hidden_states[layer][:, special:], rtol=1e-5, atol=1e-5)
            assert some.grid == (4, 4) and some.data.shape[1] == 16
    assert ours.tokens.keys == ours.pooled.keys == (("a", 0, 0), ("b", 0, 1))
    assert ours.tokens.grid == ((4, 4) if not special else None)
    with pytest.raises(GraphError, match="E_RANGE"):
        encode(encoder, Images(data), layer=4, fit="as_is")


@pytest.mark.parametrize("name", ["clip", "dinov2", "siglip"])
def test_other_sizes_have_interpolated_positions(root: Path, name: str) -> None:
    encoder, data = loaded(root, name), pictures(40, 24)
    told = {} if name == "dinov2" else {"interpolate_pos_encoding": True}
    with torch.no_grad():
        theirs = network(name)(encoder.preprocessing(data, "as_is", 8), **told).last_hidden_state
        ours = encode(encoder, Images(data), fit="as_is", tokens="patches").tokens
        torch.testing.assert_close(ours.data, theirs[:, KINDS[name][4] :], rtol=1e-5, atol=1e-5)
        assert ours.grid == (5, 3)
        assert encode(encoder, Images(data), fit="stretch", tokens="patches").tokens.grid == (4, 4)
    with pytest.raises(GraphError, match="E_SIZE"):
        encode(encoder, Images(pictures(33, 40)), fit="as_is")


def test_pictures_get_the_gradients_of_a_feature_loss(root: Path) -> None:
    """Of a picture that is scaled and of one that is not cut to [0, 1]; the weights get none."""
    encoder = loaded(root, "dinov2")
    data = (2 * pictures(48, 40, 1) - 0.5).requires_grad_()
    aim = encode(encoder, Images(pictures(40, 40, 1)), tokens="patches").tokens
    loss = distance(encode(encoder, Reconstruction(data), tokens="patches").tokens, aim, kind="cosine").data.mean()
    (ours,) = torch.autograd.grad(loss, data)
    reference, module = data.detach().clone().requires_grad_(), network("dinov2")
    small = torch.nn.functional.interpolate(reference, (48, 40), mode="bicubic", antialias=True)
    mean, std = (torch.tensor(value).view(3, 1, 1) for value in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    found = module((small[..., 8:40, 4:36] - mean) / std).last_hidden_state[:, 1:]
    (1 - torch.nn.functional.cosine_similarity(found, aim.data.detach(), dim=-1)).mean().backward()
    torch.testing.assert_close(ours, reference.grad, rtol=1e-4, atol=1e-7)
    assert ours[data > 1].abs().sum() > 0 and ours.abs().max() > 1e-6
    assert all(value.grad is None for value in encoder.root.module.parameters())


def test_old_names_whole_models_and_pipelines(root: Path, tmp_path: Path) -> None:
    """Files of before transformers 5, a CLIP with its text network, and a folder with an image_encoder in it."""
    import transformers

    data, expected = Images(pictures()), encode(loaded(root, "clip"), Images(pictures()))
    state = load_file(root / "models/clip/model.safetensors")
    text = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
    parts = {"vision_config": KINDS["clip"][2], "text_config": {**text, "vocab_size": 50000}, "projection_dim": 24}
    whole = transformers.CLIPModel(transformers.CLIPConfig(**parts))
    whole.load_state_dict(state, strict=False)
    whole.save_pretrained(tmp_path / "models/whole")
    (tmp_path / "models/pipe").mkdir()
    (root / "models/clip").rename(tmp_path / "models/pipe/image_encoder")
    try:
        old = {**state, "vision_model.embeddings.position_ids": torch.arange(17)}
        (tmp_path / "models/old").mkdir()
        save_file(old, tmp_path / "models/old/model.safetensors", {"format": "pt"})
        config = json.loads((tmp_path / "models/pipe/image_encoder/config.json").read_text("utf-8"))
        (tmp_path / "models/old/config.json").write_text(json.dumps(config), "utf-8")
        for name in ("whole", "pipe", "old"):
            torch.testing.assert_close(encode(loaded(tmp_path, name), data).pooled.data, expected.pooled.data)
    finally:
        (tmp_path / "models/pipe/image_encoder").rename(root / "models/clip")
    bare = load_file(root / "models/clip_bare/model.safetensors")
    assert not any(name.startswith("vision_model") for name in bare), "what today's release writes"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"model_type": "vit"}, "E_FAMILY"),
        ({"auto_map": {"AutoModel": "evil.Model"}}, "E_MODEL_CLASS"),
        ({"hidden_size": "many"}, "E_MODEL_CLASS"),
    ],
)
def test_a_folder_that_cannot_be_followed_is_refused(root: Path, tmp_path: Path, change: Any, code: str) -> None:
    folder = tmp_path / "models/odd"
    folder.mkdir(parents=True)
    config = json.loads((root / "models/dinov2/config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | change), "utf-8")
    with pytest.raises(GraphError, match=code):
        loaded(tmp_path, "odd")


@pytest.mark.parametrize(
    "said", [{"size": "large"}, {"resample": 1}, {"image_mean": [1, 2]}, {"size": {"height": 10**9}}]
)
def test_a_processor_that_cannot_be_followed_is_refused(root: Path, tmp_path: Path, said: Any) -> None:
    folder = tmp_path / "models/odd"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text((root / "models/dinov2/config.json").read_text("utf-8"), "utf-8")
    (folder / "preprocessor_config.json").write_text(json.dumps(said), "utf-8")
    with pytest.raises(GraphError, match="E_MODEL_FOLDER"):
        loaded(tmp_path, "odd")


def test_the_kind_is_known_before_the_run(root: Path) -> None:
    from hcpgraph_nodes.image_encoder.probe import encoder_fact

    for name in KINDS:
        assert encoder_fact({"path": f"models:{name}"}, lambda uri: root / uri.replace(":", "/")) == KINDS[name][3]
    assert encoder_fact({"path": "models:none"}, lambda uri: root / "none") is None
    assert encoder_fact({"encoder": "siglip", "path": "models:none"}, lambda uri: root) == "siglip"


def test_a_new_one_is_trained_and_its_weights_saved(tmp_path: Path) -> None:
    """Seeds, plugins by groups, own weights, and a part file."""
    config = {**SIZES, "num_hidden_layers": 2}
    one, same, other = (
        new_image_encoder(context(tmp_path), encoder="dinov2", config=config, seed=seed) for seed in (1, 1, 2)
    )
    data = Images(pictures())
    values = [encode(each, data, fit="as_is").pooled.data for each in (one, same, other)]
    assert torch.equal(values[0], values[1]) and not torch.equal(values[0], values[2])
    adapted = lora(context(tmp_path), one, layers=["@attention"], rank=2)
    assert len(adapted.model.stack[0].blocks) == 2 * 4
    assert all("attention" in name for name in adapted.model.stack[0].blocks)
    assert len(lora(context(tmp_path), one, layers=["image_encoder:@mlp"], rank=2).model.stack[0].blocks) == 2 * 2
    made = trainable(context(tmp_path), one, layers=["@norm"])
    optimizer = torch.optim.SGD(list(made.params.groups[0]["params"].values()), lr=1.0)
    encode(made.model, data, fit="as_is").pooled.data.square().sum().backward()
    optimizer.step()
    trained = encode(made.model, data, fit="as_is").pooled.data
    assert not torch.equal(trained, values[0])
    save_part(context(tmp_path), made.model, path="out:encoder.safetensors", layers=["@norm"], dtype="fp32")
    again = load_part(context(tmp_path), same, path="out:encoder.safetensors")
    torch.testing.assert_close(encode(again, data, fit="as_is").pooled.data, trained)


def test_half_precision_gives_float32(root: Path) -> None:
    encoder = load_image_encoder(context(root, precision="bf16"), path="models:siglip")
    ours = encode(encoder, Images(pictures())).tokens.data
    assert next(encoder.root.module.parameters()).dtype is torch.bfloat16 and ours.dtype is torch.float32
    exact = encode(loaded(root, "siglip"), Images(pictures())).tokens.data
    assert 0 < (ours - exact).abs().max() < 0.1 * exact.abs().max()


def test_distances_and_grids() -> None:
    one, other = (
        torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(seed), requires_grad=True) for seed in (1, 2)
    )
    pair = Features(one, (2, 3)), Features(other, (2, 3))
    assert torch.equal(distance(*pair, kind="mse").data, (one - other) ** 2)
    assert torch.equal(distance(*pair, kind="l1").data, (one - other).abs())
    cosine = 1 - (one * other).sum(-1) / (one.norm(dim=-1) * other.norm(dim=-1))
    torch.testing.assert_close(distance(*pair, kind="cosine").data, cosine)
    with pytest.raises(GraphError, match="E_FEATURES"):
        distance(pair[0], Features(other[:, :3]))
    large = Features(torch.zeros(1, 24, 5), (4, 6))
    grown = resize(pair[0], large)
    assert grown.grid == (4, 6) and grown.data.shape == (2, 24, 5)
    maps = one.transpose(1, 2).reshape(2, 5, 2, 3)
    expected = torch.nn.functional.interpolate(maps, (4, 6), mode="bilinear", antialias=True, align_corners=False)
    assert torch.equal(grown.data, expected.flatten(2).transpose(1, 2))
    (gradient,) = torch.autograd.grad(grown.data.square().sum(), one)
    assert gradient.abs().min() > 0
    assert resize(large, large) is large
    with pytest.raises(GraphError, match="E_FEATURES"):
        resize(Features(one), large)


def test_a_graph_trains_an_autoencoder_by_a_feature_loss(tmp_path: Path) -> None:
    """Reconstructions come nearer to their pictures as the frozen encoder sees them; it stays as it is."""
    g = hcpgraph.Graph()
    g.add("data.openmoji", "pictures", size=16, groups=["animals-nature"], limit=4)
    g.add("data.ratio_bucket", "buckets", target_area=256, crop="center")
    g.add("data.loader", "loader", batch_size=4)
    g.add("vae.new", "new", channels=[8, 16], latent_channels=3, resolution=16)
    g.add("model.trainable", "whole")
    g.add("image_encoder.new", "eye", encoder="dinov2", config={**SIZES, "num_hidden_layers": 1, "image_size": 16})
    g.add("optim.adamw", "adamw", lr=3e-3)
    g.add("train.loop", "train", steps=12)
    inside: list[tuple[str, str, dict[str, Any]]] = [
        ("data.batch", "batch", {}),
        ("diffusion.encode_image", "latents", {"mode": "mean"}),
        ("vae.reconstruct", "again", {}),
        ("image.encode", "seen", {"fit": "as_is", "tokens": "patches"}),
        ("image.encode", "aim", {"fit": "as_is", "tokens": "patches"}),
        ("feature.distance", "apart", {}),
        ("loss.mean", "mean", {}),
    ]
    for type_id, id, settings in inside:
        g.add(type_id, id, inside="train", settings=settings)
    for wire in [
        "pictures.out buckets.dataset",
        "buckets.out loader.data",
        "new.out whole.model",
        "whole.params adamw.params",
        "adamw.out train.optimizer",
        "loader.out batch.loader",
        "whole.model latents.vae",
        "batch.images latents.images",
        "whole.model again.vae",
        "latents.out again.latents",
        "eye.out seen.encoder",
        "eye.out aim.encoder",
        "again.out seen.images",
        "batch.images aim.images",
        "seen.tokens apart.features",
        "aim.tokens apart.target",
        "apart.out mean.loss",
        "mean.out train.loss",
    ]:
        g.connect(*wire.split())
    result = hcpgraph.run(g, targets=["train.losses", "eye.out"], workspace=tmp_path)
    assert result.status == "done", result.failed
    losses = [value for _, value in result.outputs["train.losses"].series["loss"]]
    assert losses[-1] < 0.8 * losses[0]
    fresh = new_image_encoder(context(tmp_path), config={**SIZES, "num_hidden_layers": 1, "image_size": 16}, seed=0)
    own = result.outputs["eye.out"].root.module.state_dict()
    assert all(torch.equal(value, own[name]) for name, value in fresh.root.module.state_dict().items())
