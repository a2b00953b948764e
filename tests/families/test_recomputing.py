"""Every family's denoiser recomputes its activations: the graphs that train ask for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hcpgraph_nodes.diffusion.predict import predict
from hcpgraph_nodes.model.handles import Denoiser
from hcpgraph_nodes.model.new import new_model
from hcpgraph_nodes.model.root import Placement, Root
from hcpgraph_nodes.plugins.lora import lora
from torch import Tensor, nn

from hcpgraph import GraphError
from hcpgraph.testing import context

from .every_graph import own
from .harness import Case, example

LAYERS = ["@attention", "@mlp"]


def trained(root: Path, name: str, *, checkpointing: bool) -> tuple[list[Tensor], int]:
    """Output and gradients of a LoRA that is not zero, and how many numbers were kept for them."""
    model = new_model(context(root), family=name, seed=1, checkpointing=checkpointing)
    noisy, times, text, target = example(root, Case(name, width=64, height=64), model)
    adapted = lora(context(root, node="lora", seed=2), model.denoiser, layers=LAYERS, rank=4, dropout=0.3)
    parameters = list(adapted.adapter.plugin.train().parameters())
    generator, kept = torch.Generator().manual_seed(5), 0
    with torch.no_grad():
        for parameter in parameters:
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / 8)

    def pack(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.numel()
        return tensor

    torch.manual_seed(3)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = predict(adapted.model, noisy, times, text, schedule=model.schedule).data
    (out - target).square().mean().backward()
    # the last blocks of some networks make text that nothing reads
    return [out.detach(), *(each.grad for each in parameters if each.grad is not None)], kept


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) for name in own()])
def test_a_denoiser_recomputes_its_activations(tmp_path: Path, name: str) -> None:
    """With a LoRA and its dropout, to the same gradients, bit for bit, and fewer numbers are kept."""
    (plain, more), (again, fewer) = (trained(tmp_path, name, checkpointing=each) for each in (False, True))
    assert sum(bool(each.any()) for each in plain) > 20
    assert all(torch.equal(one, other) for one, other in zip(plain, again, strict=True))
    assert fewer < 0.6 * more


@pytest.mark.parametrize("name", own())
def test_it_is_its_class_that_can(tmp_path: Path, name: str) -> None:
    module = new_model(context(tmp_path), family=name, checkpointing=True).denoiser.root.module
    assert module.is_gradient_checkpointing
    module.disable_gradient_checkpointing()
    assert not module.is_gradient_checkpointing


def test_a_network_that_cannot_is_refused() -> None:
    """That of a family of somebody else."""
    from diffusers.configuration_utils import ConfigMixin
    from diffusers.models.modeling_utils import ModelMixin

    class Stranger(ModelMixin, ConfigMixin):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)

    root = Root(Stranger, Placement(torch.device("cpu"), checkpointing=True))
    denoiser = Denoiser(root=root, family="sd15", config={})
    with pytest.raises(GraphError, match="E_SETTING") as raised:
        assert denoiser.root.module
    assert raised.value.problem.port == "checkpointing"
