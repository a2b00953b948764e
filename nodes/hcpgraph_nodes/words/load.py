"""`word.load`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hcpgraph import Context, GraphError, node
from hcpgraph.errors import did_you_mean
from hcpgraph.widgets import Hint, ModelPicker

from .block import T, attach, check_name
from .files import PICKLES, TENSORS, fitted, read_words
from .new import WithWord, params_of, warn_if_known


@node("word.load", effects=("read", "resource"), packages=("transformers",), title="Load word")
def load(
    ctx: Context,
    model: T,
    *,
    path: Annotated[str, ModelPicker(primary=True, suffixes=(*TENSORS, *PICKLES))],
    name: Annotated[
        Annotated[str, Field(min_length=1, max_length=100, pattern=r"^\S+$")] | None, Hint(primary=True)
    ] = None,
    which: Annotated[str | None, Hint(advanced=True)] = None,
    trainable: Annotated[bool, Hint(advanced=True)] = False,
    lr: Annotated[Annotated[float, Field(gt=0)] | None, Hint(advanced=True)] = None,
    weight_decay: Annotated[Annotated[float, Field(ge=0)] | None, Hint(advanced=True)] = None,
) -> WithWord[T]:
    """Teach a text encoder a word from a file (textual inversion embedding).

    A1111's, kohya's, diffusers' and HCP-Diffusion's files are read, those of SDXL with `clip_l` and `clip_g`, and words
    that lie in a LoRA file. The wire it came on still means the text encoder without the word.

    Args:
        model: The text encoder.
        path: An embedding, or a LoRA file with words in it. No code in a .pt file is run.
        name: How prompts call it; none given: as the file says, or else the file's own name.
        which: Which word, if the file has several.
        trainable: Whether its vectors are trained further.
        lr: Learning rate of this word if it is trained; none given: the optimizer's.
        weight_decay: Weight decay of this word if it is trained; none given: the optimizer's.

    Returns:
        model: The text encoder with the word.
        params: The vectors of the word if they are trainable, else nothing.
        word: The word alone, for word.save.

    Raises:
        GraphError: E_WORD_FILE (no embedding, or several and none chosen), E_WORD_SHAPE (for another family),
            E_WORD_NAME.
    """
    file = ctx.path(path)
    found = read_words(file)
    if which is None and len(found) > 1:
        raise GraphError(
            "E_WORD_FILE", f"{file.name} has {len(found)} words", port="which", hint=f"choose one: {', '.join(found)}"
        )
    chosen = next(iter(found)) if which is None else which
    if chosen not in found:
        raise GraphError(
            "E_WORD_FILE",
            f"{file.name} has no word '{chosen}'",
            port="which",
            hint=did_you_mean(chosen, found, "words"),
        )
    called = chosen if name is None else name
    check_name(model, called)
    vectors = fitted(found[chosen], model, chosen)
    warn_if_known(ctx, model, called)
    handle, made = attach(model, called, vectors, trainable=trainable)
    return WithWord(handle, params_of(made.plugin, ctx.node, lr, weight_decay), made)
