"""Results on disk: after a restart, damaged, written by two processes, and what writing nodes wrote (DESIGN §7)."""

import json
import subprocess
import sys

import pytest

from hcpgraph.running.cache import Cache, DiskCache

from .support import PACKS, graph, run


def kept():
    return graph({"n": ("toy.number", {"value": 2}), "k": ("files.kept", {"plus": 3}), "end": "toy.each", "in": ("toy.add", {}, "end")},
                 {"k.a": "n.out", "end.items": "k.out", "in.a": "end.item", "end.result": "in.out"})  # fmt: skip


SCRIPT = """
import sys, json, hcpgraph, hcpgraph.testing
r = hcpgraph.run(sys.argv[1], packs=[hcpgraph.testing.FOLDER, sys.argv[3]], workspace=sys.argv[2])
print(json.dumps([r.ran, r.cached, r.outputs]))
"""


def in_another_process(path, workspace):
    command = [sys.executable, "-c", SCRIPT, str(path), str(workspace), str(PACKS)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_results_survive_the_process(tmp_path, workspace):
    g = kept()
    g.save(tmp_path / "g.json")
    assert run(g, workspace).ran == ["n", "k", "end"]
    ran, cached, outputs = json.loads(in_another_process(tmp_path / "g.json", workspace).communicate()[0])
    assert (ran, cached, outputs) == (["end"], ["k"], {"end.out": [5.0]})
    g.set("k.plus", 4)
    assert run(g, workspace).ran == ["n", "k", "end"]


def test_two_processes_write_the_same_key(tmp_path, workspace):
    kept().save(tmp_path / "g.json")
    both = [in_another_process(tmp_path / "g.json", workspace) for _ in range(2)]
    outputs = [json.loads(process.communicate()[0])[2] for process in both]
    assert outputs == [{"end.out": [5.0]}] * 2 and [process.returncode for process in both] == [0, 0]
    values = workspace / "cache" / "values"
    assert len(list(values.glob("*/*"))) == 1 and not list(values.glob("*/.tmp*"))
    assert run(kept(), workspace).cached == ["k"]


@pytest.mark.parametrize(
    "damage", ["{", "[]", "{}", '{"value": {"$tensor": "t0"}}', '{"value": {"$type": "Nobody", "fields": {}}}', ""]
)
def test_damaged_entries_are_ignored_and_replaced(workspace, damage):
    run(kept(), workspace)
    file = next((workspace / "cache" / "values").glob("*/*/value.json"))
    file.write_text(damage)
    done = run(kept(), workspace)
    assert "k" in done.ran and done.outputs["end.out"] == [5]
    assert run(kept(), workspace).cached == ["k"]


def test_damaged_tensors_are_ignored(tmp_path):
    import torch

    cache = DiskCache(tmp_path)
    assert cache.put("ab12", (torch.zeros(3), 1))
    assert cache.get("ab12")[0][1] == 1
    next(tmp_path.rglob("tensors.safetensors")).write_bytes(b"nonsense")
    assert cache.get("ab12") is None
    assert cache.put("ab12", (torch.ones(3), 2)) and cache.get("ab12")[0][1] == 2


def test_values_without_a_codec_and_disks_that_refuse(tmp_path):
    (tmp_path / "file").write_text("")
    assert DiskCache(tmp_path).put("aa", object()) is False
    assert DiskCache(tmp_path / "file").put("aa", 1) is False
    assert DiskCache(tmp_path / "file").get("aa") is None


def test_a_value_without_a_codec_runs_again(workspace):
    g = graph({"n": "toy.number", "o": "files.opaque"}, {"o.a": "n.out"})
    for _ in range(2):
        assert run(g, workspace).ran == ["n", "o"]


def test_the_disk_cache_can_be_left_out(workspace):
    run(kept(), workspace, disk_cache=False)
    assert not (workspace / "cache" / "values").exists()
    assert run(kept(), workspace, disk_cache=False).ran == ["n", "k", "end"]


def saving(value=1, **settings):
    return graph({"n": ("toy.number", {"value": value}), "w": ("toy.write", settings)}, {"w.value": "n.out"})


def test_what_was_written_is_served_from_the_record(workspace):
    first = run(saving(), workspace)
    again = run(saving(), workspace)
    assert (again.ran, again.cached) == ([], ["w"]) and again.outputs == first.outputs == {"w.out": "out:toy.txt"}
    assert again.artifacts == [{"node": "w", "uri": "out:toy.txt", "type": "file", "cached": True}]
    assert [path.name for path in (workspace / "out").iterdir()] == ["toy.txt"]


def test_a_file_that_is_gone_or_changed_is_written_again(workspace):
    run(saving(), workspace)
    file = workspace / "out" / "toy.txt"
    file.unlink()
    assert run(saving(), workspace).ran == ["n", "w"] and file.read_text() == "1.0"
    file.write_text("edited by hand")
    done = run(saving(), workspace)
    assert (
        done.ran == ["n", "w"] and done.outputs == {"w.out": "out:toy-2.txt"} and file.read_text() == "edited by hand"
    )
    assert run(saving(), workspace).cached == ["w"]


def test_another_value_is_written_beside_the_first(workspace):
    run(saving(), workspace)
    assert run(saving(value=2), workspace).outputs == {"w.out": "out:toy-2.txt"}
    assert run(saving(), workspace).cached == ["w"]


def test_another_output_folder_is_written_to(workspace, tmp_path):
    run(saving(), workspace)
    done = run(saving(), workspace, roots={"out": tmp_path / "elsewhere"})
    assert done.ran == ["n", "w"] and (tmp_path / "elsewhere" / "toy.txt").read_text() == "1.0"


def test_a_kept_result_says_which_run_made_it(workspace):
    def cached(**options):
        events = []
        run(kept(), workspace, on_event=events.append, **options)
        return [(event["node"], event.get("made_by")) for event in events if event["kind"] == "node_cached"]

    first = run(kept(), workspace)
    assert cached() == [("k", {"run": first.id, "node": "k"})]
    ram = Cache()
    again = run(kept(), workspace, cache=ram, disk_cache=False)
    assert cached(cache=ram, disk_cache=False) == [("end", {"run": again.id, "node": "end"})]
    g = kept()
    g.set("k.plus", 9)
    run(g, workspace, record=False)
    events = []
    run(g, workspace, on_event=events.append)
    (found,) = [event for event in events if event["kind"] == "node_cached"]
    assert "made_by" not in found, "a run without a record cannot be shown"
    assert len(found["key"]) == 64
