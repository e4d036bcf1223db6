"""`weft generate` and `weft evaluate --judge` on tiny trained runs, and what they refuse in one line."""

import json
from pathlib import Path

import numpy as np
import pytest
import tiny_drawings as tiny
from PIL import Image
from tiny_runs import done, refused, unchanged

from weft.runs.train import train


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A flow, and a judge of its pictures; not to be changed."""
    folder = tmp_path_factory.mktemp("runs")
    data = tiny.pictures(folder / "easy_vqa")
    train(tiny.flow(data), folder / "flow")
    train(tiny.judge(data), folder / "judge")
    return folder


def pixels(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file))


def test_one_picture_in_a_file(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "red.png"
    with unchanged(runs / "flow"):
        said = done("generate", runs / "flow", "--text", "a red circle", "--out", out)
    assert str(out) in said
    assert pixels(out).shape == (tiny.SIDE, tiny.SIDE, 3)
    assert len(done("generate", runs / "flow", "--text", "a red circle", "--out", out)) > 0


def test_the_seed_and_the_text_decide(runs: Path, tmp_path: Path) -> None:
    def drawn(name: str, *words: object) -> np.ndarray:
        done("generate", runs / "flow", "--out", tmp_path / name, *words)
        return pixels(tmp_path / name)

    red = ("--text", "a red circle", "--steps", 2)
    first = drawn("1.png", *red)
    assert np.array_equal(first, drawn("2.png", *red))
    assert not np.array_equal(first, drawn("3.png", *red, "--seed", 5))
    assert drawn("4.png", *red, "--n", 4).shape == (2 * tiny.SIDE + 2, 2 * tiny.SIDE + 2, 3)
    assert drawn("5.png", *red, "--guidance", 1).shape == first.shape


def test_several_pictures_in_a_folder(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "drawn"
    done("generate", runs / "flow", "--text", "a red circle", "--n", 11, "--out", out)
    assert sorted(p.name for p in out.iterdir()) == [f"{n:02d}.png" for n in range(1, 12)]
    each = [pixels(file) for file in sorted(out.iterdir())]
    assert len({one.tobytes() for one in each}) == 11


LONG = " ".join(["red"] * 2500)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--text", ""), "--text: got an empty value"),
        (("--text", "  "), "--text is empty"),
        (("--text", LONG), "text 'red red"),
        (("--text", "a zebra quagga"), "zebra"),
        (("--text", "图"), "图"),
        (("--text", "a red circle", "--n", 0), "n is 0, expected 1 to 100,000"),
        (("--text", "a red circle", "--n", 10**9), "n is 1,000,000,000"),
        (("--text", "a red circle", "--guidance", "nan"), "guidance is nan"),
        (("--text", "a red circle", "--guidance", "inf"), "guidance is inf"),
        (("--text", "a red circle", "--steps", 0), "steps is 0"),
        (("--text", "a red circle", "--seed", -1), "seed is -1"),
        (("--text", "a red circle", "--head", "speech"), "speech"),
        ((), "text"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_input_is_one_line(
    runs: Path, tmp_path: Path, words: tuple[object, ...], message: str
) -> None:
    assert len(LONG) == 9999
    out = tmp_path / "one.png"
    said = refused("generate", runs / "flow", "--out", out, *words)
    assert message in said
    assert len(said) < 400
    assert not out.exists()


def test_places_that_cannot_be_written_are_named_before_anything_is_drawn(
    runs: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("here")
    red = ("generate", runs / "flow", "--text", "a red circle")
    for out in (tmp_path / "file" / "one.png", tmp_path / "file" / "folder", Path("/proc/x/y")):
        assert str(out) in refused(*red, "--out", out) or "file" in refused(*red, "--out", out)
    assert "expected a name that ends with .png" in refused(*red, "--out", tmp_path / "one.jpg")
    assert not (tmp_path / "one.jpg").exists()


def test_a_run_of_another_task_is_named(runs: Path, tmp_path: Path) -> None:
    said = refused(
        "generate", runs / "judge", "--text", "a red circle", "--out", tmp_path / "x.png"
    )
    assert "judge" in said or "head" in said
    said = refused("generate", tmp_path / "nowhere", "--text", "a", "--out", tmp_path / "x.png")
    assert "nowhere" in said


def test_a_judge_says_what_it_sees_in_what_is_drawn(runs: Path, tmp_path: Path) -> None:
    """Beside it what it sees in real pictures, and in those drawn for other rows."""
    out = tmp_path / "found.json"
    said = done("evaluate", runs / "flow", "--judge", runs / "judge", "--json", out)
    assert "judge" in said
    found = json.loads(out.read_text())
    text = json.dumps(found)
    assert "judge/accuracy" in text
    assert "judge/rarest_class" in text
    assert "real ones" in text
    assert "drawn for another row" in text
    refused_ = refused("evaluate", runs / "judge", "--judge", runs / "judge")
    assert "draws nothing" in refused_
