"""Which Python classes a graph may name, and what `python.object` makes of them."""

import inspect
import json
import re
import subprocess
import sys

import pytest

from hcpgraph import GraphError, GraphErrors, trust
from hcpgraph.cli import main

SHIPPED = [path for paths in trust.shipped().values() for path in paths]
NAMES = re.compile(
    r"(^|_)(path|file|filename|dir|directory|folder|url|fn|func|function|callable|callback|hook|lambd|lambda|closure"
    r"|loader|getter|module|transforms)s?($|_)",
    re.IGNORECASE,
)
KINDS = re.compile(r"Callable|PathLike|\bPath\b|\bIO\b|TextIO|BinaryIO|Module\b")


def reasons(cls):
    """Why a class does not belong on the shipped list: paths, files, callables, unknown keywords."""
    for parameter in inspect.signature(cls).parameters.values():
        kind = inspect.formatannotation(parameter.annotation).strip("'")
        named = NAMES.search(parameter.name) and kind not in ("float", "int", "bool")
        loose = parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        if loose or named or KINDS.search(kind):
            yield f"takes {parameter}"


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("HCPGRAPH_CONFIG", str(tmp_path / "config"))
    return tmp_path / "config"


def test_the_list_has_exact_names_without_wildcards():
    assert len(SHIPPED) == len(set(SHIPPED)) > 60
    for path in SHIPPED:
        assert trust.FORM.fullmatch(path)
        assert path.partition(":")[0] in {
            "torch.optim",
            "torch.optim.lr_scheduler",
            "torch.nn",
            "diffusers",
            "torchvision.transforms.v2",
        }


@pytest.mark.parametrize("path", SHIPPED)
def test_no_shipped_class_takes_a_path_a_file_a_callable_or_any_keyword(path):
    assert list(reasons(trust.resolve(path))) == []


@pytest.mark.parametrize(
    "path",
    [
        "torch.optim:LBFGS",
        "torch.optim.lr_scheduler:LambdaLR",
        "torch.optim.lr_scheduler:CyclicLR",
        "torch.nn:TripletMarginWithDistanceLoss",
        "diffusers:SASolverScheduler",
        "torchvision.transforms.v2:Lambda",
        "torchvision.transforms.v2:Compose",
        "torchvision.transforms.v2:MixUp",
    ],
)
def test_the_rule_catches_what_must_not_be_on_the_list(path):
    assert path not in SHIPPED
    trust.add(path)
    assert list(reasons(trust.resolve(path)))


@pytest.mark.parametrize(
    "path",
    [
        "os:system",
        "builtins:eval",
        "subprocess:Popen",
        "torch.optim:Adam.step",
        "torch.optim.AdamW",
        "torch.optim:*",
        "torch:load",
        "../x:y",
        "torch.optim:AdamW\n",
        "torch.optim:AdamW\0",
        "",
        ":",
        "TORCH.OPTIM:AdamW",
        "torch.optim.adamw:AdamW",
    ],
)
def test_everything_else_is_refused_before_it_is_imported(path):
    with pytest.raises(GraphError) as caught:
        trust.resolve(path)
    assert caught.value.problem.code == "E_TRUST"


def test_a_refused_module_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(GraphError) as caught:
        trust.resolve("evil:Thing")
    assert caught.value.problem.hint.endswith("hcpgraph trust add evil:Thing")
    assert "evil" not in sys.modules


def test_adding_imports_nothing_and_removing_works(tmp_path, monkeypatch):
    (tmp_path / "mine_to_trust.py").write_text("class Thing:\n    def __init__(self, a=1):\n        self.a = a\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert trust.add("mine_to_trust:Thing") and not trust.add("mine_to_trust:Thing")
    assert "mine_to_trust" not in sys.modules
    assert trust.resolve("mine_to_trust:Thing")(a=3).a == 3
    trust.remove("mine_to_trust:Thing")
    with pytest.raises(GraphError):
        trust.resolve("mine_to_trust:Thing")


@pytest.mark.parametrize("text", ["{", "{}", '["*"]', '["torch.*:Adam"]', "[1]", "\xff"])
def test_a_damaged_list_trusts_nothing_and_says_so(config, text):
    config.mkdir()
    (config / "trusted.json").write_text(text, encoding="latin-1")
    with pytest.raises(GraphErrors) as caught:
        trust.resolve("os:system")
    assert [problem.code for problem in caught.value.problems] == ["E_TRUST_FILE"]


def test_a_function_is_no_class_and_a_missing_name_is_an_error():
    trust.add("os:system")
    trust.add("os:no_such_name")
    trust.add("no_such_package_at_all:Thing")
    for path in ("os:system", "os:no_such_name", "no_such_package_at_all:Thing"):
        with pytest.raises(GraphError) as caught:
            trust.resolve(path)
        assert caught.value.problem.code == "E_IMPORT"


def test_the_module_is_free_of_torch():
    code = "import sys, hcpgraph.trust as t; t.check('torch.optim:AdamW'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_file_cannot_add_to_the_list(config, cli):
    graph = {"o": {"type": "python.object", "version": 1, "settings": {"path": "os:system"}}}
    result = cli("run", graph)
    assert result.exit_code == 2
    assert "E_TRUST o.path" in result.stderr and "hcpgraph trust add os:system" in result.stderr
    assert not config.exists()


def test_a_wired_path_is_checked_too(cli):
    nodes = {
        "w": {"type": "toy.word", "version": 1, "settings": {"text": "os:system"}},
        "o": {"type": "python.object", "version": 1},
    }
    result = cli("validate", nodes, {"o.path": "w.out"})
    assert result.exit_code == 2 and "E_TRUST o.path" in result.stderr


def test_a_class_known_only_at_run_time_is_refused_before_the_run(cli):
    nodes = {
        "r": {"type": "toy.choose", "version": 1},
        "w": {"type": "toy.word", "version": 1, "settings": {"text": "os:system"}},
        "o": {"type": "python.object", "version": 1},
    }
    result = cli("run", nodes, {"o.path": "r.out", "r.a": "w.out"})
    assert result.exit_code == 2 and "E_WIRED o.path" in result.stderr


def test_the_node_itself_imports_nothing_that_is_not_trusted():
    from hcpgraph_nodes.python.object import python_object

    with pytest.raises(GraphError) as error:
        python_object(path="os:system")
    assert error.value.problem.code == "E_TRUST"


@pytest.fixture
def cli(tmp_path):
    from click.testing import CliRunner

    import hcpgraph.testing

    def call(command, nodes, edges=None):
        path = tmp_path / "graph.json"
        path.write_text(json.dumps({"format": "hcpgraph/1", "nodes": nodes, "edges": edges or {}}))
        pack = str(hcpgraph.testing.FOLDER)
        return CliRunner().invoke(main, [command, str(path), "--pack", pack, "--workspace", str(tmp_path / "ws")])

    return call


def test_the_object_is_made_of_its_arguments():
    import torch
    from hcpgraph_nodes.python.object import python_object

    found = python_object(path="torch.optim:AdamW", args={"lr": 0.25, "betas": [0.5, 0.75]})
    made = found.make([torch.nn.Parameter(torch.zeros(1))])
    assert isinstance(made, torch.optim.AdamW) and made.param_groups[0]["lr"] == 0.25
    assert found.make([torch.nn.Parameter(torch.zeros(1))]) is not made


@pytest.mark.parametrize("args", [{"learning_rate": 1}, {"lr": "fast"}])
def test_arguments_that_do_not_fit_are_told(args):
    import torch
    from hcpgraph_nodes.python.object import python_object

    with pytest.raises(GraphError) as caught:
        python_object(path="torch.optim:AdamW", args=args).make([torch.nn.Parameter(torch.zeros(1))])
    assert caught.value.problem.code == "E_OBJECT" and "lr" in caught.value.problem.hint
