"""CLIP's byte-pair tokenizer, built from the merges that the `open_clip_torch` package carries."""

from __future__ import annotations

import gzip
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from hcpgraph import GraphError

FULL = 49408
SMALLEST = 514
START, END = "<|startoftext|>", "<|endoftext|>"
MERGES = "open_clip/bpe_simple_vocab_16e6.txt.gz"


def merges_file() -> Path:
    """The merges file of the installed package, found without importing it.

    Raises:
        GraphError: E_PACKAGE, the package is not installed.
    """
    try:
        path = Path(str(distribution("open_clip_torch").locate_file(MERGES)))
    except PackageNotFoundError:
        path = Path()
    if not path.is_file():
        raise GraphError(
            "E_PACKAGE", "the CLIP vocabulary is not installed", hint="pip install --no-deps open_clip_torch"
        )
    return path


@lru_cache(maxsize=1)
def merges() -> tuple[tuple[str, str], ...]:
    """All 48,894 merges of CLIP, the most frequent first."""
    with gzip.open(merges_file(), "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")
    pairs = (tuple(line.split()) for line in lines[1 : FULL - SMALLEST + 1])
    return tuple((first, second) for first, second in pairs)


def byte_symbols() -> list[str]:
    """The 256 printable characters that stand for bytes in GPT-2's and CLIP's vocabularies, in vocabulary order."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(others))]


def clip_tokenizer(vocab_size: int = FULL, length: int = 77, pad: str = END) -> Any:
    """A `transformers.CLIPTokenizer`.

    Args:
        vocab_size: 514 … 49408; fewer merges than CLIP's split rare words into more pieces.
        length: Tokens of a prompt, with start and end.
        pad: The token that fills up a prompt; OpenCLIP's models take "!", which is token 0.
    """
    from transformers import CLIPTokenizer

    pairs: list[Any] = list(merges()[: vocab_size - SMALLEST])  # transformers declares list[str], and takes pairs
    symbols = byte_symbols()
    words = [
        *symbols,
        *(symbol + "</w>" for symbol in symbols),
        *(first + second for first, second in pairs),
        START,
        END,
    ]
    vocabulary = {word: index for index, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocabulary, merges=pairs, model_max_length=length, pad_token=pad)
