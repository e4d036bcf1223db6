"""Tables as people have them: other names of columns, encodings, numbers, dates, several pictures a row."""

import io
import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from weft.core.errors import DataError, WeftError
from weft.core.media import Alternatives, Media
from weft.core.samples import Sample
from weft.data.formats import Dataset, Said, columns_of, open_dataset
from weft.data.formats._tar_writer import members_of
from weft.data.formats._values import form_of
from weft.data.schema import infer, require_files
from weft.data.sources import FilesConfig
from weft.modalities.image import ImageConfig


def jpeg() -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(out, "JPEG")
    return out.getvalue()


def write(folder: Path, kind: str, rows: list[dict[str, Any]]) -> Path:
    """The rows as a table of that kind."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"t.{kind}"
    names = list(rows[0])
    if kind == "csv":
        lines = [names, *([str(row[name] or "") for name in names] for row in rows)]
        path.write_text("".join(";".join(line) + "\n" for line in lines), encoding="utf-8")
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    return path


ROWS = [
    {"Bild": "a.jpg", "Befund": "Kein Erguss", "Patient": "P1", "Grad": "2", "Note": "Alt"},
    {"Bild": "b.jpg", "Befund": "Erguss rechts", "Patient": "P1", "Grad": "3", "Note": "Neu"},
]
SAID = {"image": "Bild", "text": "Befund", "group": "Patient", "Grad": "number"}


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_columns_of_other_names(tmp_path: Path, kind: str) -> None:
    table = write(tmp_path, kind, ROWS)
    (tmp_path / "Fotos").mkdir()
    (tmp_path / "Fotos" / "a.jpg").write_bytes(jpeg())
    source = FilesConfig(table, columns=SAID, images_dir=tmp_path / "Fotos")
    dataset = source.open(None)
    one, two = dataset
    assert one.items["image"].path == tmp_path / "Fotos" / "a.jpg"
    assert [s.items["text"] for s in (one, two)] == ["Kein Erguss", "Erguss rechts"]
    assert [(s.group, s.match) for s in (one, two)] == [("P1", "a.jpg"), ("P1", "b.jpg")]
    assert set(one.items) == {"image", "text", "Grad", "Note"}
    schema = infer(dataset, source.columns)
    assert (schema.group, schema.columns["Grad"].kind) == ("Patient", "number")
    assert columns_of(dataset).meanings["image"] == "Bild"


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_no_column_takes_the_name_of_another(tmp_path: Path, kind: str) -> None:
    table = write(tmp_path, kind, [{"x": "1", "label": "a"}, {"x": "2", "label": "b"}])
    with pytest.raises(DataError, match="--columns label=x: there is a column 'label' already"):
        FilesConfig(table, columns={"label": "x"}).open(None)
    swapped = FilesConfig(table, columns={"label": "x", "text": "label"}).open(None)
    assert [sample.items["text"] for sample in swapped] == ["a", "b"]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_another_column_may_say_how_rows_are_divided(tmp_path: Path, kind: str) -> None:
    """As in CMU-MOSI, which has two partitions."""
    rows = [
        {"text": "a", "split": "train", "fold": "test"},
        {"text": "b", "split": "test", "fold": "train"},
    ]
    table = write(tmp_path, kind, rows)
    found = FilesConfig(table, columns={"split": "fold"}).open("test")
    assert [sample.items["text"] for sample in found] == ["a"]


def test_a_word_that_comes_near_to_a_meaning_is_named(tmp_path: Path) -> None:
    table = write(tmp_path, "csv", [{"text": "one"}])
    with pytest.raises(WeftError, match="unknown kind of column 'imgae': did you mean image"):
        FilesConfig(table, columns={"imgae": "text"}).open(None)


def test_files_of_full_paths_are_sought_nowhere(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    table = write(tmp_path, "csv", [{"image": str(tmp_path / "a.jpg")}])
    assert columns_of(FilesConfig(table).open(None)).sought == {}
    table = write(tmp_path, "csv", [{"image": "a.jpg"}])
    assert columns_of(FilesConfig(table).open(None)).sought == {"image": tmp_path}


def test_a_number_too_large_counts_as_missing(tmp_path: Path) -> None:
    numbers = [f"{n}.5" for n in range(20)]
    table = write(tmp_path, "csv", [{"x": x} for x in (*numbers, "1e400")])
    rows = FilesConfig(table).open(None)
    assert [sample.items.get("x") for sample in rows] == [*numbers, None]


def test_columns_of_shards_can_have_other_names_too(tmp_path: Path) -> None:
    rows = [Sample("a", "a", {"jpg": Media.file(Path("a.jpg")), "Befund": ["x", "y"], "P": 7}, "t")]
    from weft.data.formats._said import SaidRows

    said = Said({"image": "jpg", "text": "Befund", "group": "P"})
    (row,) = SaidRows(rows, said, tmp_path)
    assert row.items == {"image": rows[0].items["jpg"], "text": Alternatives(["x", "y"])}
    assert row.group == "7"


def test_a_column_that_folders_of_classes_do_not_have_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "a.jpg").write_bytes(jpeg())
    assert open_dataset(tmp_path, said=Said({"text": "label"}))[0].items["text"] == "cat"
    with pytest.raises(WeftError, match="unknown column 'labl': did you mean label"):
        open_dataset(tmp_path, said=Said({"text": "labl"}))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"image": "Blid"}, "unknown column 'Blid': did you mean Bild?"),
        ({"Bild": "picture"}, "--columns Bild=picture: unknown kind of column 'picture'"),
        (
            {"imge": "Bild"},
            "--columns imge=Bild: unknown kind of column 'imge': did you mean image",
        ),
        (
            {"Bild": "imge"},
            "--columns Bild=imge: unknown kind of column 'imge': did you mean image",
        ),
        (
            {"image": "Blid", "text": "Bfund", "Grad": "number", "zzz": "text"},
            "--columns image=Blid,text=Bfund,zzz=text: no column is called 'Blid', 'Bfund', 'zzz': did you mean "
            "Blid → Bild, Bfund → Befund? known: ",
        ),
        ({"image": "Bild", "text": "Bild", "label": "Bild"}, "columns: 'Bild' is named twice"),
    ],
)
def test_what_is_said_must_be_true(tmp_path: Path, said: dict[str, str], expected: str) -> None:
    with pytest.raises(WeftError) as raised:
        open_dataset(write(tmp_path, "csv", ROWS), said=Said(said))
    assert expected in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_folder_of_pictures_that_is_not_there() -> None:
    with pytest.raises(
        WeftError, match=r"nowhere: no such folder of pictures, sounds or videos \(images_dir\)"
    ):
        Said(images_dir=Path("nowhere"))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_encodings_that_the_file_tells(tmp_path: Path, kind: str, encoding: str) -> None:
    content = {"csv": 'id,text\n1,"grün, 红"\n', "jsonl": '{"id": 1, "text": "grün, 红"}\r\n'}[kind]
    (tmp_path / f"t.{kind}").write_bytes(content.encode(encoding))
    if encoding == "utf-16-be":  # with its mark, which Python writes for utf-16 alone
        (tmp_path / f"t.{kind}").write_bytes("\ufeff".encode(encoding) + content.encode(encoding))
    (row,) = open_dataset(tmp_path / f"t.{kind}")
    assert row.items == {"text": "grün, 红"}


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Müller misst die Größe"),
        ("gbk", "一只红色的猫在桌子上"),
        ("big5", "一隻紅色的貓"),
        ("cp1251", "кошка на столе"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_other_encodings_are_named(tmp_path: Path, kind: str, encoding: str, text: str) -> None:
    path = tmp_path / f"t.{kind}"
    content = {"csv": f"id;text\n1;{text}\n", "jsonl": f'{{"id": 1, "text": "{text}"}}\n'}[kind]
    path.write_bytes(content.encode(encoding))
    with pytest.raises(DataError) as raised:
        open_dataset(path)
    line = 2 if kind == "csv" else 1
    assert raised.value.source == f"{path}:{line}"
    assert raised.value.reason.startswith(f"is not UTF-8 text: --encoding {encoding} reads ")
    (row,) = open_dataset(path, said=Said(encoding=encoding))
    assert row.items["text"] == text
    with pytest.raises(DataError, match=r"is not ascii text: --encoding"):
        open_dataset(path, said=Said(encoding="ascii"))


def test_an_encoding_that_does_not_exist() -> None:
    with pytest.raises(WeftError, match="unknown encoding 'cp12520', expected one such as utf-8"):
        Said(encoding="cp12520")


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("Name, Vorname;note\nA;1,5\nB;2,5\n", {"Name, Vorname": "A", "note": "1.5"}),
        ("note\tb\nx, y; z\t1\n", {"note": "x, y; z", "b": "1"}),
        ("sep=;\nnote;b\nx, y;1\n", {"note": "x, y", "b": "1"}),
        ("note\nHello, you\nGood, and you\n", {"note": "Hello, you"}),
        (",note\n0,x\n1,y\n", {"column 1": "0", "note": "x"}),
        ('a|b\n"x|y"|1\n', {"a": "x|y", "b": "1"}),
    ],
)
def test_the_delimiter_is_found_by_all_rows(
    tmp_path: Path, text: str, items: dict[str, str]
) -> None:
    (tmp_path / "t.csv").write_text(text)
    assert open_dataset(tmp_path / "t.csv")[0].items == items


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1.234,5", "3,75", "-12"], ["1234.5", "3.75", "-12"]),
        (["1,234.5", "7"], ["1234.5", "7"]),
        (["1\u202f234,5", "2"], ["1234.5", "2"]),
        (["0,123", "0,456"], ["0.123", "0.456"]),
        (["12,5", "n/a", None], ["12.5", None, None]),
        (["1.5", "NA"], ["1.5", None]),
        (["007", "010"], ["007", "010"]),
        (["70.85 €", "1,299.00 EUR", "5 €"], ["70.85 €", "1299.00 €", "5 €"]),
        (["1.299,00 €", "-5\u00a0€", "12,- €"], ["1299.00 €", "-5 €", "12 €"]),
        (["$1,299.00", "-$5", "n/a"], ["1299.00 $", "-5 $", None]),
        (["12 %", "3,5%", "−1 %"], ["12 %", "3.5 %", "-1 %"]),
        (["3.5 kg", "12", None], ["3.5 kg", "12", None]),
        (["90 m2", "12,5 qm"], ["90 m²", "12.5 m²"]),
        ([12.5, "13 kg", 3], [12.5, "13 kg", 3]),
        (["5 stars", "4 stars"], ["5 stars", "4 stars"]),
        (["12a", "12b", "3 d"], ["12a", "12b", "3 d"]),
        (["1,5", "2.5"], ["1,5", "2.5"]),
        (["1.234", "2.345"], ["1.234", "2.345"]),
        (["5.3.2026", "12.03.26"], ["2026-03-05", "2026-03-12"]),
        (["13/04/2026", "5/6/2026"], ["2026-04-13", "2026-06-05"]),
        (["04/13/2026 9:05", "05/06/2026"], ["2026-04-13T09:05", "2026-05-06"]),
        (["5. März 2026", "March 5, 2026"], ["2026-03-05", "2026-03-05"]),
        (["2026年3月5日", "2026/3/6"], ["2026-03-05", "2026-03-06"]),
        (["2026-03-05T10:00:00Z"], ["2026-03-05T10:00:00Z"]),
        (["31.2.2026", "1.2.2026"], ["31.2.2026", "1.2.2026"]),
        (["red; big", "red", "big;red"], [["red", "big"], ["red"], ["big", "red"]]),
        (["['red', 'big']", "[]"], [["red", "big"], []]),
        (["one sentence; and more of it", "another; one"], ["one sentence; and more of it", "another; one"]),
    ],
)  # fmt: skip
def test_columns_in_one_form(values: list[Any], expected: list[Any]) -> None:
    assert [form_of("x", values).cell(value) for value in values] == expected


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (["1,234", "2,345"], "1,234 can be read as a decimal or with thousands"),
        (["03/04/2026", "05/06/2026"], "03/04/2026 can be day or month first"),
        (["5. März 2026", "03/04/2026", "2026-01-02"], "03/04/2026 can be day or month first"),
        (["1.234,5"], "1.234,5 is read as 1234.5"),
        (["5.3.2026"], "5.3.2026 is read as 2026-03-05"),
    ],
)
def test_what_is_changed_or_in_doubt_is_said(values: list[str], note: str) -> None:
    assert form_of("x", values).note.startswith(note)


def test_captions_ids_and_groups_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id;group;caption;plz\n1,5;2,5;3,5;01067\n2,5;2,5;4,5;01069\n")
    row = open_dataset(tmp_path / "t.csv")[0]
    assert (row.id, row.group, row.items) == ("1,5", "2,5", {"text": "3,5", "plz": "01067"})


def pictures(dataset: Dataset, item: str = "image") -> list[list[str]]:
    return [[media.path.name for media in row.items[item]] for row in dataset]


def test_several_pictures_a_row(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.jpg").write_bytes(jpeg())
    one = write(
        tmp_path / "1", "csv", [{"image": "a.jpg, b.jpg", "n": 1}, {"image": "c.jpg", "n": 2}]
    )
    rows = [{"bilder": ["a.jpg", "b.jpg"]}, {"bilder": ["c.jpg"]}]
    two, three = write(tmp_path / "2", "jsonl", rows), write(tmp_path / "3", "parquet", rows)
    four = write(
        tmp_path / "4",
        "csv",
        [{"Bild_1": "a.jpg", "Bild_2": "b.jpg"}, {"Bild_1": "c.jpg", "Bild_2": ""}],
    )
    expected = [["a.jpg", "b.jpg"], ["c.jpg"]]
    said = Said(images_dir=tmp_path)
    assert pictures(open_dataset(two, said=said), "bilder") == expected
    assert pictures(open_dataset(three, said=said), "bilder") == expected
    assert pictures(open_dataset(four, said=said), "Bild") == expected
    first, second = open_dataset(one, said=said)
    assert [media.path.name for media in first.items["image"]] == ["a.jpg", "b.jpg"]
    assert second.items["image"].path.name == "c.jpg"
    for table in (one, two, three, four):
        assert len(infer(open_dataset(table, said=said)).of("images")) == 1


def test_what_cannot_take_several_pictures_says_so() -> None:
    several = [Media.file(Path("a.jpg")), Media.file(Path("b.jpg"))]
    with pytest.raises(
        WeftError, match="has 2 files, expected one picture a row; write a row for each file"
    ):
        ImageConfig().build().decode(several)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="t:1: cannot be stored: .*not JSON"):
        members_of(Sample("a", "a", {"x": [*several, "a word"]}, "t:1"))


def test_a_picture_that_is_no_path(tmp_path: Path) -> None:
    path = write(tmp_path, "jsonl", [{"image": ["a.jpg", 3]}])
    with pytest.raises(
        DataError, match=r"t.jsonl:1: column 'image' holds \['a.jpg', 3\], expected a path"
    ):
        open_dataset(path)


def test_names_in_another_unicode_form(tmp_path: Path) -> None:
    """A Mac's archive has decomposed names (NFD), a keyboard writes composed ones (NFC)."""
    folder = tmp_path / unicodedata.normalize("NFD", "Größe")
    folder.mkdir()
    (folder / unicodedata.normalize("NFD", "é.jpg")).write_bytes(jpeg())
    (folder / unicodedata.normalize("NFC", "é.txt")).write_text("ein Bild")
    path = write(tmp_path, "csv", [{"image": "Größe/é.jpg", "n": 1}])
    (row,) = open_dataset(path)
    assert row.items["image"].load() == jpeg()
    (row,) = open_dataset(folder)
    assert row.items["text"] == Alternatives(["ein Bild"])


def test_names_without_suffix_or_of_another_machine(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "ISIC_1.jpg").write_bytes(jpeg())
    names = ["ISIC_1", "C:\\data\\ISIC_1.jpg", "/home/x/ISIC_1.jpg"]
    path = write(tmp_path, "csv", [{"image": name, "n": 1} for name in names])
    for row in open_dataset(path, said=Said(images_dir=tmp_path / "p")):
        assert row.items["image"].path == tmp_path / "p" / "ISIC_1.jpg"


def test_pictures_that_are_nowhere_are_noted(tmp_path: Path) -> None:
    schema = infer(open_dataset(write(tmp_path, "csv", ROWS)))
    assert schema.columns["Bild"].without_files == (
        f"names pictures, none of which is in {tmp_path}/images or {tmp_path} (--images-dir)"
    )
    assert not schema.columns["Bild"].notes  # other notes, whatever they say, are no such remark


@pytest.mark.parametrize(
    ("names", "what"), [(["a.mp4", "b, c.MOV"], "videos"), (["a.wav", "b.wav"], "sounds")]
)
def test_sounds_and_videos_that_are_nowhere_are_refused(
    names: list[str], what: str, tmp_path: Path
) -> None:
    rows = [{"clip": name, "said": f"word {name}"} for name in names]
    table = write(tmp_path, "csv", rows)
    said = f"column 'clip' names {what}, none of which is in {tmp_path}/images or {tmp_path}"
    with pytest.raises(WeftError, match=re.escape(said)):
        require_files(infer(open_dataset(table)), table)
    (tmp_path / names[1]).write_bytes(b"")
    assert infer(open_dataset(table)).columns["clip"].without_files is None


def test_a_thousand_classes_and_empty_columns(tmp_path: Path) -> None:
    rows = [
        {"label": f"class {n % 1000}", "leer": "", "fest": "x", "n": n + 0.5} for n in range(3000)
    ]
    schema = infer(open_dataset(write(tmp_path, "csv", rows)))
    kinds = {name: (column.kind, column.distinct) for name, column in schema.columns.items()}
    assert kinds == {
        "label": ("category", 1000), "leer": ("empty", 0), "fest": ("constant", 1), "n": ("number", 3000),
    }  # fmt: skip
