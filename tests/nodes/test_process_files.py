"""Models of other processes in folders and files: what is written is read again, by us and by diffusers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from hcpgraph_nodes.model.load import load_model
from hcpgraph_nodes.model.save import save_model
from hcpgraph_nodes.process.edm import edm
from hcpgraph_nodes.process.flow import flow
from hcpgraph_nodes.process.predict import predict
from hcpgraph_nodes.process.shift import shift
from hcpgraph_nodes.process.zero_terminal_snr import zero_terminal_snr

from hcpgraph import GraphError
from hcpgraph.testing import context

MADE: dict[str, Any] = {
    "flow": lambda own: flow(shift=3.0),
    "dynamic": lambda own: shift(flow(), use_dynamic_shifting=True, max_shift=0.9, shift_terminal=0.02),
    "edm": lambda own: edm(sigma_data=1.0, rho=5.0, sigma_schedule="exponential"),
    "−F": lambda own: edm(prediction_type="v_prediction"),
    "zero": lambda own: zero_terminal_snr(predict(own, prediction_type="v_prediction")),
}


def of_numbers(process: Any) -> Any:
    """Everything that a process is made of."""
    if process.kind == "flow":
        return process.shift, process.num_train_timesteps
    if process.kind == "edm":
        return process.sigma_min, process.sigma_max, process.sigma_data, process.rho, process.negative
    return process.alphas_cumprod.tolist(), process.prediction_type


@pytest.mark.parametrize("layout", ["diffusers", "single_file"])
@pytest.mark.parametrize("name", MADE)
def test_a_process_is_written_and_read(name: str, layout: Any, workspace: Path) -> None:
    ctx = context(workspace, graph_text=lambda: '{"format":"hcpgraph/1"}')
    model = load_model(ctx, path="models:tiny")
    process = MADE[name](model.schedule)
    path = "out:model" if layout == "diffusers" else "out:model.safetensors"
    save_model(ctx, model.denoiser, model.text_encoder, model.vae, process, path=path, layout=layout)
    copy = load_model(ctx, path=path, family="sd15")
    assert type(copy.schedule) is type(process) and of_numbers(copy.schedule) == of_numbers(process)
    assert copy.schedule.config == process.config
    assert copy.denoiser.prediction_type == copy.schedule.prediction_type == process.prediction_type
    if layout == "diffusers":
        assert load_model(ctx, path=path).schedule.config == process.config, "its family is told by itself"
        folder = workspace / "out/model/scheduler"
        said = json.loads((folder / "scheduler_config.json").read_text())
        theirs = getattr(diffusers, said["_class_name"]).from_pretrained(folder)
        for key in (
            "shift",
            "use_dynamic_shifting",
            "max_shift",
            "shift_terminal",
            "sigma_data",
            "rho",
            "prediction_type",
        ):
            if key in process.config and key in theirs.config:
                assert theirs.config[key] == process.config[key]
        index = json.loads((workspace / "out/model/model_index.json").read_text())
        assert index["scheduler"] == ["diffusers", said["_class_name"]]


def test_another_prediction_than_a_flow_has_is_refused(workspace: Path) -> None:
    file = workspace / "models/tiny/scheduler/scheduler_config.json"
    file.write_text(json.dumps({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0}))
    ctx = context(workspace)
    assert load_model(ctx, path="models:tiny").schedule.prediction_type == "flow"
    with pytest.raises(GraphError) as caught:
        load_model(ctx, path="models:tiny", prediction_type="epsilon")
    assert (caught.value.problem.code, caught.value.problem.port) == ("E_SCHEDULE", "prediction_type")
    assert "predicts 'epsilon'" in caught.value.problem.message


def test_the_sign_of_edm_can_be_set_where_it_is_loaded(workspace: Path) -> None:
    file = workspace / "models/tiny/scheduler/scheduler_config.json"
    file.write_text(json.dumps({"_class_name": "EDMEulerScheduler"}))
    ctx = context(workspace)
    output = torch.ones(1)
    plain, negative = (
        load_model(ctx, path="models:tiny", prediction_type=each).schedule for each in ("auto", "v_prediction")
    )
    assert torch.equal(plain.network_output(output), output)
    assert torch.equal(negative.network_output(output), -output)
