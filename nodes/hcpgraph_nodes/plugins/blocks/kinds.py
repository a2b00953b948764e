"""The algorithms of adapters by name."""

from __future__ import annotations

from .adapter import AdapterBlock
from .full import FullBlock
from .loha import LohaBlock
from .lokr import LokrBlock
from .lora import LoraBlock
from .norm import NormBlock

TABLE = {"table": "plugins", "name": "adapters"}
"""What stands for all of them among the kinds of plugins."""
BLOCKS: dict[str, type[AdapterBlock]] = {
    cls.kind: cls for cls in (LoraBlock, LohaBlock, LokrBlock, FullBlock, NormBlock)
}
"""Name of an algorithm -> its block."""
