"""Which files a module stands on, found without importing it."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import hcpgraph
from hcpgraph.declaring.sources import Look, Sources
from hcpgraph.importing import imports_now

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "alpha/__init__.py": "",
    "alpha/top.py": "from typing import TYPE_CHECKING\nfrom . import near\nfrom .deep import leaf\n"
    "if TYPE_CHECKING:\n    from . import shown\n\ndef late():\n    import alpha.lazy\n",
    "alpha/near.py": "import numpy\nimport beta.help as help\nTABLE = 'table.json'\nTEXTS = 'texts'\n",
    "alpha/shown.py": "",
    "alpha/lazy.py": "import alpha.top\nfrom hcpgraph import Context\nfrom hcpgraph.rng import stream_seed\n",
    "alpha/apart.py": "",
    "alpha/table.json": "{}",
    "alpha/texts/en.txt": "one",
    "alpha/deep/__init__.py": "from ..root import up\n",
    "alpha/deep/leaf.py": "import json\n",
    "alpha/root.py": "up = 1\n",
    "beta/help.py": "",
}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def names(module, sources=None):
    return {part.name for part in Look(sources or Sources()).closure(module)}


def test_imports_are_followed_wherever_they_stand(tree):
    assert names("alpha.top") == {
        *("alpha", "alpha.top", "alpha.near", "alpha.lazy", "alpha.deep", "alpha.deep.leaf", "alpha.root"),
        *("alpha.near:table.json", "alpha.near:texts/en.txt", "beta.help", "hcpgraph.rng"),
    }


@pytest.mark.parametrize(
    "edited", ["alpha/near.py", "alpha/lazy.py", "alpha/table.json", "alpha/texts/en.txt", "beta/help.py"]
)
def test_an_edit_changes_those_that_stand_on_the_file_and_nothing_else(tree, edited):
    sources = Sources(tree / "kept.json")
    before = {name: dict(Look(sources).closure(name)) for name in ("alpha.top", "alpha.apart", "alpha.deep.leaf")}
    sources.keep()
    with (tree / edited).open("a") as file:
        file.write("\n")
    for known in (sources, Sources(tree / "kept.json"), Sources()):
        after = {name: dict(Look(known).closure(name)) for name in before}
        assert {name for name in before if before[name] != after[name]} == {"alpha.top"}


def test_a_new_file_that_was_named_before_is_seen(tree):
    sources = Sources()
    (tree / "beta" / "help.py").write_text("import beta.more\n")
    assert "beta.more" not in names("alpha.near", sources)
    (tree / "beta" / "more.py").write_text("")
    assert "beta.more" in names("alpha.near", sources)


def test_what_was_edited_after_its_import_is_known(tree):
    sources = Sources()
    look = Look(sources)
    parts = dict(look.closure("alpha.root"))
    (part,) = [part for part in parts if part.name == "alpha.root"]
    assert sources.runs(part, parts[part])
    import alpha.root  # noqa: F401 - the module that is edited below

    assert sources.runs(part, parts[part])
    (tree / "alpha" / "root.py").write_text("up = 2\n")
    fresh = dict(Look(sources).closure("alpha.root"))
    assert not sources.runs(part, parts[part]) and not sources.runs(part, fresh[part])
    imports_now("alpha.root")
    assert sources.runs(part, fresh[part])
    for name in ("alpha.root", "alpha"):
        sys.modules.pop(name)


def test_every_file_that_our_packs_read_belongs_to_a_module():
    """A data file that no closure holds would serve stale results when it is edited."""
    folder = ROOT / "nodes" / "hcpgraph_nodes"
    look = Look(Sources())
    modules = [".".join(path.relative_to(folder.parent).with_suffix("").parts) for path in folder.rglob("*.py")]
    found = {part.path for name in modules for part in look.closure(name)}
    data = {path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".typed", ".pyc")}
    for_people = {"locales/zh-CN.json", "error_codes.toml"}
    assert {path.relative_to(folder).as_posix() for path in data - found} == for_people
    assert len(found) > 200


def test_one_function_names_a_file_as_it_is_now():
    """Times of files say how old something is; what a file holds is named by `fingerprint.stamp` alone."""
    for_people = {
        "server/queue/history.py",
        "server/http/watch.py",
        "server/http/files.py",
        "server/http/routes_graphs.py",
        "cli/resume.py",
        "planning/records.py",
    }
    found = set()
    for base in ("hcpgraph", "nodes"):
        for path in (ROOT / base).rglob("*.py"):
            used = {node.attr for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, ast.Attribute)}
            if used & {"st_mtime", "st_mtime_ns", "st_ctime", "st_ctime_ns", "getmtime"}:
                found.add(path.relative_to(ROOT / base).as_posix())
    assert found - for_people == {"fingerprint.py", "importing.py"}


SCRIPT = """
import json, sys
from pathlib import Path
import hcpgraph
from hcpgraph.checking.analyse import analyse, default_roots
from hcpgraph.planning.demand import bodies
from hcpgraph.fingerprint import Fingerprints
from hcpgraph.planning.cache_keys import keys

tree, workspace, graph = map(Path, sys.argv[1:])
assert Path(hcpgraph.__file__).is_relative_to(tree)
roots = default_roots(workspace)
found = analyse(hcpgraph.load(graph), hcpgraph.default_registry(), roots)
assert all(Path(pack.folder).is_relative_to(tree) for pack in found.registry.packs.values())

def now():
    return keys(found, bodies(found), roots, environment="e=1", seed=0, fingerprints=Fingerprints()).of

before, told = now(), {}
for edited in ("nodes/hcpgraph_nodes/families/sd15.py", "nodes/hcpgraph_nodes/plugins/blocks/lora.py", "hcpgraph/rng.py",
               "hcpgraph/running/step.py", "nodes/hcpgraph_nodes/data/sources/emoji_groups.json", "hcpgraph/errors.py"):
    with (tree / edited).open("a") as file:
        file.write("\\n")
    after = now()
    told[edited] = [id for id in before if before[id] != after[id]]
    before = after
print(json.dumps(told))
assert "torch" not in sys.modules
"""


@pytest.mark.slow
def test_an_edit_of_ours_runs_its_readers_again_and_nothing_else(tmp_path):
    for name in ("hcpgraph", "nodes"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("static*", "__pycache__"))
    g = hcpgraph.Graph()
    g.add("model.new", "small", family="sd15")
    g.add("model.new", "large", family="sdxl")
    g.add("vae.load", "vae", path="builtin:emoji/vae", family="sd15")
    for name in ("small", "large"):
        g.add("plugin.lora", f"{name}_lora", layers=["re:.*attn.*"])
        g.connect(f"{name}.denoiser", f"{name}_lora.model")
    g.add("data.openmoji", "emoji")
    g.add("text.prompt", "prompt", texts=["a cat"])
    g.add("sample.empty_latents", "empty")
    g.connect("small.vae", "empty.vae")
    g.add("noise.gaussian", "noise")
    g.connect("empty.out", "noise.latents")
    g.add("train.loop", "train")
    g.save(tmp_path / "graph.json")
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), str(tmp_path / "ws"), str(tmp_path / "graph.json")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (tmp_path, tmp_path / "nodes")))}
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    told = {name.rpartition("/")[2]: set(ids) for name, ids in json.loads(done.stdout).items()}
    assert told == {
        "sd15.py": {"small", "vae", "small_lora", "empty", "noise"},
        "lora.py": {"small_lora", "large_lora"},
        "rng.py": {"small", "large", "small_lora", "large_lora", "empty", "noise", "train"},
        "step.py": {"train"},
        "emoji_groups.json": {"emoji"},
        "errors.py": set(),
    }
