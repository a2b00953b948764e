"""What other libraries say, in messages of ours."""

from __future__ import annotations


def first_line(error: BaseException) -> str:
    """What an error says, without the explanations below; its name where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
