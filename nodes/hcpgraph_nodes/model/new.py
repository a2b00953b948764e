"""`model.new`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from hcpgraph import Context, Facts, GraphError, Probe, Setting, Whole, node
from hcpgraph.rng import SEED_MAX, stream_seed
from hcpgraph.widgets import Hint, RowPicker, Seed

from ..families.clip_bpe import FULL, SMALLEST
from ..families.registry import family as implementation
from ..families.sizes import Sizes, TextSizes
from ..families.small import SMALL, unread
from ..families.table import NAME
from ..types import Process
from .bundle import Model
from .handles import Denoiser, TextEncoder, Vae, named
from .root import Placement

Size = Annotated[int, Field(ge=1, le=16384)]
Channels = Annotated[int, Field(ge=4, le=16384, multiple_of=4)]


class NewModel(NamedTuple):
    """The parts of a model."""

    denoiser: Annotated[
        Denoiser,
        Facts(
            family=Setting("family"),
            latents=Probe("latents"),
            text=Probe("text"),
            image=Probe("new image"),
            weights="denoiser",
        ),
    ]
    text_encoder: Annotated[TextEncoder, Facts(family=Setting("family"), text=Probe("text"), weights="text_encoder")]
    vae: Annotated[Vae, Facts(family=Setting("family"), latents=Probe("latents"), weights="vae")]
    schedule: Annotated[
        Process,
        Facts(
            family=Setting("family"),
            process=Probe("process of the family"),
            predicts=Probe("predicts of the family"),
            zero_snr=Probe("zero_snr of the family"),
            num_train_timesteps=Probe("num_train_timesteps of the family"),
        ),
    ]


@node(
    "model.new",
    effects=("resource", "random"),
    packages=("diffusers", "transformers"),
    gives={"model": Whole(Model, denoiser="denoiser", text_encoder="text_encoder", vae="vae", process="schedule")},
)
def new_model(
    ctx: Context,
    *,
    family: Annotated[str, RowPicker(table=NAME, primary=True)] = "sd15",
    resolution: Annotated[int, Field(ge=8, le=4096), Hint(primary=True)] = SMALL["resolution"],
    channels: Annotated[list[Channels], Field(min_length=1, max_length=8), Hint(group="UNet")] = SMALL["channels"],
    layers: Annotated[int, Field(ge=1, le=8), Hint(group="UNet")] = SMALL["layers"],
    attention: Annotated[list[Annotated[int, Field(ge=0, le=7)]] | None, Hint(group="UNet")] = SMALL["attention"],
    heads: Annotated[Size, Hint(group="UNet")] = SMALL["heads"],
    text_width: Annotated[Size, Hint(group="Text")] = SMALL["text_width"],
    text_layers: Annotated[int, Field(ge=1, le=64), Hint(group="Text")] = SMALL["text_layers"],
    text_heads: Annotated[Size, Hint(group="Text")] = SMALL["text_heads"],
    text_length: Annotated[int, Field(ge=3, le=1024), Hint(group="Text")] = SMALL["text_length"],
    vocab_size: Annotated[int, Field(ge=SMALLEST, le=FULL), Hint(group="Text")] = SMALL["vocab_size"],
    vae_channels: Annotated[list[Channels], Field(max_length=8), Hint(group="VAE")] = SMALL["vae_channels"],
    latent_channels: Annotated[int, Field(ge=1, le=64), Hint(group="VAE")] = SMALL["latent_channels"],
    scaling_factor: Annotated[Annotated[float, Field(gt=0)] | None, Hint(group="VAE")] = SMALL["scaling_factor"],
    config: Annotated[dict[str, dict[str, Any]], Hint(advanced=True)] = {},  # noqa: B006
    prediction_type: Literal["auto", "epsilon", "v_prediction", "sample"] = "auto",
    checkpointing: Annotated[bool, Hint(advanced=True)] = False,
    seed: Annotated[int, Field(ge=0, le=SEED_MAX), Seed()] = 0,
) -> NewModel:
    """Make an untrained model of any family, in any size, of the classes that diffusers and transformers have for it.

    Stable Diffusion 1.x, 2.x and XL are made by the settings of UNet, Text and VAE, with CLIP's real tokenizer. Without
    VAE channels the latents are the pixels themselves (an AutoencoderKL that changes nothing), so that small pictures
    can be learnt without training a VAE first. A family of diffusion transformers begins tiny, `config` makes it
    larger, and where text networks have no tokenizer that a package carries, every letter or byte is a token. The
    schedule is that of the released model. Equal settings give equal weights.

    Args:
        family: Model family. The UNet of sdxl also reads the sizes of the picture and a pooled embedding; its second
            text network has one head more than the first.
        resolution: Side of the pictures, pixels.
        channels: UNet channels, one number a resolution; each a multiple of heads.
        layers: ResNet blocks a resolution.
        attention: Resolutions (0 = the highest) with cross attention; none given: all but the lowest, of sdxl all but
            the highest.
        heads: Attention heads of the UNet.
        text_width: Width of the text encoder, a multiple of text_heads; the UNet's cross-attention width follows.
        text_layers: Layers of the text encoder; of sdxl at least 2, because the last one is not used.
        text_heads: Attention heads of the text encoder.
        text_length: Tokens of a prompt; 77 in released models.
        vocab_size: Tokens known to the tokenizer; 49408 is all of CLIP, fewer split rare words into more pieces.
        vae_channels: VAE channels, one number a resolution; each step halves the sides. Empty: latents are pixels.
        latent_channels: Channels of the latents; always 3 where the latents are pixels.
        scaling_factor: Latents are multiplied by it; none given: 1 for pixels, else that of the released model.
        config: Component of a diffusers folder -> entries of its configuration, such as
            `{"transformer": {"num_layers": 2}}`; they win over all other settings.
        prediction_type: What the denoiser is to predict; auto: as the released model does, of SD 2.x the noise. A flow
            is predicted by models of a flow alone.
        checkpointing: Recompute the denoiser's activations in backward: less memory, about a third more time, the
            same gradients.
        seed: Seed of the initial weights.

    Returns:
        model: The model on one wire.
        denoiser: The UNet.
        text_encoder: The text encoder with its tokenizer.
        vae: The autoencoder.
        schedule: The forward process.

    Raises:
        GraphError: E_SIZE, sizes that do not fit each other; E_SETTING, sizes of a UNet for a family without one, or a
            component that the family does not have; E_PACKAGE, the CLIP vocabulary is missing; at first use
            E_MODEL_CLASS, configurations that do not go together.
    """
    made = implementation(family)
    placement = Placement(ctx.device, ctx.dtype, checkpointing)
    kind = None if prediction_type == "auto" else prediction_type
    (own,) = ctx.row_seeds(seed)
    given = {name: value for name, value in locals().items() if name in SMALL}
    if made.sizes is None:
        if strange := unread(family, given):
            raise GraphError("E_SETTING", strange.message, port=strange.port, hint=strange.hint)
        return NewModel(
            *named(ctx, made.new(None, config, placement, kind, lambda component: stream_seed(own, component)))
        )
    pixels = not vae_channels
    text = made.sizes.texts[0]
    texts = [TextSizes(text_width, text_layers, text_heads, text.act, text_width, text.padding)]
    if len(made.sizes.texts) > 1:
        second = made.sizes.texts[1]
        wide = text_width // text_heads * (text_heads + 1)
        texts.append(TextSizes(wide, text_layers, text_heads + 1, second.act, wide, second.padding))
    if made.skipped >= text_layers:
        raise GraphError(
            "E_SIZE", f"{family} leaves out the last text layer: text_layers {text_layers} is none", port="text_layers"
        )
    every = range(len(channels))
    usual = every[1:] or every if 0 not in made.sizes.attention else every[:-1] or every
    levels = tuple(usual) if attention is None else tuple(attention)
    if any(level >= len(channels) for level in levels):
        raise GraphError("E_SIZE", f"attention {list(levels)} names more than {len(channels)} resolutions")
    sizes = Sizes(
        channels=tuple(channels),
        layers=layers,
        attention=levels,
        heads=heads,
        linear=made.sizes.linear,
        size_width=made.sizes.size_width,
        texts=tuple(texts),
        vocab_size=vocab_size,
        text_length=text_length,
        vae_channels=tuple(vae_channels),
        latent_channels=3 if pixels else latent_channels,
        scaling_factor=scaling_factor or (1.0 if pixels else made.sizes.scaling_factor),
        resolution=resolution,
    )
    parts = made.new(sizes, config, placement, kind, lambda component: stream_seed(own, component))
    return NewModel(*named(ctx, parts))
