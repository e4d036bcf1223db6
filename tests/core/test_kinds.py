"""One place says which kinds of media there are; formats and recipes follow it."""

import json
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from weft.core.config import from_json
from weft.core.kinds import COLUMN_KINDS, NOUNS, SUFFIXES, Kind, kind_of, suffix_of
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.formats import open_dataset
from weft.data.formats._tar_writer import write_shard
from weft.data.sources import FilesConfig

KINDS = get_args(Kind)


def test_kinds_by_suffix() -> None:
    assert {kind_of(f"a.b.{s.upper()}") for s in SUFFIXES["image"]} == {"image"}
    assert [kind_of(n) for n in ("a.wav", "a.MP4", "a.npy", "a.bin", "a", ".jpg", "")] == [
        *("audio", "video", "array", "file", "file", "file", "file")
    ]
    assert (suffix_of("x/y.TAR.GZ"), suffix_of("x.d/y")) == ("gz", "")


def test_every_kind_has_a_noun_and_all_but_unknown_files_have_suffixes() -> None:
    assert set(NOUNS) == set(KINDS) == {*SUFFIXES, "file"}
    assert len(set(NOUNS.values())) == len(NOUNS)
    assert all(kind_of(f"x.{suffix}") == kind for kind in SUFFIXES for suffix in SUFFIXES[kind])


@pytest.mark.parametrize("kind", [*KINDS, "text"])
def test_a_recipe_may_say_of_a_column_that_it_is_of_any_kind(kind: str) -> None:
    values = {"class": f"{FilesConfig.__module__}.FilesConfig", "path": "x", "columns": {"a": kind}}
    source = from_json(values, FilesConfig, "recipe.json")
    assert source.said().kinds == {"a": kind}
    former = {**values, "kinds": values.pop("columns")}
    assert from_json(former, FilesConfig, "recipe.json") == source


@pytest.mark.parametrize("kind", COLUMN_KINDS)
def test_tables_shards_and_parquet_know_a_column_called_after_a_kind(
    kind: Kind, tmp_path: Path
) -> None:
    name = f"x.{SUFFIXES[kind][0]}"
    (tmp_path / name).write_bytes(b"content")
    rows = [{f"{kind}_path": name, "text": "a text"}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = open_dataset(tmp_path / "rows.jsonl")
    media = Media.encoded(b"content", kind, SUFFIXES[kind][0])
    write_shard([Sample("a", "a", {kind: media}, "made:1")], tmp_path / "a.tar")
    file = pa.table({"called": [b"content"], "text": ["a text"]})
    features = {"called": {"_type": kind.capitalize()}}
    told = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    pq.write_table(file.replace_schema_metadata(told), tmp_path / "told.parquet")
    pq.write_table(file.rename_columns([kind, "text"]), tmp_path / "named.parquet")
    for found in (
        table[0].items[kind],
        open_dataset(tmp_path / "a.tar")[0].items[kind],
        open_dataset(tmp_path / "named.parquet")[0].items[kind],
        next(v for v in open_dataset(tmp_path / "told.parquet")[0].items.values() if v != "a text"),
    ):
        assert isinstance(found, Media)
        assert (found.kind, found.load()) == (kind, b"content")
