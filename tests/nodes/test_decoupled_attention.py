"""Decoupled cross attention against diffusers' IP-Adapter, a hand-written attention, and through graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.condition.part import part
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.new import new_model
from hcpgraph_nodes.plugins.decoupled_attention import decoupled_attention
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.plugins.strength import strength
from hcpgraph_nodes.sample.denoise import denoise
from hcpgraph_nodes.types import Conditioning, Features, Latents, NoisyLatents, Timesteps

from hcpgraph import GraphError
from hcpgraph.testing import context


def data(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


NOISY, TIMES = NoisyLatents(data(2, 4, 8, 8)), Timesteps(torch.tensor([10, 500]))
TEXT = Conditioning.of(data(2, 7, 32, seed=1))
PICTURE = data(2, 4, 32, seed=2)


@pytest.fixture(scope="module")
def root(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("decoupled")
    (root / "models").mkdir()
    (root / "models/tiny").symlink_to(tiny_folder)
    return root


@pytest.fixture
def denoiser(root: Path) -> Any:
    return load_model(context(root), path="models:tiny").denoiser


def theirs(root: Path, plugin: Any, scale: float) -> Any:
    """The UNet of diffusers with IP-Adapter's processors that have the plugin's weights."""
    from diffusers import UNet2DConditionModel
    from diffusers.models.attention_processor import AttnProcessor2_0, IPAdapterAttnProcessor2_0

    unet: Any = UNet2DConditionModel.from_pretrained(root / "models/tiny/unet").eval()
    processors: dict[str, Any] = {}
    for name in unet.attn_processors:
        path = name.removesuffix(".processor")
        processors[name] = AttnProcessor2_0()
        if path.endswith("attn2"):
            (block,) = (each for at, each in plugin.blocks.items() if at.startswith(path + "."))
            made = IPAdapterAttnProcessor2_0(block.to_k.out_features, 32, num_tokens=(4,), scale=scale)
            made.to_k_ip[0].weight.data.copy_(block.to_k.weight)
            made.to_v_ip[0].weight.data.copy_(block.to_v.weight)
            processors[name] = made
    unet.set_attn_processor(processors)
    return unet


@pytest.mark.parametrize("scale", [1.0, 0.4])
@pytest.mark.parametrize("init", ["copy", "random"])
def test_it_is_the_ip_adapter_of_diffusers(root: Path, denoiser: Any, init: str, scale: float) -> None:
    made = decoupled_attention(context(root), denoiser, init=init, strength=scale)
    (plugin,) = made.model.stack
    assert all(".attn2." in name for name in plugin.blocks) and len(plugin.blocks) == 4
    tokens = PICTURE.clone().requires_grad_()
    ours = predict(made.model, NOISY, TIMES, part(TEXT, Features(tokens))).data
    unet = theirs(root, plugin, scale)
    reference = PICTURE.clone().requires_grad_()
    expected = unet(NOISY.data, TIMES.data, encoder_hidden_states=(TEXT.data, [reference])).sample
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)
    plain = predict(denoiser, NOISY, TIMES, TEXT).data
    assert (ours - plain).abs().max() > 1e-2 and torch.equal(plain, predict(denoiser, NOISY, TIMES, TEXT).data)
    ours.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(tokens.grad, reference.grad, rtol=1e-4, atol=1e-4)
    weights = {name: value.grad for name, value in made.params.groups[0]["params"].items()}
    for name, processor in unet.attn_processors.items():
        if hasattr(processor, "to_k_ip"):
            path = name.removesuffix(".processor")
            for own in ("to_k", "to_v"):
                (gradient,) = (value for at, value in weights.items() if at.startswith(path) and own + ".weight" in at)
                other = getattr(processor, f"{own}_ip")[0].weight.grad
                torch.testing.assert_close(gradient, other, rtol=1e-3, atol=1e-4)


def test_it_is_equation_5() -> None:
    """One attention, by hand, with a mask of the tokens."""
    from diffusers.models.attention_processor import Attention
    from hcpgraph_nodes.plugins.blocks.decoupled import DecoupledAttentionBlock

    attention = Attention(query_dim=8, cross_attention_dim=6, heads=2, dim_head=4)
    block = DecoupledAttentionBlock(attention.to_q, attention.to_out[0], heads=2, width=5, strength=0.7)
    x, c = data(2, 3, 8), data(2, 4, 5, seed=1)
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    query, value = attention.to_q(x), data(2, 3, 8, seed=3)
    found = block(query, value, image_embeds=c, image_embeds_mask=mask)
    key, other = c @ block.to_k.weight.T, c @ block.to_v.weight.T
    for row in range(2):
        heads = []
        for head in range(2):
            at = slice(4 * head, 4 * head + 4)
            scores = query[row, :, at] @ key[row, :, at].T / 2
            heads.append(scores.masked_fill(~mask[row], -torch.inf).softmax(-1) @ other[row, :, at])
        torch.testing.assert_close(found[row], value[row] + 0.7 * torch.cat(heads, -1))


def test_values_of_zero_change_nothing_at_first(root: Path, denoiser: Any) -> None:
    made = decoupled_attention(context(root), denoiser, init="zero", width=5)
    found = predict(made.model, NOISY, TIMES, part(TEXT, Features(data(2, 3, 5)))).data
    assert torch.equal(found, predict(denoiser, NOISY, TIMES, TEXT).data)
    found.sum().backward()
    assert all(value.grad.abs().max() > 0 for name, value in made.params.groups[0]["params"].items() if "to_v" in name)


def test_two_of_them_and_a_lora_add_up(root: Path, denoiser: Any) -> None:
    """Each reads its own part; strength is a number of the plugin; others of the stack act too."""
    one = decoupled_attention(context(root), denoiser)
    two = decoupled_attention(context(root, node="two"), one.model, part="style_embeds", init="random")
    given = part(part(TEXT, Features(PICTURE)), Features(data(2, 2, 32, seed=9)), name="style_embeds")
    both = predict(two.model, NOISY, TIMES, given).data
    two.model.stack[1].set_hyper_params(strength=0.0)
    single = predict(two.model, NOISY, TIMES, given).data
    torch.testing.assert_close(single, predict(one.model, NOISY, TIMES, part(TEXT, Features(PICTURE))).data)
    assert (both - single).abs().max() > 1e-3
    adapted = lora(context(root), one.model, layers=["@cross_attention"], rank=2)
    assert torch.equal(
        predict(adapted.model, NOISY, TIMES, part(TEXT, Features(PICTURE))).data,
        predict(one.model, NOISY, TIMES, part(TEXT, Features(PICTURE))).data,
    )


def test_it_has_another_strength_on_another_wire(root: Path, denoiser: Any) -> None:
    made = decoupled_attention(context(root), denoiser, strength=0.5)
    given = part(TEXT, Features(PICTURE))
    turned = strength(made.model, made.adapter, strength=-2.0)
    same = decoupled_attention(context(root), denoiser, strength=-1.0)
    assert torch.equal(predict(turned, NOISY, TIMES, given).data, predict(same.model, NOISY, TIMES, given).data)
    assert not torch.equal(predict(made.model, NOISY, TIMES, given).data, predict(turned, NOISY, TIMES, given).data)


def test_checkpointing_recomputes_it(root: Path) -> None:
    """Gradients of the plugin's weights and of the tokens are the same; the notes are those of the first time."""
    found = []
    for checkpointing in (False, True):
        model = load_model(context(root), path="models:tiny", checkpointing=checkpointing).denoiser
        made = decoupled_attention(context(root), model, init="random")
        made.model.root.module.train()
        tokens = PICTURE.clone().requires_grad_()
        predict(made.model, NOISY, TIMES, part(TEXT, Features(tokens))).data.square().sum().backward()
        found.append([tokens.grad, *(value.grad for value in made.params.groups[0]["params"].values())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_half_precision(root: Path) -> None:
    exact = decoupled_attention(context(root), load_model(context(root), path="models:tiny").denoiser, init="random")
    ctx = context(root, precision="bf16")
    rough = decoupled_attention(ctx, load_model(ctx, path="models:tiny").denoiser, init="random")
    given = part(TEXT, Features(PICTURE))
    one, other = (predict(each.model, NOISY, TIMES, given).data for each in (exact, rough))
    assert all(value.dtype is torch.float32 for value in rough.params.groups[0]["params"].values())
    assert 0 < (one - other).abs().max() < 0.1 * one.abs().max()


def test_what_does_not_go_together_is_refused(root: Path, denoiser: Any) -> None:
    def code(call: Any) -> str:
        with pytest.raises(GraphError) as caught:
            call()
        return str(caught.value.problem.code)

    made = decoupled_attention(context(root), denoiser)
    assert code(lambda: predict(made.model, NOISY, TIMES, TEXT)) == "E_SIDE_INPUT"
    assert code(lambda: predict(denoiser, NOISY, TIMES, part(TEXT, Features(PICTURE)))) == "E_PARTS"
    assert code(lambda: predict(made.model, NOISY, TIMES, part(TEXT, Features(data(2, 4, 5))))) == "E_FEATURES"
    assert code(lambda: predict(made.model, NOISY, TIMES, part(TEXT, Features(data(2, 32))))) == "E_FEATURES"
    assert code(lambda: decoupled_attention(context(root), denoiser, layers=["conv_in"])) == "E_NO_LAYER"
    assert code(lambda: decoupled_attention(context(root), denoiser, width=5)) == "E_SETTING"
    whole = decoupled_attention(context(root), denoiser, layers=["mid_block"]).model.stack[0].blocks
    assert {name.split("->")[0].rpartition(".")[0].rpartition(".")[2] for name in whole} == {"attn1", "attn2"}


def test_other_families_read_it_without_code_of_their_own(tmp_path: Path) -> None:
    """A transformer with cross attention, by the same group and the same part."""
    model = new_model(context(tmp_path), family="pixart_sigma")
    assert model.denoiser is not None and model.text_encoder is not None
    made = decoupled_attention(context(tmp_path), model.denoiser)
    width = next(iter(made.model.stack[0].blocks.values())).width
    from hcpgraph_nodes.text.encode import encode_text
    from hcpgraph_nodes.types import Captions

    text = encode_text(model.text_encoder, Captions(("a cat", "dogs")))
    channels = model.denoiser.config["in_channels"]
    noisy = NoisyLatents(data(2, channels, 8, 8))
    given = part(text, Features(data(2, 3, width)))
    ours = predict(made.model, noisy, TIMES, given).data
    plain = predict(model.denoiser, noisy, TIMES, text).data
    assert ours.shape == plain.shape and (ours - plain).abs().max() > 1e-5


def test_sampling_guides_by_the_picture(root: Path, denoiser: Any) -> None:
    """The negative side has the picture of its own where it has one; both sides share a call."""
    model = load_model(context(root), path="models:tiny")
    made = decoupled_attention(context(root), model.denoiser, init="random")
    positive, negative = part(TEXT, Features(PICTURE)), Conditioning.of(data(1, 7, 32, seed=5))
    settings: dict[str, Any] = {"steps": 2, "guidance": 3.0, "sampler": "ddim"}

    def drawn(against: Conditioning) -> torch.Tensor:
        noise = Latents(data(2, 4, 8, 8, seed=7))
        return denoise(context(root), made.model, model.schedule, positive, noise, against, **settings).data

    bare = drawn(negative)
    same = drawn(part(negative, Features(PICTURE)))
    other = drawn(part(negative, Features(torch.zeros_like(PICTURE))))
    torch.testing.assert_close(bare, same)
    assert (bare - other).abs().max() > 1e-3
