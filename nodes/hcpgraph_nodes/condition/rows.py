"""One number of rows for what comes together."""

from __future__ import annotations

from collections.abc import Mapping

from hcpgraph import GraphError


def rows(counts: Mapping[str, int]) -> int:
    """How many samples there are, where one row of anything stands for all of them.

    Args:
        counts: Port -> its rows.

    Raises:
        GraphError: E_BATCH, two ports have different numbers of rows.
    """
    most = max(counts.values())
    if wrong := [port for port, count in counts.items() if count not in (1, most)]:
        told = ", ".join(f"{count} {port}" for port, count in counts.items())
        raise GraphError("E_BATCH", told, port=wrong[0], hint="give one for all samples or one for each")
    return most
