"""The component that a selector speaks of is told without layers and without torch."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hcpgraph_nodes.selectors import components, split


@pytest.mark.parametrize(
    ("selector", "parts"),
    [
        ("denoiser:", ("denoiser", None, "")),
        ("denoiser:re:.*attn1", ("denoiser", None, "re:.*attn1")),
        ("text_encoder:@mlp", ("text_encoder", None, "@mlp")),
        ("text_encoder_1:cls:Linear", ("text_encoder", 1, "cls:Linear")),
        ("text_encoder_2:pre_hook:re:.*fc1", ("text_encoder", 2, "pre_hook:re:.*fc1")),
        ("text_encoder_3:@all", ("text_encoder", 3, "@all")),
        ("vae:decoder.conv_in", ("vae", None, "decoder.conv_in")),
        ("controlnet:@norm", ("controlnet", None, "@norm")),
    ],
)
def test_a_prefix_is_taken_off_once(selector: str, parts: tuple[str, int | None, str]) -> None:
    assert split(selector) == parts
    assert split("denoiser:" + selector) == ("denoiser", None, selector)


@pytest.mark.parametrize(
    "selector",
    [
        "",
        "conv_in",
        "@attention",
        "re:denoiser:x",
        "denoisers:x",
        "cls:Linear:re:vae:",
        "text_encoder_0:x",
        "text_encoder_4:x",
        "vae",
        " vae:x",
    ],
)
def test_what_is_no_prefix_stays(selector: str) -> None:
    assert split(selector) == (None, None, selector)


def test_the_components_stand_in_the_order_of_a_model() -> None:
    assert components(["vae:@all", "text_encoder_2:@mlp", "@attention", "text_encoder:x", "controlnet:"]) == (
        "denoiser",
        "text_encoder",
        "vae",
        "controlnet",
    )
    assert components(["text_encoder_1:@all"]) == ("text_encoder",)
    assert components([""]) == ("denoiser",)
    assert components({}) == ()


def test_it_needs_no_torch() -> None:
    code = "import sys, hcpgraph_nodes.selectors as s; s.components(['vae:x']); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
