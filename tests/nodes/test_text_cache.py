"""`text.encode` with a cache: every caption once, whatever it shared a batch with, also while something else trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hcpgraph_nodes.model.encoder import encoder_digest
from hcpgraph_nodes.model.handles import TextEncoder
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.trainable import trainable
from hcpgraph_nodes.plugins.lora import lora
from hcpgraph_nodes.text import embeddings as module
from hcpgraph_nodes.text.embeddings import embeddings
from hcpgraph_nodes.text.encode import encode, encode_text
from hcpgraph_nodes.types import Captions

import hcpgraph
from hcpgraph import Graph, GraphError
from hcpgraph.testing import context

TEXTS = ("a cat", "a dog, grass", "grass, a dog", "")


def opened(workspace: Path, origin: str = "", **settings: Any) -> TextEncoder:
    made = load_model(context(workspace), path="models:tiny", **settings).text_encoder
    made.root.origin = origin
    return made


def run(workspace: Path, handle: TextEncoder, *texts: str, **settings: Any) -> torch.Tensor:
    return encode(context(workspace), handle, Captions(texts), **{"cache": "disk", **settings}).data


@pytest.mark.parametrize("cache", ["ram", "disk"])
@pytest.mark.parametrize("clip_skip", [0, 1])
def test_equal_to_encoding_every_time(workspace: Path, cache: str, clip_skip: int) -> None:
    handle = opened(workspace)
    plain = encode_text(handle, Captions(TEXTS), clip_skip=clip_skip).data
    for _ in range(2):
        found = run(workspace, handle, *TEXTS, cache=cache, clip_skip=clip_skip)
        torch.testing.assert_close(found, plain, rtol=1e-4, atol=1e-5)
        assert not found.requires_grad and found.dtype == torch.float32
    assert embeddings(handle).encoded == len(TEXTS)
    mixed = run(workspace, handle, TEXTS[2], "new", TEXTS[0], TEXTS[2], cache=cache, clip_skip=clip_skip)
    assert torch.equal(mixed[[0, 2, 3]], found[[2, 0, 2]])
    assert embeddings(handle).encoded == len(TEXTS) + 1


def test_bits_do_not_depend_on_what_was_asked_before(workspace: Path) -> None:
    together, alone = opened(workspace), opened(workspace)
    batch = run(workspace, together, *TEXTS, cache="ram")
    for row, text in enumerate(TEXTS):
        assert torch.equal(run(workspace, alone, text, cache="ram")[0], batch[row])


def test_off_keeps_nothing(workspace: Path) -> None:
    handle = opened(workspace)
    assert torch.equal(run(workspace, handle, *TEXTS, cache="off"), encode_text(handle, Captions(TEXTS)).data)
    assert embeddings(handle).encoded == 0 and not (workspace / "cache/samples").exists()


def test_what_counts(workspace: Path) -> None:
    def encoded(handle: TextEncoder, *texts: str, **settings: Any) -> int:
        before = embeddings(handle).encoded
        run(workspace, handle, *texts, **settings)
        return embeddings(handle).encoded - before

    assert encoded(opened(workspace), *TEXTS) == 4
    assert encoded(opened(workspace), *TEXTS) == 0
    assert encoded(opened(workspace), "a cat", "a bird", "a bird") == 1, "one caption is one, also twice in a batch"
    assert encoded(opened(workspace), *TEXTS, clip_skip=1) == 4
    assert encoded(opened(workspace, checkpointing=True), *TEXTS) == 0

    handle = opened(workspace)
    adapted = lora(context(workspace), handle, layers=["re:.*self_attn\\.out_proj"], rank=2)
    frozen = adapted.model.copy({})
    assert encoded(frozen, *TEXTS) == 4, "another network, if an equal result"
    with torch.no_grad():
        for parameter in adapted.adapter.plugin.parameters():
            parameter.copy_(torch.linspace(-0.5, 0.5, parameter.numel()).view_as(parameter))
    trained = adapted.model.copy({})
    assert encoded(trained, *TEXTS) == 4 and encoded(adapted.model.copy({}), *TEXTS) == 0
    plain = encode_text(trained, Captions(TEXTS)).data
    torch.testing.assert_close(run(workspace, trained, *TEXTS), plain, rtol=1e-4, atol=1e-5)
    assert (plain - run(workspace, handle, *TEXTS)).abs().max() > 1e-3

    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert encoded(opened(workspace), *TEXTS) == 4

    from safetensors.torch import load_file, save_file

    file = workspace / "models/tiny/text_encoder/model.safetensors"
    state = load_file(file)
    state[next(name for name in state if name.endswith("final_layer_norm.bias"))] += 0.1
    save_file(state, file, {"format": "pt"})
    assert encoded(opened(workspace), *TEXTS) == 4


def test_the_tokenizer_counts(workspace: Path) -> None:
    from transformers import CLIPTokenizer

    before = encoder_digest(context(workspace), opened(workspace))
    assert encoder_digest(context(workspace), opened(workspace)) == before
    folder = workspace / "models/tiny/tokenizer"
    tokenizer = CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
    tokenizer.add_tokens(["grass,"])
    tokenizer.save_pretrained(folder)
    assert encoder_digest(context(workspace), opened(workspace)) != before


def test_a_trained_encoder_is_refused(workspace: Path) -> None:
    handle = opened(workspace)
    tuned = trainable(context(workspace), handle, layers=[""])
    for cache in ("ram", "disk"):
        with pytest.raises(GraphError, match=r"E_CACHE .*the text encoder is trained") as error:
            run(workspace, tuned.model, "a", cache=cache)
        assert error.value.problem.hint
    adapted = lora(context(workspace), opened(workspace), layers=["re:.*q_proj"], rank=2)
    with pytest.raises(GraphError, match="E_CACHE"):
        run(workspace, adapted.model, "a")


def test_known_captions_need_no_weights(workspace: Path) -> None:
    first = run(workspace, opened(workspace, "key"), *TEXTS)
    second = opened(workspace, "key")
    assert torch.equal(run(workspace, second, *TEXTS), first)
    assert second.root.reads == 0


def test_the_encoder_leaves_memory_and_comes_back(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AFTER_HITS", 5)
    handle = opened(workspace)
    first = run(workspace, handle, *TEXTS, cache="ram")
    for _ in range(4):
        run(workspace, handle, *TEXTS, cache="ram")
        assert handle.root.loaded
    run(workspace, handle, *TEXTS, cache="ram")
    assert not handle.root.loaded
    assert torch.equal(run(workspace, handle, *TEXTS, "new", cache="ram")[:4], first)
    assert handle.root.loaded and handle.root.reads == 2
    adapted = lora(context(workspace), handle, layers=["re:.*q_proj"], rank=2)
    for _ in range(10):
        run(workspace, handle, *TEXTS, cache="ram")
    assert handle.root.loaded and adapted.model.root is handle.root, "a plugin hangs on it"


def test_memory_is_bounded(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RAM_BYTES", 2 * 77 * 32 * 4)
    handle = opened(workspace)
    for text in ("a", "b", "c", "b"):
        run(workspace, handle, text, cache="ram")
    assert embeddings(handle).encoded == 3
    run(workspace, handle, "a", cache="ram")
    assert embeddings(handle).encoded == 4
    assert run(workspace, handle, *TEXTS, cache="ram").shape[0] == 4, "a batch larger than the memory"


def training(cache: str) -> Graph:
    g = Graph()
    g.add("model.load", "model", path="models:tiny")
    g.add("plugin.lora", "lora", layers=["re:.*attn2\\.to_"], rank=2)
    g.connect("model.denoiser", "lora.model")
    g.add("optim.adamw", "adamw", lr=1e-3)
    g.connect("lora.params", "adamw.params.0")
    g.add("data.openmoji", "pictures", groups=["animals-nature"], limit=4, size=16)
    g.add("data.ratio_bucket", "buckets", target_area=256, crop="center")
    g.add("data.latents", "latents")
    g.add("data.latent_loader", "loader", batch_size=2)
    g.connect("pictures.out", "buckets.dataset")
    g.connect("buckets.out", "latents.data")
    g.connect("model.vae", "latents.vae")
    g.connect("latents.out", "loader.data")
    g.add("train.loop", "train", steps=6, checkpoint_every=0)
    g.connect("adamw.out", "train.optimizer.0")
    inside: dict[str, Any] = {"inside": "train"}
    g.add("data.latent_batch", "batch", **inside)
    g.connect("loader.out", "batch.loader")
    g.add("text.encode", "text", cache=cache, **inside)
    g.connect("model.text_encoder", "text.text_encoder")
    g.connect("batch.captions", "text.captions")
    g.add("noise.gaussian", "noise", **inside)
    g.connect("batch.latents", "noise.latents")
    g.add("diffusion.timesteps", "timesteps", **inside)
    g.connect("batch.latents", "timesteps.latents")
    g.connect("model.schedule", "timesteps.schedule")
    g.add("diffusion.add_noise", "noisy", **inside)
    g.connect("batch.latents", "noisy.latents")
    g.connect("noise.out", "noisy.noise")
    g.connect("timesteps.out", "noisy.timesteps")
    g.connect("model.schedule", "noisy.schedule")
    g.add("diffusion.predict", "predict", **inside)
    g.connect("lora.model", "predict.denoiser")
    g.connect("noisy.out", "predict.noisy")
    g.connect("timesteps.out", "predict.timesteps")
    g.connect("text.out", "predict.conditioning")
    g.add("diffusion.target", "target", **inside)
    g.connect("batch.latents", "target.latents")
    g.connect("noise.out", "target.noise")
    g.connect("timesteps.out", "target.timesteps")
    g.connect("model.schedule", "target.schedule")
    g.add("loss.mse", "mse", **inside)
    g.connect("predict.out", "mse.prediction")
    g.connect("target.out", "mse.target")
    g.add("loss.mean", "mean", **inside)
    g.connect("mse.out", "mean.loss")
    g.connect("mean.out", "train.loss.0")
    return g


def test_training_from_the_cache_alone(workspace: Path) -> None:
    def trained(cache: str) -> tuple[float, dict[str, Any]]:
        targets = ["train", "model.text_encoder", "model.vae"]
        result = hcpgraph.run(training(cache), workspace=workspace, targets=targets, force=["train"])
        assert result.status == "done", result.failed
        return result.outputs["train.trained"].loss, result.outputs

    plain, _ = trained("off")
    first, outputs = trained("disk")
    assert outputs["model.text_encoder"].root.reads == 1
    assert first == pytest.approx(plain, rel=1e-4)
    again, outputs = trained("disk")
    assert again == first
    assert outputs["model.text_encoder"].root.reads == outputs["model.vae"].root.reads == 0
