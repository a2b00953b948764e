"""Tokenizers of untrained text networks: every byte or letter is a token, so that any text can be told apart.

Those of released models come with them; CLIP's is made of the vocabulary that a package carries.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hcpgraph import GraphError

from ..clip_bpe import byte_symbols, clip_tokenizer
from ..networks import Config

LETTERS = "".join(map(chr, [*range(33, 127), *range(161, 173), *range(174, 256)]))
"""Printable characters of Latin scripts."""
QWEN_TOKENS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    *("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"),
)
QWEN_CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
"""The turns of Qwen 3; source: chat_template in the tokenizer_config.json of https://huggingface.co/Qwen/Qwen3-4B."""


def clip(config: Config, padding: str = "<|endoftext|>") -> Any:
    """CLIP's."""
    return clip_tokenizer(config["vocab_size"], config["max_position_embeddings"], padding)


def open_clip(config: Config) -> Any:
    """CLIP's as OpenCLIP pads with it."""
    return clip(config, "!")


def t5(config: Config) -> Any:
    """Of T5's class, a letter a token; letters of other scripts than Latin are one token that means unknown.

    Args:
        config: Of the network, whose vocab_size is at least 4.
    """
    from transformers import T5Tokenizer

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((letter, -3.0) for letter in LETTERS)]
    return T5Tokenizer(vocab=pieces[: config["vocab_size"]], extra_ids=0)


def qwen2(config: Config) -> Any:
    """Of Qwen 2's class, a byte a token, with the marks of turns and pictures."""
    from transformers import Qwen2Tokenizer

    vocabulary = {symbol: index for index, symbol in enumerate(byte_symbols())}
    made = Qwen2Tokenizer(
        vocab=vocabulary, merges=[], additional_special_tokens=list(QWEN_TOKENS[1:]), chat_template=QWEN_CHAT
    )
    return fits(made, config)


def gemma(config: Config) -> Any:
    """Of Gemma's class, a letter or byte a token, behind a start."""
    from transformers import GemmaTokenizer

    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *LETTERS]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    return fits(GemmaTokenizer(vocab=vocabulary, merges=[], add_bos_token=True), config)


def bert(config: Config) -> Any:
    """Of BERT's class, a letter a token."""
    from transformers import BertTokenizer

    letters = [letter for letter in LETTERS if letter == letter.lower()]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    return fits(BertTokenizer(vocab={piece: index for index, piece in enumerate(pieces)}), config)


def fits(tokenizer: Any, config: Config) -> Any:
    """The tokenizer; E_SIZE if the network of the configuration has fewer tokens."""
    text: Any = config.get("text_config", config)
    if len(tokenizer) > text["vocab_size"]:
        message = f"vocab_size {text['vocab_size']} has no room for the {len(tokenizer)} tokens of letters and bytes"
        raise GraphError("E_SIZE", message, port="config", hint=f"write at least {len(tokenizer)}")
    return tokenizer


FILES = ("tokenizer.json", "vocab.json", "vocab.txt", "spiece.model", "tokenizer.model")
"""Any of them makes a folder one of a tokenizer."""


def read(folder: Path, cls: str) -> Any:
    """The tokenizer in a folder, of a class that the family names.

    Args:
        folder: Its folder.
        cls: The class in transformers.

    Raises:
        GraphError: E_MODEL_FOLDER, it is missing or broken; E_PACKAGE, it needs a package that is not installed.
    """
    import transformers

    if not any((folder / name).is_file() for name in FILES):
        message = f"the {folder.name} folder has no tokenizer"
        raise GraphError("E_MODEL_FOLDER", message, hint="give a folder that diffusers saved")
    return _read(folder, getattr(transformers, cls))


def read_images(folder: Path, cls: str) -> Any:
    """What turns pictures into what a network reads, of a processor's folder and of a class that the family names.

    Args:
        folder: The processor's folder.
        cls: The class in transformers.

    Raises:
        GraphError: E_MODEL_FOLDER, it is missing or broken.
    """
    import transformers

    return _read(folder, getattr(transformers, cls))


def _read(folder: Path, cls: Any) -> Any:
    try:
        found = cls.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except ImportError as error:
        hint = "pip install hcpgraph[sentencepiece]"
        raise GraphError("E_PACKAGE", f"the {folder.name} folder needs a package: {error}", hint=hint) from None
    except Exception as error:  # the tokenizers library raises Exception itself
        message = f"the {folder.name} folder cannot be read: {error}"
        raise GraphError("E_MODEL_FOLDER", message, hint="fetch it again") from error
    return found
