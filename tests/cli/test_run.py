"""`hcpgraph run`: settings, targets, roots, output, exit codes, dry runs, resuming."""

import json
from pathlib import Path

import pytest

from .conftest import SLOW, TOYS


def run(cli, *arguments, code=0):
    return json.loads(cli("run", *arguments, "--pack", TOYS, "--json", code=code).stdout)


def test_it_writes_and_says_where(cli, chain, workspace):
    result = cli("run", chain, "--pack", TOYS, "--workspace", workspace)
    assert (workspace / "out" / "toy.txt").read_text() == "3.0"
    assert result.stdout == ""
    assert str(workspace / "out" / "toy.txt") in result.stderr
    assert "sum: started" in result.stderr
    assert "3 ran" in result.stderr


def test_json_tells_everything(cli, chain, workspace):
    told = run(cli, chain, "--workspace", workspace)
    assert told["status"] == "done"
    assert told["ran"] == ["a", "sum", "save"]
    assert told["outputs"] == {"save.out": "out:toy.txt"}
    assert told["artifacts"] == [
        {"node": "save", "uri": "out:toy.txt", "type": "file", "path": str(workspace / "out" / "toy.txt")}
    ]
    assert Path(told["folder"], "run.json").is_file()
    assert told["failed"] == {} and told["problems"] == []


def test_results_on_disk_are_used_unless_told_otherwise(cli, chain, workspace):
    run(cli, chain, "--workspace", workspace)
    assert run(cli, chain, "--workspace", workspace)["cached"] == ["save"]
    again = run(cli, chain, "--workspace", workspace, "--no-cache")
    assert again["ran"] == ["a", "sum", "save"]
    assert again["outputs"] == {"save.out": "out:toy-2.txt"}


def test_out_and_root_say_where_things_lie(cli, write, workspace, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "text.txt").write_text("hello")
    graph = write(
        {"read": ("toy.read", {"path": "data:text.txt"}), "save": ("toy.write", {})}, {"save.value": "read.out"}
    )
    run(cli, graph, "--workspace", workspace, "--out", tmp_path / "there", "--root", f"data={tmp_path / 'mine'}")
    assert (tmp_path / "there" / "toy.txt").read_text() == "hello"


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("plain", "plain"),
        ("5", "5"),
        ("true", "true"),
        ("null", "null"),
        ('"5"', "5"),
        ("[1]", "[1]"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_a_text_setting_takes_any_text(cli, write, workspace, given, value):
    graph = write({"w": ("toy.word", {})})
    assert run(cli, graph, "--workspace", workspace, "--set", f"w.text={given}")["outputs"] == {"w.out": value}


def test_other_settings_take_json(cli, write, workspace):
    graph = write({"n": ("toy.numbers", {}), "a": ("toy.number", {})})
    told = run(cli, graph, "--workspace", workspace, "--set", "n.values=[4, 5]", "--set", "a.value=1e3")
    assert told["outputs"] == {"n.out": [4.0, 5.0], "a.out": 1000.0}


def test_a_text_where_a_number_belongs_is_an_error(cli, chain, workspace):
    told = run(cli, chain, "--workspace", workspace, "--set", "a.value=many", code=2)
    assert [(p["code"], p["node"], p["port"]) for p in told["problems"]] == [("E_SETTING", "a", "value")]
    assert not workspace.exists()


def test_settings_inside_subgraphs_and_of_the_interface(cli, write, workspace):
    inner = {
        "interface": {"inputs": {"text": ["w.text"]}, "outputs": {"out": "w.out"}},
        "nodes": {"w": {"type": "toy.word", "version": 1}},
        "edges": {},
    }
    graph = write(
        {"one": ("graph:words", {})},
        graphs={"words": inner},
        interface={"inputs": {"said": ["one.text"]}, "outputs": {"word": "one.out"}},
    )
    for name in ("one.text", "one/w.text", "said"):
        assert run(cli, graph, "--workspace", workspace, "--set", f"{name}=7")["outputs"]["word"] == "7"


def test_targets_run_only_what_they_stand_on(cli, chain, workspace):
    told = run(cli, chain, "--workspace", workspace, "--target", "sum")
    assert told["outputs"] == {"sum.out": 3.0}
    assert not (workspace / "out").exists()


def test_seed_sets_every_seed(cli, write, workspace):
    graph = write({"s": ("toy.seeded", {"seed": 3})})
    assert run(cli, graph, "--workspace", workspace, "--seed", 9)["outputs"] == {"s.out": 9}
    assert run(cli, graph, "--workspace", workspace, "--seed", -1, code=2)["problems"][0]["code"] == "E_SEED"


def test_a_broken_run_folder_does_not_hide_the_last_run(cli, chain, workspace):
    first = run(cli, chain, "--workspace", workspace)
    (workspace / "runs/bad").mkdir()
    (workspace / "runs/bad/run.json").write_text("{}")
    told = cli("run", "--resume", "last", "--workspace", workspace, "--json").stdout
    assert json.loads(told)["status"] == "done" and first["status"] == "done"


def test_a_failed_node_is_named_with_its_remedy(cli, write, workspace):
    graph = write(
        {"bad": ("toy.fail", {"code": "E_TOY"}), "next": ("toy.add", {}), "a": ("toy.number", {})},
        {"next.a": "bad.out"},
    )
    result = cli("run", graph, "--pack", TOYS, "--workspace", workspace, "--on-error", "continue", code=1)
    assert "E_TOY bad: failed on purpose" in result.stderr
    assert "do not use this node" in result.stderr
    assert "1 ran, 1 failed, 1 left out" in result.stderr
    told = run(cli, graph, "--workspace", workspace, code=1)
    assert told["status"] == "failed" and told["failed"]["bad"]["code"] == "E_TOY"


def test_dry_run_says_what_would_run_and_writes_nothing(cli, write, workspace):
    nodes = {
        "a": ("toy.number", {}),
        "loop": ("toy.repeat", {"times": 3}),
        "outside": ("toy.add", {}),
        "unused": ("toy.add", {}),
    }
    graph = write(
        nodes,
        {
            "loop.state": "a.out",
            "outside.a": "a.out",
            "loop.next": "plus.out",
            "plus.a": "loop.state",
            "plus.b": "outside.out",
            "unused.a": "a.out",
        },
    )
    raw = json.loads(graph.read_text())
    raw["nodes"]["plus"] = {"type": "toy.add", "version": 1, "in": "loop"}
    graph.write_text(json.dumps(raw))
    told = run(cli, graph, "--workspace", workspace, "--dry-run", "--target", "loop")
    rows = {row["node"]: (row["state"], row["when"], row.get("inside")) for row in told["nodes"]}
    assert rows == {
        "a": ("runs", "once", None),
        "outside": ("runs", "once", None),
        "loop": ("runs", "once", None),
        "plus": ("runs", "every step", "loop"),
    }
    assert not workspace.exists()


def test_dry_run_knows_what_is_kept_and_what_is_unknown(cli, write, workspace):
    (workspace / "data").mkdir(parents=True)
    (workspace / "data" / "text.txt").write_text("hello")
    graph = write(
        {"read": ("toy.read", {"path": "data:text.txt"}), "save": ("toy.write", {})}, {"save.value": "read.out"}
    )

    def states():
        told = run(cli, graph, "--workspace", workspace, "--dry-run")
        return {row["node"]: row["state"] for row in told["nodes"]}

    assert states() == {"read": "unknown", "save": "unknown"}
    assert sorted(path.name for path in workspace.iterdir()) == ["data"]
    run(cli, graph, "--workspace", workspace)
    assert states() == {"save": "cached"}
    (workspace / "out" / "toy.txt").write_text("somebody wrote over it")
    assert states() == {"read": "runs", "save": "runs"}


def test_dry_run_tells_people_too(cli, chain, workspace):
    result = cli("run", chain, "--pack", TOYS, "--workspace", workspace, "--dry-run")
    assert result.stdout == ""
    assert "save" in result.stderr and "nothing was run" in result.stderr


def test_resume_takes_everything_from_the_earlier_run(cli, write, workspace, tmp_path):
    graph = write(
        {"s": ("toy.seeded", {"seed": 3}), "d": ("toy.draw", {}), "save": ("toy.write", {})}, {"save.value": "d.out"}
    )
    first = run(
        cli,
        graph,
        "--workspace",
        workspace,
        "--seed",
        5,
        "--out",
        tmp_path / "there",
        "--target",
        "save",
        "--target",
        "s",
    )
    graph.unlink()
    for name in ("last", first["id"]):
        told = json.loads(cli("run", "--resume", name, "--workspace", workspace, "--json", "--no-cache").stdout)
        assert told["outputs"]["s.out"] == 5
        assert Path(told["artifacts"][0]["path"]).parent == tmp_path / "there"
        assert Path(told["artifacts"][0]["path"]).read_text() == (tmp_path / "there" / "toy.txt").read_text()
    by_folder = json.loads(cli("run", "--resume", first["folder"], "--json").stdout)
    assert Path(by_folder["folder"]).parent == workspace / "runs"


def test_resume_keeps_the_seeds_of_a_run_without_a_seed(cli, write, workspace):
    graph = write({"s": ("toy.seeded", {"seed": 3})})
    run(cli, graph, "--workspace", workspace)
    told = json.loads(cli("run", "--resume", "last", "--workspace", workspace, "--json").stdout)
    assert told["outputs"] == {"s.out": 3}


@pytest.mark.parametrize("name", ["last", "20200101-000000-abcd", ".", "../.."])
def test_resume_of_nothing(cli, workspace, name):
    result = cli("run", "--resume", name, "--workspace", workspace, code=2)
    assert "E_RESUME" in result.stderr
    assert not workspace.exists()


def test_resume_of_a_damaged_record(cli, chain, workspace):
    told = run(cli, chain, "--workspace", workspace)
    Path(told["folder"], "run.json").write_text('{"seed": []}')
    assert "E_RESUME" in cli("run", "--resume", "last", "--workspace", workspace, code=2).stderr


def test_locked_refuses_other_files(cli, write, workspace):
    (workspace / "data").mkdir(parents=True)
    (workspace / "data" / "text.txt").write_text("hello")
    graph = write(
        {"read": ("toy.read", {"path": "data:text.txt"})},
        requires={"files": {"data:text.txt": {"sha256": "0" * 64}}},
    )
    told = run(cli, graph, "--workspace", workspace)
    assert [problem["code"] for problem in told["problems"]] == ["W_FILE_CHANGED"]
    for more in ((), ("--dry-run",)):
        told = run(cli, graph, "--workspace", workspace, "--locked", *more, code=2)
        assert [problem["code"] for problem in told["problems"]] == ["E_FILE_CHANGED"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["graph.json", "--resume", "last"],
        ["graph.json", "--on-error", "never"],
        ["graph.json", "--precision", "fp8"],
        ["graph.json", "--root", "data"],
        ["graph.json", "--root", "D=x"],
        ["graph.json", "--nonsense"],
        ["graph.json", "--seed", "many"],
    ],
)
def test_a_wrong_call(cli, arguments):
    assert cli("run", *arguments, code=2).stdout == ""


def test_set_without_a_value(cli, chain, workspace):
    assert (
        "node.setting=value"
        in cli("run", chain, "--pack", TOYS, "--workspace", workspace, "--set", "a.value", code=2).stderr
    )


def test_an_unknown_target_and_an_unknown_device(cli, chain, workspace):
    told = run(cli, chain, "--workspace", workspace, "--target", "summ", code=2)
    assert told["problems"][0]["code"] == "E_TARGET" and "sum" in told["problems"][0]["hint"]
    told = run(cli, chain, "--workspace", workspace, "--device", "abacus", code=2)
    assert told["problems"][0]["code"] == "E_DEVICE"
    assert not workspace.exists()


def test_a_graph_inside_a_picture_runs(cli, chain, workspace, tmp_path):
    from PIL import Image

    import hcpgraph
    from tests.carriers import png_info

    picture = tmp_path / "picture.png"
    Image.new("RGB", (2, 2)).save(picture, pnginfo=png_info(hcpgraph.load(chain)))
    assert run(cli, picture, "--workspace", workspace)["status"] == "done"


def test_progress_in_a_pipe_is_thinned_out(cli, write, workspace):
    graph = write({"slow": ("slow.wait", {"times": 30})})
    lines = cli("run", graph, "--pack", SLOW, "--workspace", workspace).stderr.splitlines()
    assert lines[:2] == ["slow: started", "slow: waiting"]
    assert sum(" of 30" in line for line in lines) == 0
    assert lines[2].startswith("slow: done in")
