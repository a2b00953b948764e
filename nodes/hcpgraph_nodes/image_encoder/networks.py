"""Image encoders of transformers: classes chosen here and never by a file, layers by their names in files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from hcpgraph import GraphError

from .. import private
from ..families.networks import seeded
from ..families.weights import build, checked_config, read_config, read_folder
from ..model.handles import ImageEncoder
from ..model.preprocessing import Fit, Preprocessing, read
from ..model.root import Placement, Root
from .probe import place

TABLE = {
    "table": "layer_groups",
    "name": "vision",
    "groups": {
        "attention": [
            r"re:.*self_attn\.(q|k|v|out)_proj$",
            r"re:.*attention\.(attention\.(query|key|value)|output\.dense)$",
        ],
        "self_attention": [
            r"re:.*self_attn\.(q|k|v|out)_proj$",
            r"re:.*attention\.(attention\.(query|key|value)|output\.dense)$",
        ],
        "mlp": [r"re:.*\.mlp\.(fc[12]|(gate|up|down)_proj)$"],
        "norm": ["cls:LayerNorm"],
        "embedding": [r"re:.*embeddings\.(patch_embedding|position_embedding|patch_embeddings\.projection)$"],
    },
}
"""The layers of image encoders, whose names differ."""
Config = Mapping[str, Any]
CLASS = "_class_name"
NOT_CONFIG = (CLASS, "architectures", "transformers_version", "model_type")
FOREIGN, POSITIONS = ("text_model.", "text_projection", "logit_scale", "logit_bias"), "position_ids"
"""What the names of weights begin with that a model has beside its vision network; numbers that files of old have."""
PROCESSOR = "preprocessor_config.json"
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Kind:
    """One kind of image encoder.

    Attributes:
        name: As in its `TABLE`.
        settings: The class of its configuration in transformers.
        network: Told a configuration: the class of its network.
        spelled: Any name that a layer or weight has or had -> its name in files.
        usual: Told a configuration: what its processor does without settings.
        special: Told a configuration: how many tokens come before those of the patches.
        told: Further arguments of a call.
        changed: What is done to the weights of a file beside giving them their names.
    """

    name: str
    settings: str
    network: Callable[[Config], str]
    spelled: Callable[[str], str]
    usual: Callable[[Config], Preprocessing]
    special: Callable[[Config], int]
    told: Mapping[str, Any]
    changed: Callable[[dict[str, Tensor]], dict[str, Tensor]] = dict

    def load(self, path: Path, placement: Placement) -> ImageEncoder:
        """The encoder of a folder, or of the vision part of a model in it.

        Raises:
            GraphError: E_MODEL_FOLDER, E_MODEL_CLASS, and at first use E_NO_SAFETENSORS, E_WEIGHTS.
        """
        folder = place(path)
        config = self.described(read_config(folder, "config.json"), f"{folder.name}/config.json")
        beside = next((at for at in (folder, path / "feature_extractor") if (at / PROCESSOR).is_file()), None)
        usual = self.usual(config)
        preprocessing = usual if beside is None else read(read_config(beside, PROCESSOR), usual)

        def make() -> nn.Module:
            found = read_folder(folder, "model")
            state = {self.spelled(name): value for name, value in found.items() if not name.startswith(FOREIGN)}
            state = {name: value for name, value in state.items() if not name.endswith(POSITIONS)}
            return build(partial(self.made, config), self.changed(state), "image encoder", self.spelled)

        return self._handle(Root(make, placement, self.spelled), config, preprocessing)

    def new(self, config: Config, placement: Placement, seed: int) -> ImageEncoder:
        """An untrained encoder.

        Args:
            config: Entries of its configuration; the others are those of the class.
            placement: Where the weights go.
            seed: Of the weights.

        Raises:
            GraphError: E_MODEL_CLASS, at once and at first use: the configuration cannot be followed.
        """
        whole = self.described(config, "config")
        root = Root(seeded(partial(self.made, whole), seed, "image encoder"), placement, self.spelled)
        return self._handle(root, whole, self.usual(whole))

    def described(self, config: Config, where: str) -> dict[str, Any]:
        """A whole configuration of the vision network, with the name of its class.

        Raises:
            GraphError: E_MODEL_CLASS.
        """
        import transformers

        inner = config.get("vision_config")
        joint = {"projection_dim": config["projection_dim"]} if inner and "projection_dim" in config else {}
        flat = checked_config({**config, **(inner or {}), **joint, "architectures": None}, where)
        try:
            given = {
                name: value for name, value in flat.items() if name not in (*NOT_CONFIG, "vision_config", "text_config")
            }
            whole = getattr(transformers, self.settings)(**given).to_dict()
        except Exception as error:  # what transformers raises for a configuration is not agreed on
            message = f"{where} cannot be followed: {error}"
            hint = "give the configuration that was saved with the weights"
            raise GraphError("E_MODEL_CLASS", message, hint=hint) from None
        whole = {name: value for name, value in checked_config(whole, where).items() if name not in NOT_CONFIG}
        return {**whole, CLASS: self.network({**whole, "architectures": config.get("architectures") or ()})}

    def made(self, config: Config) -> nn.Module:
        """The network, untrained."""
        import transformers

        given = {name: value for name, value in config.items() if name not in NOT_CONFIG}
        return private.text_network(config[CLASS], getattr(transformers, self.settings)(**given))

    def encode(
        self, encoder: ImageEncoder, pictures: Tensor, fit: Fit, layer: int | None
    ) -> tuple[Tensor, Tensor, tuple[int, int], int]:
        """Features of pictures (B, 3, H, W) in about [0, 1], with gradients of weights and pictures.

        Args:
            encoder: The network.
            pictures: The pictures.
            fit: How they get their size, see `Preprocessing`.
            layer: Whose output is wanted: 0 is what goes into the first, -1 what the last one gives; None: what the
                network gives in the end.

        Returns:
            Tokens (B, L, D) and pooled (B, P), float32; rows and columns of the patches; how many tokens precede them.

        Raises:
            GraphError: E_SIZE; E_RANGE, the network has not that layer.
        """
        patch = int(encoder.config["patch_size"])
        pixels = encoder.preprocessing(pictures.to(encoder.device), fit, patch).to(encoder.root.placement.dtype)
        with encoder.active() as module:
            found = module(pixels, output_hidden_states=layer is not None, **self.told)
        tokens = found.last_hidden_state
        if layer is not None:
            hidden = found.hidden_states
            if not -len(hidden) <= layer < len(hidden):
                hint = f"take one from 0 to {len(hidden) - 1}, or from {-len(hidden)} to -1"
                raise GraphError("E_RANGE", f"the encoder has no layer {layer}", port="layer", hint=hint)
            tokens = hidden[layer]
        embedded = getattr(found, "image_embeds", None)
        pooled = found.pooler_output if embedded is None else embedded
        grid = (pixels.shape[-2] // patch, pixels.shape[-1] // patch)
        return tokens.float(), pooled.float(), grid, self.special(encoder.config)

    def _handle(self, root: Root, config: Config, preprocessing: Preprocessing) -> ImageEncoder:
        return ImageEncoder(root=root, family=self.name, config=config, preprocessing=preprocessing)
