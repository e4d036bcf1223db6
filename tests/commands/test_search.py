"""`weft index build`, then `weft search` by a sentence and by a picture."""

import json
import shutil
from pathlib import Path

import pytest
from rich.cells import cell_len
from tiny_runs import caption, done, flags, picture, picture_folder, refused, unchanged

from weft.commands._where import parsed_where
from weft.commands.search import _show
from weft.core.errors import WeftError
from weft.core.tensors import read_tensors, write_tensors
from weft.index import Column, Hit


@pytest.fixture(scope="module")
def searchable(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run that has learned its 24 pictures by heart, with all of them embedded; and the folder."""
    root = tmp_path_factory.mktemp("search")
    data, run = picture_folder(root / "mine", 24), root / "run"
    learned = flags(run__steps=60, run__batch_size=24, optim__lr=1e-2, optim__ema="None")
    division = ("--data.source.division.validation", "0.1", "--data.source.division.test", "0.05")
    image = ("--data.streams.image.size", "32")
    done("train", "scenes", "--data", data, *learned, *image, *division, "--out", run)
    out = done("index", "build", run, "--data", data)
    assert out.splitlines()[0] == f"24 entries of stream 'image' indexed (flat): {run / 'index'}"
    return run, data


def found(out: str) -> list[str]:
    """The ids, best first."""
    return [line.split()[1] for line in out.splitlines()[1:]]


def test_a_picture_finds_itself(searchable: tuple[Path, Path], tmp_path: Path) -> None:
    run, data = searchable
    for number in (0, 7, 23):
        out = done("search", run, "--image", data / f"p{number:02d}.png")
        assert found(out)[0] == f"p{number:02d}.png"
        assert out.splitlines()[1].split()[0] == "1.000"
        assert str(data / f"p{number:02d}.png") in out.replace("\n", "")
        assert len(found(out)) == 5
    picture(7).save(tmp_path / "copy.jpg", quality=95)
    assert found(done("search", run, "--image", tmp_path / "copy.jpg", "--k", 1)) == ["p07.png"]


def test_a_sentence_finds_its_picture(searchable: tuple[Path, Path]) -> None:
    run, _ = searchable
    split = json.loads((run / "recipe.json").read_text())["data"]["train"]
    assert split == "train"
    first = [found(done("search", run, "--text", caption(n), "--k", 3)) for n in range(24)]
    right = sum(f"p{n:02d}.png" == ids[0] for n, ids in enumerate(first))
    assert right >= 12, first  # chance is 1


def test_a_stream_may_be_named(searchable: tuple[Path, Path]) -> None:
    run, data = searchable
    named = done("search", run, "--input", f"image={data / 'p07.png'}", "--k", 3)
    assert named == done("search", run, "--image", data / "p07.png", "--k", 3)


def test_another_index(searchable: tuple[Path, Path], tmp_path: Path) -> None:
    run, data = searchable
    index = tmp_path / "captions"
    with unchanged(run):
        out = done("index", "build", run, "--data", data, "--stream", "text", "--out", index)
        assert out.startswith("48 entries of stream 'text'")
        best = found(done("search", run, "--text", caption(3), "--index", index, "--k", 1))
    assert best == ["p03.png"]


def test_the_recipes_own_rows(searchable: tuple[Path, Path], tmp_path: Path) -> None:
    run, _ = searchable
    counts = []
    for split in ("train", "validation", "test"):
        out = done("index", "build", run, "--split", split, "--out", tmp_path / split)
        counts.append(int(out.split()[0]))
    assert sum(counts) == 24


def test_mistakes(searchable: tuple[Path, Path], tmp_path: Path) -> None:
    run, data = searchable
    picked = data / "p01.png"
    (tmp_path / "cut.png").write_bytes(picked.read_bytes()[:60])
    (tmp_path / "none.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("a picture")
    with unchanged(run):
        assert refused("search", run) == "got 0 queries, expected one of --image, --text"
        line = refused("search", run, "--text", "a", "--image", picked)
        assert line == "got 2 queries, expected one of --image, --text"
        line = refused("search", run, "--audio", picked)
        assert line == f"{run}: this run takes no --audio, it takes --image or --text"
        assert "caption is empty" in refused("search", run, "--text", " ")
        assert "--k is 0" in refused("search", run, "--text", "a", "--k", 0)
        absent = tmp_path / "absent.png"
        assert str(absent) in refused("search", run, "--image", absent)
        assert str(tmp_path) in refused("search", run, "--image", tmp_path)
        for name in ("cut.png", "none.jpg", "text.jpg"):
            assert f"{tmp_path / name}: " in refused("search", run, "--image", tmp_path / name)
        line = refused("index", "build", run, "--data", data, "--stream", "txet")
        assert "txet" in line
        assert "did you mean test?" in refused("index", "build", run, "--split", "tset")


def test_a_folder_is_no_picture(searchable: tuple[Path, Path], tmp_path: Path) -> None:
    line = refused("search", searchable[0], "--image", tmp_path)
    assert line.endswith(f"{tmp_path}: is a folder, expected a file")


def test_a_range_has_an_end() -> None:
    year = Column("year", "number", ((2019, 1),), 2019, 2019)
    assert parsed_where(["year=2019.."], [year]) == {"year": {"min": 2019}}
    with pytest.raises(WeftError, match=r"^--where year is '\.\.', expected a value on one side"):
        parsed_where(["year=.."], [year])


def test_no_index_yet(scenes_run: Path) -> None:
    line = refused("search", scenes_run, "--text", "a", "--index", scenes_run / "nothing")
    assert f"weft index build {scenes_run}" in line


def test_a_first_search_says_which_rows_it_covers(scenes_copy: Path) -> None:
    first = done("search", scenes_copy, "--text", "a red circle")
    assert (
        "a search finds only rows of the split 'test'; to index all rows of a data set: "
        f"weft index build {scenes_copy} --data PATH"
    ) in first.splitlines()
    assert "weft index build" not in done("search", scenes_copy, "--text", "a red circle")


def test_a_long_sentence_costs_nothing(searchable: tuple[Path, Path]) -> None:
    assert len(found(done("search", searchable[0], "--text", "word " * 20_000))) == 5


def test_a_spoiled_index(searchable: tuple[Path, Path], tmp_path: Path) -> None:
    run, data = searchable
    index = tmp_path / "index"
    done("index", "build", run, "--data", data, "--out", index)
    file = index / "index.db"
    file.write_bytes(file.read_bytes()[:10_000])
    assert f"{file}: is damaged: " in refused("search", run, "--text", "a", "--index", index)
    file.write_bytes(b"")
    assert "holds no index" in refused("search", run, "--text", "a", "--index", index)


def test_an_index_that_other_weights_embedded(
    searchable: tuple[Path, Path], tmp_path: Path
) -> None:
    run, data = searchable
    later = Path(shutil.copytree(run, tmp_path / "later"))
    tensors, state = read_tensors(later / "model.safetensors")
    name = next(name for name in tensors if name.endswith("projections.text.layers.0.weight"))
    changed = {**tensors, name: -tensors[name]}
    write_tensors(later / "model.safetensors", changed, state)
    line = refused("search", later, "--text", "a")
    assert f"{later / 'index'}: was embedded with other weights than those of {later}" in line
    done("index", "build", later, "--data", data)
    assert len(found(done("search", later, "--text", "a"))) == 5


def test_an_index_of_another_run(
    searchable: tuple[Path, Path], scenes_run: Path, tmp_path: Path
) -> None:
    run, data = searchable
    narrow = tmp_path / "narrow"
    words = flags(
        run__steps=1, model__projections__image__out_dim=8, model__projections__text__out_dim=8
    )
    done("train", "scenes", "--data", data, *words, "--out", narrow)
    line = refused("search", narrow, "--text", "a", "--index", run / "index")
    assert "was embedded with other weights" in line


def test_what_was_found_as_a_page(
    searchable: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, data = searchable
    page = tmp_path / "found.html"
    out = done("search", run, "--image", data / "p07.png", "--k", 3, "--out", page)
    assert out.splitlines()[-1] == f"page: {page}"
    text = page.read_text()
    assert text.count("<img") == 4  # the query and three pictures
    assert "p07.png" in text
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    own = Path(shutil.copytree(run, tmp_path / "run"))
    done("search", own, "--open", "--text", "a <b> thing")
    assert opened == [(own / "search.html").as_uri()]
    assert "a &lt;b&gt; thing" in (own / "search.html").read_text()


def test_a_page_of_rows_that_are_no_files(scenes_copy: Path, tmp_path: Path) -> None:
    """Generated pictures and captions are shown too."""
    run, page = scenes_copy, tmp_path / "found.html"
    done("index", "build", run)
    done("search", run, "--text", "a red circle", "--k", 2, "--out", page)
    assert page.read_text().count("<img") == 2
    done("index", "build", run, "--stream", "text")
    out = done("search", run, "--text", "a red circle", "--k", 1, "--out", page)
    assert "test" in out
    assert page.read_text().count("<img") == 0
    assert page.read_text().count("<p>") >= 3
    with unchanged(run):
        bad = tmp_path / "file" / "x.html"
        (tmp_path / "file").write_text("")
        assert "cannot be written" in refused("search", run, "--text", "a", "--out", bad)


def test_columns_stand_under_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    _show([Hit(0.5, "红圆", "a.png"), Hit(0.25, "circle", "b.png")])
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [cell_len(line[: line.index(".png") - 1]) for line in lines] == [15, 15]
