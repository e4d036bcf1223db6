"""What every format keeps, found by walking weft/data/formats."""

import json
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
from made_formats import MADE, ROWS

from weft.core.errors import DataError, WeftError
from weft.core.media import Alternatives, Media
from weft.data.formats import Dataset, formats, missing_files, open_dataset, split_name, splits_of
from weft.data.formats._json_rows import row_json, row_of
from weft.data.policy import ErrorPolicy
from weft.data.sources import FilesConfig

KNOWN = ("train", "validation", "test")
BY_NAME = [name for name in MADE if name != "folder"]
"""Formats that know their files by name or suffix."""
OF_LINES = (
    *("csv", "jsonl", "folder", "flickr", "conceptual_captions"),
    *("easy_vqa", "easy_vqa_shapes", "snli_ve", "nlvr", "nlvr2", "esc50", "grid"),
    "cmu_mosi",
    *("audiocaps", "clotho", "librispeech", "common_voice"),
)
"""Formats whose rows are lines: a file that ends early is a shorter file."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder whose name has spaces and letters that are not Latin."""
    return tmp_path / "мои данные 图 É"


def test_every_format_is_in_the_suite() -> None:
    assert set(formats()) == set(MADE)
    assert len(formats()) == 29


@pytest.mark.parametrize("name", MADE)
def test_it_is_found_and_read_whole(root: Path, name: str) -> None:
    made = MADE[name]
    made.make(root)
    dataset = open_dataset(root, format=MADE[name].asked)
    assert len(dataset) == len(list(dataset)) == ROWS
    assert type(dataset) is type(open_dataset(root, format=name))
    samples = [dataset[n] for n in range(ROWS)]
    assert len({sample.id for sample in samples}) == ROWS
    for sample in samples:
        assert sample.id
        assert sample.group
        assert sample.source.startswith(f"{root}/")
        assert made.item in sample.items
    assert list(missing_files(samples)) == []
    with pytest.raises(IndexError):
        dataset[ROWS]


@pytest.mark.parametrize("name", MADE)
def test_splits_are_known_without_reading_rows(root: Path, name: str) -> None:
    MADE[name].make(root)
    dataset = open_dataset(root, format=MADE[name].asked)
    splits = splits_of(dataset)
    assert splits == [sample.items.get("split") for sample in dataset]
    for split in {split for split in splits if split is not None}:
        assert split in KNOWN
        assert split == split_name(split)
        part = open_dataset(root, format=MADE[name].asked, split=split)
        assert [s.id for s in part] == [
            s.id for s, own in zip(dataset, splits, strict=True) if own == split
        ]


@pytest.mark.parametrize("name", MADE)
def test_another_process_can_read_it(root: Path, name: str) -> None:
    MADE[name].make(root)
    dataset = open_dataset(root, format=MADE[name].asked)
    again = pickle.loads(pickle.dumps(dataset))
    assert [s.id for s in again] == [s.id for s in dataset]
    assert splits_of(again) == splits_of(dataset)


@pytest.mark.parametrize("name", MADE)
def test_pictures_are_media_and_texts_are_texts(root: Path, name: str) -> None:
    MADE[name].make(root)
    for sample in open_dataset(root, format=MADE[name].asked):
        assert isinstance(sample.items[MADE[name].item], Media)
        assert sample.items[MADE[name].item].kind in (MADE[name].kind or MADE[name].item, "file")
        assert not any(isinstance(value, bytes | Path) for value in sample.items.values())
        assert isinstance(sample.items.get("text", ""), str | Alternatives)


@pytest.mark.parametrize("name", MADE)
def test_no_picture_is_read_before_somebody_asks(
    root: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    MADE[name].make(root)

    def fail(self: Media) -> bytes:
        raise AssertionError(f"{self.place} was read")

    monkeypatch.setattr(Media, "load", fail)
    assert len(list(open_dataset(root, format=MADE[name].asked))) == ROWS


@pytest.mark.parametrize("name", MADE)
def test_rows_are_handed_to_workers_as_json(root: Path, name: str) -> None:
    MADE[name].make(root)
    for sample in open_dataset(root, format=MADE[name].asked):
        again = row_of(json.loads(json.dumps(row_json(sample))))
        assert (again.id, again.group, again.match) == (sample.id, sample.group, sample.match)
        item = MADE[name].item
        assert again.items[item].read() == sample.items[item].read()


@pytest.mark.parametrize("name", MADE)
def test_a_damaged_row_goes_the_way_of_the_policy(
    root: Path, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    made = MADE[name]
    made.make(root)
    ids = {sample.id for sample in open_dataset(root, format=MADE[name].asked)}
    table = root / made.table
    made.damage(table)
    with pytest.raises(DataError) as raised:
        FilesConfig(root, format=MADE[name].asked).open(None)
    assert re.match(re.escape(str(table)) + r"(:.+)?: ", str(raised.value))
    assert "\n" not in str(raised.value)
    left = FilesConfig(root, format=MADE[name].asked).open(None, ErrorPolicy("skip", limit=0.5))
    assert len(left) == ROWS - 1
    assert {sample.id for sample in left} < ids
    assert f"left out: {table}" in caplog.text
    with pytest.raises(WeftError, match="more than the limit of 1.0%"):
        FilesConfig(root, format=MADE[name].asked).open(None, ErrorPolicy("skip", limit=0.01))
    quarantine = ErrorPolicy("quarantine", folder=tmp_path / "kept", limit=0.5)
    assert len(FilesConfig(root, format=MADE[name].asked).open(None, quarantine)) == ROWS - 1
    first, *_ = (tmp_path / "kept" / "errors.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(first)["source"] == raised.value.source


@pytest.mark.parametrize("name", MADE)
def test_an_empty_file_is_named(root: Path, name: str) -> None:
    made = MADE[name]
    made.make(root)
    (root / made.table).write_bytes(b"")
    with pytest.raises(WeftError) as raised:
        list(open_dataset(root, format=name))
    assert str(root) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("name", MADE)
def test_what_a_truncated_file_lacks_is_named(root: Path, name: str, share: float) -> None:
    """No row is made up, and none is lost in silence but those of lines that are not there."""
    made = MADE[name]
    made.make(root)
    whole = words(open_dataset(root, format=MADE[name].asked))
    table = root / made.table
    data = table.read_bytes()
    table.write_bytes(data[: int(share * len(data))])
    errors: list[DataError] = []
    said = None
    try:
        left = words(open_dataset(root, format=name, on_error=errors.append))
    except WeftError as error:
        said = str(error)
    if said is not None:
        assert str(root) in said
        assert "\n" not in said
        return
    assert left.keys() <= whole.keys()
    assert len([key for key in left if left[key] != whole[key]]) <= 1
    if name not in OF_LINES:
        assert errors or left == whole


def words(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """Id -> what can be compared of its items."""
    return {
        sample.id: {
            key: value for key, value in sample.items.items() if not isinstance(value, Media)
        }
        for sample in dataset
    }


@pytest.mark.parametrize("name", BY_NAME)
def test_names_in_capitals(root: Path, name: str) -> None:
    made = MADE[name]
    made.make(root)
    ids = [sample.id for sample in open_dataset(root, format=MADE[name].asked)]
    for file in [root / made.table, *root.glob("*.*")]:
        if file.is_file():
            file.rename(file.with_name(file.name.upper()))
    found = [sample.id for sample in open_dataset(root, format=MADE[name].asked)]
    assert len(found) == ROWS
    if name != "conceptual_captions":  # ids hold the name of the table
        assert [one.casefold() for one in found] == [one.casefold() for one in ids]
