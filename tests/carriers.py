"""Files that carry a graph, for tests."""

from PIL.PngImagePlugin import PngInfo

import hcpgraph
from hcpgraph.document.embed import KEY, embed_text


def png_info(graph: hcpgraph.Graph) -> PngInfo:
    info = PngInfo()
    info.add_text(KEY, embed_text(graph))
    return info


def safetensors_metadata(graph: hcpgraph.Graph) -> dict[str, str]:
    return {KEY: embed_text(graph)}
