"""Torch-free relations of the test packs."""

from hcpgraph import Problem


def first_word(settings, resolve):
    """The first word of a file; raises for an empty one."""
    return resolve(settings["path"]).read_text(encoding="utf-8").split()[0]


def no_thirteen(view):
    """A level of 13 is refused."""
    if view.type == "files.picture" and view.settings["level"] == 13:
        return [Problem("E_RULE", "13 brings bad luck", view.node, "level", "take 12 or 14")]
    return []


def fails(view):
    """Stands for a rule with a mistake in it."""
    if view.type == "files.picture" and view.settings["level"] == 111:
        raise KeyError("a mistake")
    return []


def changed_halves(settings, resolve):
    """The halves that pair.change changes."""
    return {"left": ("left",), "right": ("right",), "both": ("left", "right")}.get(settings["halves"])


PROBERS = {"first_word": first_word, "changed halves": changed_halves}
RULES = [no_thirteen, fails]
