"""The version of hcpgraph and those of installed distributions."""

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

__version__ = "0.1.0"


@lru_cache(maxsize=256)
def package_version(name: str) -> str:
    """Version of an installed distribution, `-` if it is not there."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "-"
