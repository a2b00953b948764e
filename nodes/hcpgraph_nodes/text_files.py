"""Text files of people: UTF-8, and what is not is refused with what it is."""

from __future__ import annotations

UTF16 = (b"\xff\xfe", b"\xfe\xff")
REMEDY = "save it again as UTF-8"


class NotText(ValueError):
    """What a file is instead, to stand behind its name: "is UTF-16, not UTF-8"."""


def decoded(content: bytes) -> str:
    """The text in UTF-8, without a byte order mark.

    Text of Latin letters in UTF-16 without a mark would pass for UTF-8 with a zero byte behind every letter.

    Raises:
        NotText: it is something else.
    """
    if content.startswith(UTF16):
        raise NotText("is UTF-16, not UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotText("is not UTF-8 text") from None
    if "\0" in text:
        raise NotText("holds zero bytes, as UTF-16 without a mark does, and is not UTF-8 text")
    return text
