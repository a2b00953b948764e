"""What a LoRA'd UNet and one whose plugins are switched off cost, beside peft and the bare module of diffusers.

    python benchmarks/adapters.py [--pairs 40] [--rank 16] [--batch 1] [--control]

A UNet of SD's shape with 64, 128, 256, 256 channels at 32×32 latents, LoRAs on the attention and the convolutions of
the resnets. Equal weights on both sides, whose outputs and gradients are compared first. One process and one thread of
torch; the two sides run in turn, each first in every other pair, and processor time is taken. Every pair gives one
ratio; printed are their median and quartiles, and, for a noisy machine, the ratio of the undisturbed runs: the tenth
percentile of the one over that of the other. Memory is what autograd keeps for backward, weights left out, and the
weights.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from copy import deepcopy

import torch
from diffusers import UNet2DConditionModel
from hcpgraph_nodes.model.handles import Denoiser
from hcpgraph_nodes.model.root import Placement, Root
from hcpgraph_nodes.plugins.lora import lora
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn

from hcpgraph.testing import context

LAYERS = r".*(attn[12]\.to_(q|k|v|out\.0)|resnets\.\d+\.conv[12])$"
SIZES = {
    "sample_size": 32,
    "block_out_channels": (64, 128, 256, 256),
    "layers_per_block": 2,
    "cross_attention_dim": 256,
    "attention_head_dim": 8,
}


class Side:
    """Something that is timed, and what it is: a call, and the weights that are trained."""

    def __init__(self, call: Callable[[], Tensor], weights: list[nn.Parameter]) -> None:
        self.call = call
        self.weights = weights

    def forward(self) -> Tensor:
        with torch.no_grad():
            return self.call()

    def step(self) -> list[Tensor]:
        output = self.call()
        return [output.detach(), *torch.autograd.grad(output.square().mean(), self.weights)]


def kept(side: Side) -> int:
    """Bytes that autograd keeps from the forward to the backward pass, without weights."""
    known = {weight.untyped_storage().data_ptr() for weight in side.weights}
    found: dict[int, int] = {}

    def pack(value: Tensor) -> Tensor:
        storage = value.untyped_storage()
        if not isinstance(value, nn.Parameter) and storage.data_ptr() not in known:
            found[storage.data_ptr()] = storage.nbytes()
        return value

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        output = side.call()
    del output
    return sum(found.values())


def pairs(one: Callable[[], object], other: Callable[[], object], count: int) -> list[tuple[float, float]]:
    """Processor seconds of both, run in turn; two warm-ups are left out."""
    found = []
    for number in range(count + 2):
        seconds = [0.0, 0.0]
        for who in (0, 1) if number % 2 else (1, 0):
            begin = time.thread_time()
            (one, other)[who]()
            seconds[who] = time.thread_time() - begin
        found.append((seconds[0], seconds[1]))
    return found[2:]


def tell(what: str, found: list[tuple[float, float]], goal: float) -> None:
    low, middle, high = statistics.quantiles([one / other for one, other in found], n=4)
    quick, other = (statistics.quantiles(seconds, n=10)[0] for seconds in zip(*found, strict=True))
    print(
        f"{what}: median {middle:.3f}, quartiles {low:.3f} … {high:.3f}; tenth percentiles {quick / other:.3f} "
        f"(goal ≤ {goal:.2f}); {quick * 1e3:.1f} ms",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument(
        "--control", action="store_true", help="the other side on both: what the machine makes of 1.000"
    )
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    bare = UNet2DConditionModel(**SIZES).requires_grad_(False).eval()
    inputs = torch.randn(asked.batch, 4, 32, 32), torch.full((asked.batch,), 500), torch.randn(asked.batch, 77, 256)

    base = Denoiser(root=Root(lambda: deepcopy(bare), Placement(torch.device("cpu"))), family="sd15")
    with tempfile.TemporaryDirectory() as folder:
        made = lora(context(folder), base, layers=[f"re:{LAYERS}"], rank=asked.rank, alpha=asked.rank / 2)
    theirs = inject_adapter_in_model(
        LoraConfig(r=asked.rank, lora_alpha=asked.rank // 2, target_modules=LAYERS, lora_dropout=0.0), deepcopy(bare)
    )
    theirs.eval()
    layers = dict(theirs.named_modules())
    trained: list[nn.Parameter] = []
    with torch.no_grad():
        for path, block in made.adapter.plugin.blocks.items():
            for name, own in (("lora_A", block.down), ("lora_B", block.up)):
                own.weight.normal_(std=0.02)
                layers[path].get_submodule(name)["default"].weight.copy_(own.weight)
                trained.append(layers[path].get_submodule(name)["default"].weight)

    def through(handle: Denoiser) -> Callable[[], Tensor]:
        def call() -> Tensor:
            with handle.active() as module:
                return module(*inputs, return_dict=False)[0]

        return call

    own = [weight for block in made.adapter.plugin.blocks.values() for weight in (block.down.weight, block.up.weight)]
    ours = Side(through(made.model), own)
    peft = Side(lambda: theirs(*inputs, return_dict=False)[0], trained)
    inactive = Side(through(base), [])
    untouched = Side(lambda: bare(*inputs, return_dict=False)[0], [])

    for mine, its in zip(ours.step(), peft.step(), strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-3, atol=1e-5)
    assert torch.equal(inactive.forward(), untouched.forward())
    print(f"{len(made.adapter.plugin.blocks)} layers of rank {asked.rank}, batch {asked.batch}: equal results")
    if asked.control:
        ours, inactive = peft, untouched
    tell("LoRA, forward, over peft", pairs(ours.forward, peft.forward, asked.pairs), 1.0)
    tell("LoRA, forward and backward, over peft", pairs(ours.step, peft.step, asked.pairs), 1.0)
    tell("switched off, over the bare module", pairs(inactive.forward, untouched.forward, asked.pairs), 1.01)
    weights = [sum(weight.nbytes for weight in side.weights) for side in (ours, peft)]
    print(f"weights of the adapter: {weights[0] / 2**20:.2f} MiB, peft {weights[1] / 2**20:.2f} MiB")
    sizes = [kept(side) for side in (ours, peft)]
    print(f"kept for backward: {sizes[0] / 2**20:.2f} MiB, peft {sizes[1] / 2**20:.2f} MiB: {sizes[0] / sizes[1]:.3f}")


if __name__ == "__main__":
    main()
