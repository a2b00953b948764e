"""Values on disk: JSON for structure, safetensors for tensors, PNG for 8-bit pictures. Never pickle.

Encodable are JSON scalars, lists, tuples, dicts, tensors and registered port types that are dataclasses; exactly these,
no subclasses, so that what is read back is what was written. A value with anything else in it, or with a tensor that
requires gradients, has no codec and is not kept on disk.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..atomic import replacing
from ..disk import told_by_safetensors
from ..types import registered_class, registered_name

Tree = Any


class NoCodec(TypeError):
    """The value holds something that has no form on disk."""


def encode(value: Any, tensors: dict[str, Any]) -> Tree:
    """A JSON tree of a value; its tensors are put aside in `tensors` under names that the tree mentions.

    Raises:
        NoCodec: something in it cannot be written.
    """
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind in (list, tuple):
        items = [encode(item, tensors) for item in value]
        return items if kind is list else {"$tuple": items}
    if kind is dict:
        if not all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {"$items": [[encode(k, tensors), encode(v, tensors)] for k, v in value.items()]}
        return {key: encode(item, tensors) for key, item in value.items()}
    if hasattr(value, "detach") and hasattr(value, "dtype"):
        if value.requires_grad:
            raise NoCodec("a tensor that is being trained")
        name = f"t{len(tensors)}"
        tensors[name] = value.contiguous().cpu()
        return {"$tensor": name}
    registered = registered_name(kind)
    if registered is not None and dataclasses.is_dataclass(value):
        fields = {f.name: encode(getattr(value, f.name), tensors) for f in dataclasses.fields(value)}
        return {"$type": registered, "fields": fields}
    raise NoCodec(kind.__name__)


def digest(value: Any) -> str:
    """sha256 of a value, hex.

    Raises:
        NoCodec: something in it has no form on disk.
    """
    tensors: dict[str, Any] = {}
    found = hashlib.sha256(json.dumps(encode(value, tensors), sort_keys=True).encode())
    for tensor in tensors.values():
        import torch

        found.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        found.update(memoryview(tensor.detach().reshape(-1).view(torch.uint8).numpy()))
    return found.hexdigest()


def decode(tree: Tree, tensors: Mapping[str, Any]) -> Any:
    """The value of a tree. Raises NoCodec if it names a type that is not registered."""
    if isinstance(tree, list):
        return [decode(item, tensors) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if "$tuple" in tree:
        return tuple(decode(item, tensors) for item in tree["$tuple"])
    if "$items" in tree:
        return {decode(key, tensors): decode(value, tensors) for key, value in tree["$items"]}
    if "$tensor" in tree:
        return tensors[tree["$tensor"]]
    if "$type" in tree:
        cls = registered_class(tree["$type"])
        if cls is None:
            raise NoCodec(tree["$type"])
        return cls(**{name: decode(item, tensors) for name, item in tree["fields"].items()})
    return {key: decode(value, tensors) for key, value in tree.items()}


def write_folder(folder: Path, value: Any, extra: Mapping[str, Any] | None = None, *, pictures: bool = True) -> None:
    """Write a value as a folder, complete or not at all; a folder that is already there is kept.

    Args:
        folder: Where to; its parent is made.
        value: What to write.
        extra: JSON fields to keep beside it.
        pictures: Whether 8-bit pictures become PNG files.

    Raises:
        NoCodec: the value cannot be written; nothing is left behind.
    """
    tensors: dict[str, Any] = {}
    tree = encode(value, tensors)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with replacing(folder, keep=True) as fresh:
        fresh.mkdir()
        drawn = {name for name in tensors if pictures and _write_picture(fresh / f"{name}.png", tensors[name])}
        rest = {name: tensor for name, tensor in tensors.items() if name not in drawn}
        if rest:
            from safetensors.torch import save_file

            with told_by_safetensors():
                save_file(_unshared(rest), fresh / "tensors.safetensors")
        described = {"value": tree, "pictures": sorted(drawn), **(extra or {})}
        (fresh / "value.json").write_text(json.dumps(described), encoding="utf-8")


def _unshared(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Copies of those that share memory with another one, which safetensors refuses."""
    seen: set[int] = set()
    found = {}
    for name, tensor in tensors.items():
        place = tensor.untyped_storage().data_ptr()
        found[name] = tensor.clone() if place in seen else tensor
        seen.add(place)
    return found


def read_folder(folder: Path) -> tuple[Any, dict[str, Any]]:
    """The value and the extra fields of a folder that `write_folder` made.

    Raises:
        OSError, ValueError, NoCodec: not there, damaged, or of an unknown type.
    """
    described = json.loads((folder / "value.json").read_bytes())
    tensors: dict[str, Any] = {}
    if (folder / "tensors.safetensors").exists():
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            tensors = load_file(folder / "tensors.safetensors")
        except SafetensorError as error:
            raise ValueError(str(error)) from None
    for name in described.pop("pictures", ()):
        tensors[name] = _read_picture(folder / f"{name}.png")
    return decode(described.pop("value"), tensors), described


def _write_picture(path: Path, tensor: Any) -> bool:
    """Write one picture (1, 3, H, W) float32 in [0, 1] as PNG if that loses nothing."""
    if (
        tensor.ndim != 4
        or tensor.numel() == 0
        or tuple(tensor.shape[:2]) != (1, 3)
        or str(tensor.dtype) != "torch.float32"
    ):
        return False
    scaled = (tensor * 255).round().clamp(0, 255)
    if not bool((scaled / 255 == tensor).all()):
        return False
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(scaled[0].permute(1, 2, 0).byte().numpy()).save(buffer, "PNG")
    path.write_bytes(buffer.getvalue())
    return True


def _read_picture(path: Path) -> Any:
    import numpy as np
    import torch
    from PIL import Image

    with Image.open(path) as picture:
        pixels = torch.from_numpy(np.array(picture.convert("RGB")))
    return pixels.permute(2, 0, 1)[None].float() / 255
