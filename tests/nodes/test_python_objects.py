"""Trusted classes of other packages as optimizer, loss and sampler."""

import pytest
import torch
from hcpgraph_nodes.loss.criterion import criterion
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.optim.custom import custom
from hcpgraph_nodes.python.object import python_object
from hcpgraph_nodes.sample.denoise import denoise
from hcpgraph_nodes.sample.empty_latents import empty_latents
from hcpgraph_nodes.text.encode import encode_text
from hcpgraph_nodes.types import Captions, Params, Prediction, Target

from hcpgraph import GraphError
from hcpgraph.testing import context


def params(tensor, **group):
    return (Params(({"name": "net", "params": {"w": tensor}, **group},)),)


def test_an_optimizer_class_steps_as_torch_does():
    tensor, other = (torch.nn.Parameter(torch.ones(3)) for _ in range(2))
    made = custom(params(tensor), python_object(path="torch.optim:SGD", args={"momentum": 0.9}), lr=0.1)
    expected = torch.optim.SGD([other], lr=0.1, momentum=0.9)
    for optimizer, parameter in ((made.optimizer, tensor), (expected, other)):
        for _ in range(3):
            parameter.grad = torch.arange(3.0)
            optimizer.step()
    assert torch.equal(tensor, other)


def test_a_group_keeps_its_own_learning_rate():
    made = custom(params(torch.nn.Parameter(torch.ones(1)), lr=0.5), python_object(path="torch.optim:Adam"), lr=0.1)
    assert made.optimizer.param_groups[0]["lr"] == 0.5


def test_a_weight_decay_that_the_class_does_not_have_is_refused():
    part = params(torch.nn.Parameter(torch.ones(1)), weight_decay=0.5)
    with pytest.raises(GraphError, match="Rprop has no weight decay"):
        custom(part, python_object(path="torch.optim:Rprop"), lr=0.1)
    assert custom(part, python_object(path="torch.optim:Adam"), lr=0.1).optimizer.param_groups[0]["weight_decay"] == 0.5


def test_a_loss_class_is_left_unreduced():
    one, two = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)), torch.zeros(2, 3, 4, 4)
    kind = python_object(path="torch.nn:SmoothL1Loss", args={"beta": 0.5})
    got = criterion(Prediction(one), Target(two), kind).data
    assert torch.equal(got, torch.nn.functional.smooth_l1_loss(one, two, beta=0.5, reduction="none"))


@pytest.mark.parametrize(
    ("call", "port"),
    [
        (lambda kind: custom(params(torch.nn.Parameter(torch.ones(1))), kind), "kind"),
        (lambda kind: criterion(Prediction(torch.ones(1)), Target(torch.ones(1)), kind), "kind"),
    ],
    ids=["optimizer", "loss"],
)
def test_a_class_of_the_wrong_sort_is_refused(call, port):
    with pytest.raises(GraphError) as caught:
        call(python_object(path="diffusers:EulerDiscreteScheduler"))
    assert (caught.value.problem.code, caught.value.problem.port) == ("E_OBJECT", port)


def test_a_scheduler_class_samples_as_the_sampler_of_its_name(workspace):
    ctx = context(workspace)
    model = load_model(ctx, path="models:tiny")
    text = encode_text(model.text_encoder, Captions(("a cat",)))
    latents = empty_latents(model.vae, width=16, height=16, count=1)
    call = {"guidance": 1.0, "steps": 4, "seed": 2}
    own = python_object(path="diffusers:EulerDiscreteScheduler")
    mine = denoise(ctx, model.denoiser, model.schedule, text, latents, scheduler=own, **call)
    named = denoise(ctx, model.denoiser, model.schedule, text, latents, sampler="euler", **call)
    assert torch.equal(mine.data, named.data)
    with pytest.raises(GraphError, match="no diffusers scheduler"):
        wrong = python_object(path="torch.optim:SGD")
        denoise(ctx, model.denoiser, model.schedule, text, latents, scheduler=wrong, **call)
