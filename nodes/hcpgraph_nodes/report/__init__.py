"""What a graph would train on, said before anything is trained: `hcpgraph check` and the editor's panel show it.

The command line finds this package by its name in a pack and needs of it `report`, `Options`, `tables`, `page`,
`languages` and `chosen`.
"""

from .build import report
from .options import Options
from .page import page
from .tables import tables
from .words import chosen, languages

__all__ = ["Options", "chosen", "languages", "page", "report", "tables"]
