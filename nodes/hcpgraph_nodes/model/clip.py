"""The text networks of a text encoder and their tokenizers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


class Tokens:
    """A tokenizer that is made when first used."""

    def __init__(self, load: Callable[[], Any]) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._value: Any = None

    @property
    def tokenizer(self) -> Any:
        with self._lock:
            if self._value is None:
                self._value = self._load()
            return self._value


@dataclass(frozen=True, slots=True)
class Clip:
    """One text network of a text encoder.

    Attributes:
        name: Its folder in a model that diffusers saved.
        prefix: What the names of its layers begin with; empty where it is the only one.
        tokens: Its tokenizer.
        config: Its configuration.
        room: Tokens of a text that it reads, without those that are added to it.
        embedding: The layer in which tokens become vectors, without the prefix.
        spelled: What ComfyUI calls it, as files of words do.
        images: What makes of pictures what the network reads, where it is given any.
    """

    name: str
    prefix: str
    tokens: Tokens
    config: Mapping[str, Any]
    room: int
    embedding: str = "text_model.embeddings.token_embedding"
    spelled: str = ""
    images: Tokens | None = None
