"""Tables with sounds, films and tags: trained, measured and asked, with rows that lack some of them."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from made_media import bursts, film, sound_file, tone
from tiny_runs import done, weft

ROWS = 24
SUFFIXES = {"audio": ".wav", "video": ".mp4"}
ANSWERS = ("grey", "black")
FAST = ("--run.steps", 2, "--run.batch-size", 4, "--run.workers", 0, "--run.precision", "fp32")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    for n in range(ROWS):
        (folder / f"{n}.wav").write_bytes(sound_file(tone(0.3, 200 + 300 * (n % 2))))
        (folder / f"{n}.mp4").write_bytes(film(4 + n % 3, sound=tone(0.4)))
    path = folder / "table.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["recording", "clip", "keywords", "label"])
        for n in range(ROWS):
            sound = "" if n % 5 == 0 else f"{n}.wav"
            clip = "" if n % 7 == 1 else f"{n}.mp4"
            words = "" if n % 6 == 2 else json.dumps(["short", f"word {n % 3}"])
            rows.writerow([sound, clip, words, ("low", "high")[n % 2]])
    return path


def test_videos_are_found_by_text(table: Path, tmp_path: Path) -> None:
    """Without a column of pictures, `retrieve` reads the videos; with neither, the sounds."""
    clips = tmp_path / "clips.csv"
    rows = [f"{table.parent / f'{n}.mp4'},the {n % 3} of {n}" for n in range(ROWS)]
    clips.write_text("\n".join(["clip,text", *rows]))
    run = tmp_path / "run"
    trained = weft("train", "retrieve", "--data", clips, "--out", run, *FAST)
    assert trained.code == 0, trained.err
    assert weft("evaluate", run).code == 0
    found = weft("search", run, "--text", "the 1 of 4", "--k", 1)
    assert found.code == 0, found.err
    assert ".mp4" in found.out
    words = ("--columns", "audio=clip", "--find", "audio")
    heard = weft("train", "retrieve", "--data", clips, *words, "--out", tmp_path / "heard", *FAST)
    assert heard.code == 0, heard.err
    recipe = json.loads((tmp_path / "heard" / "recipe.json").read_text())
    assert set(recipe["data"]["streams"]) == {"audio", "text"}
    twice = tmp_path / "twice.csv"
    twice.write_text("\n".join(["clip,other,text", *(f"{r.partition(',')[0]},{r}" for r in rows)]))
    refused = weft("train", "retrieve", "--data", twice, "--out", tmp_path / "none", *FAST)
    assert refused.code == 2
    assert "reads one column of videos, the table has: clip, other" in refused.err


def test_a_table_is_trained_measured_and_asked(table: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    trained = weft("train", "classify", "--data", table, "--out", run, *FAST)
    assert trained.code == 0, trained.err
    recipe = json.loads((run / "recipe.json").read_text())
    assert {"recording", "clip", "keywords"} <= set(recipe["data"]["streams"])
    measured = weft("evaluate", run)
    assert measured.code == 0, measured.err
    assert "sounds are identical" in measured.out
    assert weft("report", run, "--out", tmp_path / "report.html").code == 0
    asked = weft("predict", run, table, "--out", tmp_path / "found.csv")
    assert asked.code == 0, asked.err
    with (tmp_path / "found.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == ROWS
    check_one_recording(run, tmp_path / "new")


def check_one_recording(run: Path, folder: Path) -> None:
    """What is found of a file, what is missing and why, in one line, before the prediction."""
    folder.mkdir()
    files = {
        "both.mp4": film(5, sound=tone(0.4)),
        "mute.mp4": film(5),
        "silent.mp4": film(5, sound=0 * tone(0.4)),
        "voice.wav": sound_file(tone(0.3)),
    }
    keywords = "keywords (a video cannot contain it)"
    lines = {
        "both.mp4": f"found recording (sound), clip (video); missing {keywords}",
        "mute.mp4": "found clip (video); missing recording (has no sound track, it holds: video), "
        f"{keywords}",
        "silent.mp4": "found clip (video); missing recording (silent, no sample is above -60 dB of full "
        f"scale), {keywords}",
        "voice.wav": "found recording (sound); missing clip (a sound cannot contain it), keywords (a sound cannot contain it)",
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
        asked = weft("predict", run, folder / name)
        assert asked.code == 0, asked.err
        assert f"{folder / name}: {lines[name]}\n" in asked.err
        header, row = asked.out.splitlines()
        assert header.startswith("id,prediction,probability")
        assert row.split(",")[0] == Path(name).stem
    (folder / "empty.wav").write_bytes(sound_file(0 * tone(0.3)))
    refused = weft("predict", run, folder / "empty.wav")
    assert refused.code == 2
    assert "nothing that this run reads was found: recording (silent" in refused.err
    assert refused.out == ""


@pytest.fixture
def told(tmp_path: Path) -> Callable[[str], Path]:
    """A kind of media -> a table of ROWS files n.wav or n.mp4 that all differ, with a text, a question and an answer."""

    def written(kind: str) -> Path:
        suffix = SUFFIXES[kind]
        for n in range(ROWS):
            content = sound_file(bursts(n, 0.4)) if kind == "audio" else film(4, first=n)
            (tmp_path / f"{n}{suffix}").write_bytes(content)
        path = tmp_path / f"{kind}.csv"
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["recording", "words", "question", "answer"])
            for n in range(ROWS):
                about = ("what is it?", "is it over?")[n // 2 % 2]
                rows.writerow([f"{n}{suffix}", f"a {n} of no use", about, ANSWERS[n % 2]])
        return path

    return written


def trained(recipe: str, table: Path, *words: object) -> Path:
    """A measured run beside the table."""
    run = table.parent / recipe
    done("train", recipe, "--data", table, "--out", run, *words, *FAST)
    done("evaluate", run)
    return run


@pytest.mark.parametrize("kind", SUFFIXES)
def test_an_indexed_recording_finds_itself(kind: str, told: Callable[[str], Path]) -> None:
    table = told(kind)
    run = trained("retrieve", table, "--target", "words")
    done("index", "build", run, "--data", table)
    for n in (0, 5, ROWS - 1):
        file = table.parent / f"{n}{SUFFIXES[kind]}"
        out = done("search", run, f"--{kind}", file, "--k", 3)
        hits = [line.split() for line in out.splitlines()[1:]]
        assert len(hits) == 3
        assert hits[0] == ["1.000", file.name, str(file)]


@pytest.mark.parametrize("kind", SUFFIXES)
def test_recordings_are_captioned(kind: str, told: Callable[[str], Path]) -> None:
    table = told(kind)
    run = trained("caption", table, "--target", "words")
    files = [str(table.parent / f"{n}{SUFFIXES[kind]}") for n in (3, 7)]
    lines = [line.split("\t") for line in done("caption", run, f"--{kind}", *files).splitlines()]
    assert [name for name, _ in lines] == files
    known = {word for n in range(ROWS) for word in f"a {n} of no use".split()}
    assert all(set(said.split()) <= known for _, said in lines), lines
    assert all(said for _, said in lines), lines


@pytest.mark.parametrize("kind", SUFFIXES)
def test_questions_about_recordings_are_answered(kind: str, told: Callable[[str], Path]) -> None:
    table = told(kind)
    run = trained("answer", table, "--target", "answer", "--question", "question")
    question = ("--text", "what is it?")
    answered = [
        [line.split() for line in done("ask", run, *given, *question).splitlines()]
        for given in ((), *((f"--{kind}", table.parent / f"{n}{SUFFIXES[kind]}") for n in (0, 9)))
    ]
    for lines in answered:
        assert {answer for _, answer in lines} == set(ANSWERS)
        assert sum(float(share) for share, _ in lines) == pytest.approx(1, abs=0.003)
    alone, *seen = answered
    assert alone not in seen, "the recording does not matter"
