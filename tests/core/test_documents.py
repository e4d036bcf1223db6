"""JSON and YAML of any kind are read, or one short line says in which file and line they are wrong."""

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.core import documents
from weft.core.documents import CHECKSUM, parse_json, parse_yaml, read_mapping, write_checked
from weft.core.errors import WeftError

ALIASES = "\n".join(
    ["a: &a [x,x,x,x,x,x,x,x,x,x]"]
    + [f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 10)}]" for n in range(9)]
)
BAD_YAML = {
    "two.yaml:2: the key '2' is no string": "a: 1\n2: b\n",
    "the key '~' is no string": "a: {~: 1}\n",
    "the key 'yes' is no string": "yes: 1\n",
    "the key of a mapping is no string": "? [a]\n: 1\n",
    "the key 'run' stands twice": "run: 1\ndata: 2\nrun: 3\n",
    "is nested more than 64 deep": "a: " + "{a: " * 2000 + "1" + "}" * 2000,
    "holds more than 100,000 values": ALIASES,
    "the alias *a stands for nothing": "a: &a [*a]\n",
    "two.yaml:1: is not YAML: found undefined alias": "a: *b",
    "could not determine a constructor": "a: !!python/object/apply:os.system [ls]\n",
    "is not YAML that can be read": "a: 2020-13-45\n",
    "is not YAML": "a: [\n",
}
BAD_JSON = {
    "two.json:2: is not JSON": '{"a":\n}',
    "is not UTF-8": b'{"a": "\xff"}',
    "is nested more than 64 deep": "[" * 65 + "]" * 65,
    "more than 64 deep": '{"a":' * 200_000 + "1" + "}" * 200_000,
    "the key 'a' stands twice": '{"b": {"a": 1, "a": 2}}',
    "is not JSON that can be read": '{"a": 1' + "0" * 5000 + "}",
}


@pytest.mark.parametrize("message", BAD_YAML)
def test_bad_yaml_is_one_short_line_at_once(message: str, tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(BAD_YAML[message])
    start = time.process_time()
    with pytest.raises(WeftError) as error:
        read_mapping(path)
    said = str(error.value)
    # libyaml and PyYAML name an undefined alias at different moments.
    either = ("found undefined alias", "stands for nothing")
    assert message in said or (message.endswith(either[0]) and either[1] in said)
    assert len(said) < 300 + len(str(path))
    assert "\n" not in said
    assert time.process_time() - start < 10


@pytest.mark.parametrize("message", BAD_JSON)
def test_bad_json_is_one_short_line(message: str) -> None:
    with pytest.raises(WeftError) as error:
        parse_json(BAD_JSON[message], "two.json")
    assert message in str(error.value)
    assert len(str(error.value)) < 200


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(), values, max_size=4).filter(lambda d: "#checksum" not in d))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, value: dict) -> None:
    path = tmp_path_factory.mktemp("written") / "x.json"
    write_checked(path, value)
    assert read_mapping(path) == value


def test_aliases_and_nesting_within_the_limits_are_read() -> None:
    assert parse_yaml("a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]\n", "x") == {
        "a": {"x": 1},
        "b": {"x": 1, "y": 2},
        "c": [{"x": 1}, {"x": 1}],
    }
    assert parse_json("[" * 64 + "]" * 64, "x")


def test_every_changed_character_of_a_checked_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_checked(path, {"heads": 4, "words": ["a", "b"]})
    whole = path.read_text()
    name = (whole.index(CHECKSUM), whole.index(CHECKSUM) + len(CHECKSUM))
    for place in range(len(whole)):
        if whole[place].isspace() or place in range(*name):  # renamed, it is not there
            continue
        path.write_text(whole[:place] + ("1" if whole[place] != "1" else "2") + whole[place + 1 :])
        with pytest.raises(WeftError, match=r"x\.json"):
            read_mapping(path)


def test_a_checksum_survives_indents_and_the_order_of_keys(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_checked(path, {"b": 1.5, "a": "é"})
    path.write_text(json.dumps(json.loads(path.read_text()), indent=3, sort_keys=True))
    assert read_mapping(path) == {"b": 1.5, "a": "é"}


@pytest.mark.parametrize("name", ["x.json", "x.yaml"])
def test_files_that_are_none(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / name
    with pytest.raises(WeftError, match="no such file"):
        read_mapping(path)
    os.mkfifo(path)
    with pytest.raises(WeftError, match="expected a file"):
        read_mapping(path)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(WeftError, match="expected a file"):
        read_mapping(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(WeftError, match="expected a file"):
        read_mapping(path)
    path.rmdir()
    path.write_text('{"a": 1}')
    monkeypatch.setattr(documents, "LARGEST_YAML", 7)
    with pytest.raises(WeftError, match="more than the limit of 7 bytes"):
        read_mapping(path, 7)
