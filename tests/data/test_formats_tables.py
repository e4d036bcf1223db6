"""CSV and parquet tables."""

import datetime
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from weft.core.errors import DataError, WeftError
from weft.core.media import Alternatives, Media
from weft.data.formats import open_dataset
from weft.data.formats._json_rows import row_json, row_of


def jpeg(value: int = 0) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(out, "JPEG")
    return out.getvalue()


def message(path: Path, **options: Any) -> str:
    with pytest.raises(WeftError) as raised:
        list(open_dataset(path, **options))
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_csv_rows_of_one_picture_keep_their_group(tmp_path: Path) -> None:
    path = tmp_path / "captions.csv"
    path.write_text(
        '\ufeffimage,caption,split,license\na.jpg,"A dog, running",train,CC\na.jpg,"two\nlines",train,\n'
        "b.jpg,,val,x\n",
        encoding="utf-8",
    )
    one, two, three = open_dataset(tmp_path)
    assert one.items == {
        "image": Media.file(tmp_path / "a.jpg"),
        "text": "A dog, running",
        "split": "train",
        "license": "CC",
    }
    assert (one.id, two.id, three.id) == ("a.jpg", "a.jpg#1", "b.jpg")
    assert one.group == two.group == "a.jpg"
    assert two.items["text"] == "two\nlines"
    assert [s.source for s in (one, two, three)] == [f"{path}:{line}" for line in (2, 3, 5)]
    assert "text" not in three.items  # an empty cell: the row has none
    assert "license" not in two.items
    assert [s.id for s in open_dataset(path, split="dev")] == ["b.jpg"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"image,text,text\n", r"t.csv:1: has the column 'text' twice, expected each once"),
        ("image,größe\n".encode("cp1252"), r"t.csv:1: is not UTF-8 text: --encoding cp1252 reads"),
    ],
)
def test_a_header_that_cannot_be_read(tmp_path: Path, header: bytes, expected: str) -> None:
    (tmp_path / "t.csv").write_bytes(header + b"a.jpg,one,two\n")
    with pytest.raises(DataError, match=expected):
        open_dataset(tmp_path / "t.csv")


@pytest.mark.parametrize("name", ["id", "group", "match", "split"])
def test_what_a_row_says_of_itself_is_a_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps({"image": "a.jpg", "text": "a", name: ["b"]}) + "\n")
    with pytest.raises(DataError, match=rf"t.jsonl:1: column '{name}' holds \['b'\], expected"):
        open_dataset(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.tsv", "filepath\tsentence\na.jpg\ta, b; c\n"),
        ("t.csv", 'filepath;sentence\na.jpg;"a, b; c"\n'),
        ("results.csv", "image_name| comment_number| comment\na.jpg| 0| a, b; c\n"),
        ("captions.txt", 'image,caption\na.jpg,"a, b; c"\n'),
    ],
)
def test_csv_dialects(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    (tmp_path / "Images").mkdir()
    (tmp_path / "Images" / "a.jpg").write_bytes(jpeg())
    (sample,) = open_dataset(tmp_path)
    assert sample.items["text"] == "a, b; c"
    assert sample.items["image"].path == tmp_path / "Images" / "a.jpg"
    assert open_dataset(tmp_path / name)[0].items == sample.items


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image,text\na.jpg,b\nc.jpg\n", ":3: has 1 cells, expected 2: image, text"),
        ('image,text\na.jpg,b\nc.jpg,"d"e\nf.jpg,g\n', ":3: is not a table row:"),
        ("id,text\n1,a\n2,b\n1,c\n", ":4: id '1' is already used at {path}:2"),
        ("id,text\n1,a\n2,\xff\n", ":3: is not UTF-8 text"),
        ("id,text\n", ": holds no rows: it has only a header, 'id,text'"),
        ("", ": holds no rows: it is empty (0 bytes)"),
        (" \n\n", ": holds no rows: all its lines are blank"),
    ],
)
def test_csv_errors_name_file_and_line(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode("latin-1"))
    assert message(path).startswith(str(path) + expected.replace("{path}", str(path)))


def test_csv_rows_after_a_bad_one_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('image,text\na.jpg,b\nc.jpg,"d"e\nf.jpg,g\n')
    errors: list[DataError] = []
    assert [s.items["text"] for s in open_dataset(path, on_error=errors.append)] == ["b", "g"]
    assert [e.source for e in errors] == [f"{path}:3"]


def test_two_kinds_of_table_in_one_folder_ask_for_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\nx\n")
    (tmp_path / "a.jsonl").write_text('{"text": "y"}\n')
    assert "fits several formats, csv and jsonl: name one (format)" in message(tmp_path)
    assert open_dataset(tmp_path, format="csv")[0].items["text"] == "x"


def hugging_face(path: Path, rows: list[dict[str, Any]]) -> None:
    """As `datasets` writes it: image struct, class labels as numbers, names in the metadata."""
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    fields = [("image", image), ("caption", pa.list_(pa.string())), ("label", pa.int64())]
    features = {
        "image": {"_type": "Image"},
        "label": {"names": ["cat", "dog"], "_type": "ClassLabel"},
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    schema = pa.schema(fields, metadata=metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, row_group_size=3)


def test_parquet_as_hugging_face_writes_it(tmp_path: Path) -> None:
    rows = [
        {
            "image": {"bytes": jpeg(n), "path": f"{n // 2}.jpg"},
            "caption": [f"c{n}", "d"],
            "label": n % 2,
        }
        for n in range(8)
    ]
    hugging_face(tmp_path / "data" / "train-00000-of-00001.parquet", rows)
    hugging_face(tmp_path / "data" / "validation-00000-of-00001.parquet", rows[:2])
    dataset = open_dataset(tmp_path, split="train")
    assert len(dataset) == 8
    assert len(open_dataset(tmp_path)) == 10
    assert len({s.id for s in open_dataset(tmp_path)}) == 10
    for n in (7, 0, 4, 3):
        items = dataset[n].items
        assert items.pop("image").read() == jpeg(n)
        assert items == {
            "text": Alternatives([f"c{n}", "d"]),
            "label": ["cat", "dog"][n % 2],
            "split": "train",
        }
        assert dataset[n].source == f"{tmp_path}/data/train-00000-of-00001.parquet:{n}"
    with pytest.raises(IndexError):
        dataset[8]


def test_pictures_of_one_name_in_parquet_are_different_groups(tmp_path: Path) -> None:
    """Pushed image folders keep the bare file names: cat/0.png and dog/0.png are both 0.png."""
    shown = [(0, "0.png"), (255, "0.png"), (0, "again.png")]
    rows = [
        {"image": {"bytes": jpeg(value), "path": name}, "caption": ["c"], "label": 0}
        for value, name in shown
    ]
    hugging_face(tmp_path / "train.parquet", rows)
    one, two, again = open_dataset(tmp_path)
    assert one.group == again.group != two.group


@pytest.mark.parametrize("empty", ["", "  ", None])
def test_an_empty_cell_says_nothing_of_a_row(tmp_path: Path, empty: str | None) -> None:
    rows = [
        {"Text": f"t{n}", "ID": empty, "Group": empty, " Split": empty if n else "test"}
        for n in range(3)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    lines = [",".join(rows[0]), *(",".join(value or "" for value in row.values()) for row in rows)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    for name in ("a.parquet", "a.jsonl", "a.csv"):
        dataset = list(open_dataset(tmp_path / name))
        assert [s.items.get("split") for s in dataset] == ["test", None, None]
        assert len({s.group for s in dataset}) == len({s.id for s in dataset}) == 3
        assert dataset[0].items == {"text": "t0", "split": "test"}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_what_a_row_matches(tmp_path: Path, kind: str) -> None:
    """Its own picture, where picture and text stand together; a column `match` says otherwise."""
    rows = [
        {"image": "a.jpg", "text": "ta", "group": "p", "match": ""},
        {"image": "a.jpg", "text": "again", "group": "p", "match": ""},
        {"image": "b.jpg", "text": "tb", "group": "p", "match": ""},
        {"image": "c.jpg", "text": "tc", "group": "p", "match": "m"},
        {"image": "d.jpg", "text": "td", "group": "", "match": ""},
    ]
    path = tmp_path / f"t.{kind}"
    if kind == "csv":
        path.write_text("\n".join([",".join(rows[0]), *(",".join(r.values()) for r in rows)]))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    dataset = list(open_dataset(path))
    assert [s.group for s in dataset] == ["p"] * 4 + ["d.jpg"]
    assert [s.match_name for s in dataset] == ["a.jpg", "a.jpg", "b.jpg", "m", "d.jpg"]
    assert dataset[4].match is None
    assert all(set(s.items) == {"image", "text"} for s in dataset)


def test_rows_with_a_picture_or_a_text_alone_match_by_their_group(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    rows = [
        {"image": "a.jpg", "text": None, "group": "p"},
        {"image": None, "text": "t", "group": "p"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert [s.match_name for s in open_dataset(path)] == ["p", "p"]


@pytest.mark.parametrize("label", ["true", "False"])
def test_a_label_called_match_is_refused(tmp_path: Path, label: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"image,text,match\na.jpg,words,{label}\n")
    assert message(path) == (
        f"{path}:2: column 'match' holds '{label}', expected a name that matching rows share; "
        "call a label otherwise"
    )


def test_a_row_without_a_split_has_that_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("text,split\na,\nb,train\n")
    assert [s.items["split"] for s in open_dataset(tmp_path)] == ["test", "train"]


def test_a_quotation_mark_that_is_never_closed_costs_one_row(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = [f"{n}.jpg,caption {n}" for n in range(9)]
    rows[3] = '3.jpg,"caption 3'
    rows[6] = '6.jpg,"two\nlines"'
    path.write_text("\n".join(["image,text", *rows]) + "\n")
    path.write_bytes(path.read_bytes() + b"9.jpg,caf\xe9\n")
    errors: list[DataError] = []
    dataset = open_dataset(path, on_error=errors.append)
    assert [s.id for s in dataset] == [f"{n}.jpg" for n in (0, 1, 2, 4, 5, 6, 7, 8)]
    assert dataset[5].items["text"] == "two\nlines"
    assert [(e.source, e.reason) for e in errors] == [
        (f"{path}:5", errors[0].reason),
        (f"{path}:12", 'is not UTF-8 text: --encoding cp1252 reads "9.jpg,café"'),
    ]
    assert errors[0].reason.startswith("is not a table row: ")


def test_parquet_reads_only_the_row_groups_that_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    original = pq.ParquetFile.read_row_group

    def counted(self: pq.ParquetFile, group: int, *args: Any, **options: Any) -> pa.Table:
        read.append(group)
        return original(self, group, *args, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    table = pa.table({"text": [f"t{n}" for n in range(60)], "split": ["train", "test"] * 30})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=10)
    dataset = open_dataset(tmp_path, split="test")
    assert read == [0]  # whose first row shows what the columns hold
    assert dataset[29].items["text"] == "t59"
    assert dataset[26].items["text"] == "t53"
    assert read == [0, 5]
    assert [s.items["text"] for s in dataset] == [f"t{n}" for n in range(1, 60, 2)]
    assert read == [0, 5, 1, 2, 3, 4]


def test_parquet_with_bytes_or_paths(tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"id": [1, 2], "image": [b"x", None], "text": ["a", None], "n": [0.5, 1.5]}),
        tmp_path / "bytes.parquet",
    )
    one, two = open_dataset(tmp_path / "bytes.parquet")
    assert one.items.pop("image").read() == b"x"
    assert (one.id, one.items) == ("1", {"text": "a", "n": 0.5})
    assert two.items == {"n": 1.5}
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(jpeg())
    pq.write_table(pa.table({"file_name": ["a.jpg"]}), tmp_path / "paths.parquet")
    (sample,) = open_dataset(tmp_path / "paths.parquet")
    assert sample.items["image"].path == tmp_path / "images" / "a.jpg"
    assert sample.group == "a.jpg"


def test_parquet_errors(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 not really")
    assert message(path).startswith(f"{path}: is not readable as parquet: ")
    pq.write_table(pa.table({"id": ["x", "y", "x"], "text": ["a", "b", "c"]}), path)
    assert message(path) == f"{path}:2: id 'x' is already used at {path}:0"
    pq.write_table(pa.table({"text": [1, 2]}), path)
    assert message(path).startswith(f"{path}:0: column 'text' holds 1, expected a string")
    errors: list[DataError] = []
    pq.write_table(pa.table({"text": ["fine"]}), tmp_path / "b.parquet")
    path.write_bytes(b"PAR1 not really")
    assert len(open_dataset(tmp_path, on_error=errors.append)) == 1
    assert [e.source for e in errors] == [str(path)]


def test_a_parquet_column_of_another_type_than_its_schema_says(tmp_path: Path) -> None:
    """pyarrow ends the process where it is asked for the statistics of such a column."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": ["a.png"], "text": ["a dog"]}), path)
    content = path.read_bytes()
    kind, unknown = b"\x15\x0c\x19", b"\x15\x10\x19"  # of a column's metadata: 6, bytes, and 8
    assert content.count(kind) == 2
    path.write_bytes(content.replace(kind, unknown, 1))
    assert message(path) == (
        f"{path}: is not readable as parquet: column 0 is UNKNOWN, its schema says BYTE_ARRAY"
    )


@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_an_empty_cell_is_none(tmp_path: Path, name: str) -> None:
    """So that a row of such a table can lack a picture or a text, as null says it in JSON."""
    lines = ["image,text,price,label", "a.jpg,,1,x", ", a caption ,,", "b.jpg,both,,x"]
    separator = "\t" if name == "t.tsv" else ","
    (tmp_path / name).write_text("\n".join(lines).replace(",", separator) + "\n")
    found = [sorted(row.items) for row in open_dataset(tmp_path / name)]
    assert found == [["image", "label", "price"], ["text"], ["image", "label", "text"]]


def labelled(path: Path, labels: list[int]) -> Path:
    """A parquet file as Hugging Face writes it, with the names of two classes."""
    feature = {"label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}
    table = pa.table({"text": ["a"] * len(labels), "label": labels})
    told = {"huggingface": json.dumps({"info": {"features": feature}})}
    pq.write_table(table.replace_schema_metadata(told), path)
    return path


def test_minus_one_is_no_label(tmp_path: Path) -> None:
    rows = open_dataset(labelled(tmp_path / "t.parquet", [1, -1, 0]))
    assert [row.items.get("label") for row in rows] == ["dog", None, "cat"]
    path = labelled(tmp_path / "u.parquet", [1, 2])
    assert f"{path}:1: column 'label' is 2, expected 0 to 1, a class" in message(path)


def test_dates_and_decimals_are_plain_values(tmp_path: Path) -> None:
    """Values that could not be handed to another process made every row unusable in preparation."""
    day = datetime.datetime(2020, 1, 2, 3, 4, 5)
    table = {
        "text": ["a"],
        "when": [day],
        "day": [day.date()],
        "price": pa.array([Decimal("1.50")]),
        "count": pa.array([Decimal("3.00")]),
        "took": [datetime.timedelta(minutes=2)],
        "seen": [{"at": [day]}],
    }
    pq.write_table(pa.table(table), tmp_path / "t.parquet")
    row = open_dataset(tmp_path / "t.parquet")[0]
    said = day.isoformat()
    plain = {"when": said, "day": "2020-01-02", "price": 1.5, "count": 3, "took": 120.0}
    assert row.items == {"text": "a", **plain, "seen": {"at": [said]}}
    assert row_of(json.loads(json.dumps(row_json(row)))) == row
