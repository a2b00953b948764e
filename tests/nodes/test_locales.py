"""The Chinese texts of the nodes: complete, really Chinese, true to names and code; how a pack's locale is read."""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hcpgraph
from hcpgraph.declaring.manifest import manifest
from hcpgraph.declaring.pack import Pack, from_folder
from hcpgraph.declaring.registry import Registry
from hcpgraph.document import templates
from hcpgraph.document.reading import load
from hcpgraph.server.helpers import locales

PURE_NAMES = {"AdamW", "ControlNet", "EMA", "LoHa", "LoKr", "LoRA", "Python", "UNet", "VAE"}
SYMBOLS = {"a", "b", "beta", "beta1", "beta2", "eps", "eta", "gamma", "rho"}  # of formulas
ORDINARY = {"empty", "batch", "channels", "mean", "sum"}  # options that the English texts also use as plain words
GLOSSARY = (Path(__file__).resolve().parents[2] / "docs/zh-CN/glossary.md").read_text(encoding="utf-8")
HAN = r"[\u4e00-\u9fff]"

CODE = re.compile(r"`[^`]+`")
NAMES = re.compile(
    r"\{\w+\}"  # slots
    r"|https?://[^\s，。；）)]+[^\s，。；）).,]"
    r"|[A-Za-z_]\w*(?:[.:][A-Za-z_][\w-]*)+"  # data.loader, torch.nn:SmoothL1Loss, re:PATTERN, models:sd15
    r"|(?<![\w.])[A-Za-z]+(?:_\w+)+"  # v_prediction
    r"|\((?:[^\s(),]+, ?)*[A-Z0-9],[^()]*\)"  # shapes
    r"|\d+(?:[.,]\d+)*"
)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return hcpgraph.default_registry()


@pytest.fixture(scope="module")
def pack(registry) -> Pack:
    return registry.packs["hcpgraph_nodes"]


@pytest.fixture(scope="module")
def english(registry, pack) -> dict[str, str | dict[str, str]]:
    """What a locale file of the pack should have, under its keys."""
    texts: dict[str, str | dict[str, str]] = {}
    for id, spec in sorted(registry.specs.items()):
        if spec.pack == pack.name:
            texts[f"category:{id.partition('.')[0]}"] = id.partition(".")[0].replace("_", " ")
            texts |= locales.english(spec.drawn())
    texts |= {f"label:{name}": name.replace("_", " ") for name in inputs_of_graphs(registry)}
    return texts | {f"type:{info['name']}": info["help"] for info in manifest(pack)["types"] if info["help"]}


@pytest.fixture(scope="module")
def chinese(pack) -> dict[str, str | dict[str, str]]:
    return json.loads((pack.folder / "locales/zh-CN.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pairs(english, chinese) -> dict[str, tuple[str, str]]:
    """Key, or key and part of a node -> English and Chinese text, for those that are in both."""
    left, right = flat(english), flat(chinese)
    return {key: (left[key], right[key]) for key in left.keys() & right.keys()}


def flat(texts):
    return {
        key if part is None else f"{key} ({part})": text
        for key, value in texts.items()
        for part, text in (value.items() if isinstance(value, dict) else [(None, value)])
    }


def inputs_of_graphs(registry) -> set[str]:
    """What the graphs that ship let people set: their inputs, and of their subgraphs those that are settings."""
    found: set[str] = set()
    for path in templates.names().values():
        graph = load(path)
        found |= set(graph.interface.inputs)
        for body in graph.graphs.values():
            for name, targets in body.interface.inputs.items():
                node, _, port = targets[0].partition(".")
                spec = registry.specs.get(body.nodes[node].type)
                found |= {name} if spec and port in spec.settings else set()
    return found


def told(what: str, found: object) -> str:
    """A message that pytest does not shorten."""
    return f"\nnodes/hcpgraph_nodes/locales/zh-CN.json\n{what}: {json.dumps(found, ensure_ascii=False, indent=2)}"


def written_in(registry, key: str, text: str) -> set[str]:
    """Everything in an English text that no translation may change: code, names, shapes, numbers, option names."""
    text = " ".join(text.split())
    kept = set(CODE.findall(text)) | set(NAMES.findall(CODE.sub("", text)))
    spec = registry.specs.get(re.split("[: ]", key)[0])
    schemas = spec.settings.values() if spec else []
    options = {str(option) for schema in schemas for option in schema.get("enum", [])} - ORDINARY
    return kept | {option for option in options if re.search(rf"\b{option}\b", text)}


def test_every_text_has_a_translation_and_no_translation_is_left_over(english, chinese):
    missing = flat(english).keys() - flat(chinese).keys()
    left_over = sorted(flat(chinese).keys() - flat(english).keys())
    to_add = {
        key: {part: text for part, text in value.items() if f"{key} ({part})" in missing}
        if isinstance(value, dict)
        else value
        for key, value in english.items()
        if any(name == key or name.startswith(f"{key} (") for name in missing)
    }
    changes = {"add, in Chinese": to_add, "remove": left_over}
    assert not missing and not left_over, told("terms are in docs/zh-CN/glossary.md", changes)


def test_no_text_is_left_in_english(pairs):
    kept = {term.lower() for term in re.findall(r"`([^`]+)`", GLOSSARY.split("## 译名")[0])} | SYMBOLS
    untranslated = [
        key
        for key, (_, text) in pairs.items()
        if not re.search(HAN, text) and text not in PURE_NAMES and not (key.startswith("label:") and text in kept)
    ]
    assert not untranslated, told("translate these, or add a pure name to PURE_NAMES", untranslated)
    half = {key: text for key, (_, text) in pairs.items() if re.search(r"(\b[a-z]+\b ){4}", CODE.sub("", text))}
    assert not half, told("these contain a piece of an English sentence", half)


def test_code_slots_names_shapes_numbers_and_options_survive(registry, pairs):
    lost = {
        key: sorted(gone)
        for key, (source, text) in pairs.items()
        if (gone := {part for part in written_in(registry, key, source) if part not in text})
    }
    assert not lost, told("the Chinese text of these keys lacks what its English text has", lost)


def test_texts_follow_the_glossary(pairs):
    kept, table = GLOSSARY.split("## 保留英文")[1].split("## 译名")
    terms = re.findall(r"`([^`]+)`", kept.partition("设置项")[0])
    avoided = [word for row in re.findall(r"^\|.*\| (.+) \|$", table, re.MULTILINE)[1:] for word in row.split("、")]
    assert "LoRA" in terms and "提示语" in avoided
    wrong = {}
    for key, (source, text) in pairs.items():
        source, text = (NAMES.sub("", CODE.sub("", part)) for part in (source, text))
        dropped = [
            term
            for term in terms
            if re.search(rf"(?<![\w-]){term}s?(?![\w-])", source, re.IGNORECASE) and term.lower() not in text.lower()
        ]
        if found := dropped + [word for word in avoided if word in text]:
            wrong[key] = found
    assert not wrong, told("terms that docs/zh-CN/glossary.md keeps in English, or words that it avoids", wrong)


def test_punctuation_and_spacing_are_chinese(pairs):
    loose = re.compile(rf"{HAN}[,;:?!(]|[,;:?!)]{HAN}|{HAN}[A-Za-z0-9`]|[A-Za-z0-9`]{HAN}")
    wrong = {key: found[0] for key, (_, text) in pairs.items() if (found := loose.search(text))}
    assert not wrong, told("full-width punctuation, a space between Chinese and Latin letters (glossary.md)", wrong)
    ends = [
        key
        for key, (source, text) in pairs.items()
        if source.rstrip()[-1] == "." and not re.search(r"[。…”/]$|https?://\S+$", text)
    ]
    assert not ends, told("a sentence ends with 。", ends)


def test_localized_changes_the_texts_and_nothing_else(registry, pack, chinese):
    for spec in registry.specs.values():
        source = spec.to_json()
        before = copy.deepcopy(source)
        result = locales.localized(source, pack, "zh-CN")
        assert source == before, "the given data was changed"
        source = before  # of our own: the spec shares its schema with its JSON data
        expected = {chinese[key] if key.startswith("group:") else key: chinese[key] for key in locales.english(source)}
        found = locales.english(result)
        assert {text if key.startswith("group:") else key: text for key, text in found.items()} == expected
        assert (result.pop("title_en"), result.pop("help_en")) == (spec.title, spec.help)
        places = [(result, part) for part in locales.PARTS]
        others = [(source, part) for part in locales.PARTS]
        for data, found in ((result, places), (source, others)):
            found += [(port, "help") for side in ("inputs", "outputs", "entries", "exits") for port in data[side]]
            for setting in data["schema"].get("properties", {}).values():
                found += [(setting, "description"), (setting, "title"), (setting.get("x-widget", {}), "group")]
        for holder, name in places + others:
            holder.pop(name, None)
        assert result == source, spec.id


def test_an_output_named_like_an_input_has_a_text_of_its_own(registry, pack):
    lora = locales.localized(registry.specs["plugin.lora"].to_json(), pack, "zh-CN")
    helps = {side: {port["name"]: port["help"] for port in lora[side]} for side in ("inputs", "outputs")}
    assert helps["inputs"]["model"] == "去噪网络、文本编码器、VAE 或 ControlNet。"
    assert helps["outputs"]["model"] == "挂上 LoRA 的模型。"


def test_categories_and_types_have_names(registry, pack):
    ids = {id.partition(".")[0] for id, spec in registry.specs.items() if spec.pack == pack.name}
    names = locales.categories(pack, "zh-CN")
    assert names.keys() == ids
    assert names["data"] == "数据"
    info = registry.types["Noise"].to_json()
    assert locales.localized_type(info, pack, "zh-CN") == {**info, "help": "高斯噪声 (B, C, h, w)。"}


@pytest.mark.parametrize("language", ["en", "fr", "../locales/zh-CN", "", "zh-CN\0"])
def test_a_language_that_is_not_there_gives_english(language, registry, pack, chinese):
    source = registry.specs["data.folder"].to_json()
    result = locales.localized(source, pack, language)
    assert (result.pop("title_en", "Folder"), result.pop("help_en", source["help"])) == ("Folder", source["help"])
    assert result.pop("also") == [chinese["data.folder"]["title"]], "the titles of other languages can be searched"
    assert result == source
    assert locales.categories(pack, language) == {}


def test_the_languages_of_a_pack_are_its_files(pack, tmp_path):
    assert locales.languages(pack) == ["zh-CN"]
    assert locales.problems(pack) == []
    assert locales.languages(from_folder(tmp_path)) == []
    (tmp_path / "locales").mkdir()
    for name in ("de.json", "pt-BR.json", "en.json", "notes.txt", "not a language.json"):
        (tmp_path / "locales" / name).write_text("{}", encoding="utf-8")
    assert locales.languages(from_folder(tmp_path)) == ["de", "pt-BR"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"data.folder": {"title": ', "not JSON"),
        (b"\xff\xfe\x00", "utf-8"),
        (b"[]", "no JSON object"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested"),
        (b'{"data.folder:path": "eins", "data.folder:path": "zwei"}', "twice"),
        (b'{"data.folder:path": ["Ordner"]}', "'data.folder:path' must be a text"),
        (b'{"data.folder": "Ordner"}', "'data.folder' must be an object"),
        (b'{"data.folder": {"tilte": "Ordner"}}', "'data.folder' must be an object"),
    ],
)
def test_a_broken_file_is_a_problem_and_its_good_texts_are_used(content, reason, registry, tmp_path):
    folder = tmp_path / "locales"
    folder.mkdir()
    (folder / "de.json").write_bytes(content)
    pack = from_folder(tmp_path)
    source = registry.specs["data.folder"].to_json()
    assert locales.localized(source, pack, "de")["title"] == "Folder"
    (problem,) = locales.problems(pack)
    assert (problem.code, problem.severity) == ("E_LOCALE", "warning")
    assert reason in problem.message and str(folder / "de.json") in problem.message
    if content.endswith(b"}") and reason.startswith("'"):
        (folder / "de.json").write_bytes(b'{"data.folder:recursive": "Auch tiefer?", ' + content[1:])
        recursive = locales.localized(source, pack, "de")["schema"]["properties"]["recursive"]
        assert recursive["description"] == "Auch tiefer?"


def test_a_folder_in_the_place_of_a_file_is_a_problem(tmp_path):
    (tmp_path / "locales/de.json").mkdir(parents=True)
    assert [problem.code for problem in locales.problems(from_folder(tmp_path))] == ["E_LOCALE"]


def test_an_edited_file_is_read_again(registry, tmp_path):
    pack, source = from_folder(tmp_path), registry.specs["data.folder"].to_json()
    file = tmp_path / "locales/de.json"
    file.parent.mkdir()
    for title in ("Ordner", "Bilderordner"):
        file.write_text(json.dumps({"data.folder": {"title": title}}), encoding="utf-8")
        result = locales.localized(source, pack, "de")
        assert (result["title"], result["help"]) == (title, source["help"])


def test_reading_texts_needs_no_torch():
    code = "import sys, hcpgraph.server.helpers.locales; assert 'torch' not in sys.modules and 'hcpgraph_nodes' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_palette_has_a_name_for_every_category(language, registry):
    texts = json.loads((Path(__file__).resolve().parents[2] / f"web/src/i18n/{language}/shell.json").read_text("utf-8"))
    own = {id.partition(".")[0] for id, spec in registry.specs.items() if spec.pack == "hcpgraph_nodes"}
    assert {name for name in own if f"shell.category.{name}" not in texts} == set()
