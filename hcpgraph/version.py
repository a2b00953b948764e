"""The version of hcpgraph and those of installed distributions."""

from functools import lru_cache

__version__ = "0.1.0"


@lru_cache(maxsize=256)
def package_version(name: str) -> str:
    """Version of an installed distribution, `-` if it is not there."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return "-"
