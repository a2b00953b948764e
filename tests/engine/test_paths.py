"""`root:relative` paths are resolved and contained (DESIGN §8)."""

import pytest

from hcpgraph import GraphError
from hcpgraph.paths import Roots


@pytest.fixture
def roots(tmp_path):
    (tmp_path / "ws" / "data" / "sub").mkdir(parents=True)
    (tmp_path / "ws" / "data" / "sub" / "a.txt").write_text("a")
    (tmp_path / "secret.txt").write_text("s")
    return Roots(tmp_path / "ws", {"out": tmp_path / "elsewhere"})


def test_names_resolve_below_their_root(roots, tmp_path):
    assert roots.resolve("data:sub/a.txt") == (tmp_path / "ws/data/sub/a.txt").resolve()
    assert roots.resolve("data:sub\\a.txt") == roots.resolve("data:sub/a.txt")
    assert roots.resolve("data:") == roots.root("data")
    assert roots.resolve("out:x.png", must_exist=False) == (tmp_path / "elsewhere/x.png").resolve()
    assert roots.resolve("data:..name", must_exist=False).name == "..name"


@pytest.mark.parametrize(
    "uri",
    ["data:../x", "data:a/../../x", "data:/etc/passwd", "data:C:/x", "data:\\\\host\\x", "data:a\0b", "/etc/passwd", "a.txt",
     "nowhere:x", "data:..\\x", "http://x", "", "data:\ud800"],
)  # fmt: skip
def test_what_leaves_its_root_is_refused(roots, uri):
    with pytest.raises(GraphError) as raised:
        roots.resolve(uri, must_exist=False)
    assert raised.value.problem.code == "E_PATH" and raised.value.problem.hint


def test_links_of_data_and_models_are_followed_for_reading_and_no_others(roots, tmp_path):
    """Only the user puts links into `data:` and `models:`; nothing is written through one."""
    for name in ("data", "models", "out", "cache", "runs"):
        folder = roots.root(name)
        folder.mkdir(exist_ok=True)
        (folder / "away").symlink_to(tmp_path)
        (folder / "ring").symlink_to(folder / "ring")
        for uri in (f"{name}:away/secret.txt", f"{name}:away"):
            if name in ("data", "models"):
                assert (
                    roots.resolve(uri, must_exist=False) == (tmp_path / uri.partition("away")[2].strip("/")).resolve()
                )
            else:
                with pytest.raises(GraphError, match="through a link"):
                    roots.resolve(uri, must_exist=False)
            for write in (roots.place, roots.free, lambda uri: roots.resolve(uri, must_exist=False, write=True)):
                with pytest.raises(GraphError, match="through a link") as raised:
                    write(uri)
                assert raised.value.problem.code == "E_PATH"
        with pytest.raises(GraphError):
            roots.resolve(f"{name}:ring")
    data = tmp_path / "ws" / "data"
    (data / "good").symlink_to(data / "sub")
    assert roots.resolve("data:good/a.txt") == (data / "sub" / "a.txt").resolve()


@pytest.mark.parametrize("uri", ["data:nothing", "data:sub/a.txt/b", "data:" + "x" * 255])
def test_missing_files_are_told(roots, uri):
    with pytest.raises(GraphError) as raised:
        roots.resolve(uri)
    assert raised.value.problem.code == "E_NOT_FOUND"


@pytest.mark.parametrize("uri", ["data:" + "x" * 256, "data:a/" + "字" * 86 + "/b", "out:" + "x" * 241])
def test_names_that_no_disk_takes_are_told(roots, uri):
    with pytest.raises(GraphError, match=r"has a name of 2.. bytes") as raised:
        roots.place(uri) if uri.startswith("out:") else roots.resolve(uri, must_exist=False)
    assert raised.value.problem.code == "E_PATH"


def test_the_file_that_was_meant_is_named(roots, tmp_path):
    (tmp_path / "ws/models").mkdir(exist_ok=True)
    for name in ("sd15", "sdxl.safetensors"):
        (tmp_path / "ws/models" / name).touch()
    for uri, meant in (
        ("models:sd", "models:sd15"),
        ("models:sdxl", "models:sdxl.safetensors"),
        ("data:sbu/a.txt", None),
        ("data:sub/b.txt", "data:sub/a.txt"),
        ("data:sub/a", "data:sub/a.txt"),
    ):
        with pytest.raises(GraphError) as raised:
            roots.resolve(uri)
        hint = raised.value.problem.hint
        assert hint.startswith(f"did you mean '{meant}'?") if meant else "did you mean" not in hint


def test_unknown_roots_are_suggested(roots):
    with pytest.raises(GraphError) as raised:
        roots.resolve("dta:x")
    assert raised.value.problem.hint == "did you mean 'data'?"


def test_uris_of_paths(roots, tmp_path):
    assert roots.uri(tmp_path / "ws/data/sub/a.txt") == "data:sub/a.txt"
    assert roots.uri(tmp_path / "elsewhere/deep/x.png") == "out:deep/x.png"
    assert roots.uri(tmp_path / "secret.txt") == "secret.txt"


def test_taken_names_get_a_number(roots, tmp_path):
    first = roots.free("out:deep/cat.png")
    assert first.parent.is_dir() and first.name == "cat.png"
    first.write_text("")
    assert roots.free("out:deep/cat.png").name == "cat-2.png"
    (first.parent / "cat-2.png").write_text("")
    assert roots.free("out:deep/cat.png").name == "cat-3.png"
    assert roots.free("out:deep/cat.png", overwrite=True) == first


def test_places_to_write_to(roots, tmp_path):
    """`out:` always, new weights in `models:`, other roots when they are allowed, the root itself never."""
    (tmp_path / "ws" / "models").mkdir()
    (tmp_path / "ws" / "models" / "a.safetensors").write_text("")

    def refused(roots, uri, **more):
        with pytest.raises(GraphError) as raised:
            roots.free(uri, **more)
        assert raised.value.problem.hint
        return raised.value.problem.code

    for uri in ("data:a.txt", "cache:a", "runs:a", "builtin:a", "models:a.png", "data:sub/../a"):
        assert refused(roots, uri) in ("E_WRITE", "E_PATH")
    assert refused(roots, "models:a.safetensors", weights=True, overwrite=True) == "E_WRITE"
    assert roots.free("models:a.safetensors", weights=True).name == "a-2.safetensors"
    assert roots.free("models:b.safetensors", weights=True, overwrite=True).name == "b.safetensors"
    more = roots.allowing(["data", "models"])
    assert more.free("data:sub/a.txt", overwrite=True).name == "a.txt"
    assert more.free("models:a.safetensors", weights=True, overwrite=True).name == "a.safetensors"
    assert refused(more, "cache:a") == refused(more, "builtin:a") == "E_WRITE"
    for uri in ("out:", "out:.", "data:"):
        assert refused(more, uri, overwrite=True) == "E_PATH"
    assert not (tmp_path / "ws" / "cache").exists(), "nothing is made for what is refused"
