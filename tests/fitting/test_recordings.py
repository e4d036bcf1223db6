"""Tables of sounds and videos: their columns are read like others, alone and in pairs."""

from pathlib import Path

import numpy as np
import pytest
from fitting_tables import write_table
from made_media import bursts, film, sound_file, tone
from tiny_runs import refused

import weft
from weft.core.errors import WeftError
from weft.fitting.fit import fit
from weft.fitting.opening import open_table
from weft.fitting.result import FitResult
from weft.fitting.settings import FitSettings
from weft.fitting.stamps import stamp_of
from weft.runs.measure import measure
from weft.runs.run import load

QUICK = FitSettings(folds=2, networks=False, image_model="none")
ROWS = 48


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Low and high tones with a caption, and videos that have nothing to do with them."""
    folder = tmp_path_factory.mktemp("recordings")
    random, rows = np.random.default_rng(0), []
    for n in range(ROWS):
        high = bool(random.random() < 0.5)
        sound = tone(0.4, 1600 if high else 300) + bursts(n, 0.4, 0.1)
        (folder / f"s{n}.wav").write_bytes(sound_file(sound))
        if n % 6:
            (folder / f"v{n}.mp4").write_bytes(film(4 + n % 5, size=(32, 32)))
        rows.append(
            {
                "sound": f"s{n}.wav",
                "clip": f"v{n}.mp4" if n % 6 else "",
                "said": f"{'a shrill whistle' if high else 'a dark hum'} {n % 3}",
                "pitch": "high" if high else "low",
            }
        )
    return write_table(folder / "recordings.csv", rows)


@pytest.fixture(scope="module")
def pitch(table: Path) -> FitResult:
    settings = FitSettings(
        folds=2, networks=False, image_model="none", without=("said",), minutes=1
    )
    return weft.fit(table, target="pitch", out=table.parent / "pitch", settings=settings)


def test_sounds_and_videos_are_columns_like_others(pitch: FitResult) -> None:
    scores = {entry.candidate.name: entry.estimate.value for entry in pitch.board.entries}
    assert {"sound alone, linear", "clip alone, linear", "all columns, linear"} <= scores.keys()
    assert scores["sound alone, linear"] > 90
    assert scores["clip alone, linear"] < 75
    worth = {one.column: one.loss.value for one in pitch.important}
    assert worth["sound"] > 30 > abs(worth["clip"])


def test_the_run_takes_sounds_and_rows_without_a_video(pitch: FitResult) -> None:
    run = load(pitch.folder)
    given = [tone(0.5, 1600), tone(0.5, 300)]
    assert run.predict(sound=[{"array": one, "rate": 16_000} for one in given]).said == [
        "high",
        "low",
    ]
    assert measure([run], "classification", split="train").result.metrics["accuracy"].value > 90


def test_sounds_and_their_captions_find_each_other(table: Path) -> None:
    found = weft.fit(table, pair=("sound", "said"), out=table.parent / "pair", settings=QUICK)
    scores = {entry.candidate.name: entry.estimate.value for entry in found.board.entries}
    assert scores["linear projections"] > scores["chance"] + 10
    assert load(found.folder).embed(said=["a dark hum"]).shape[0] == 1


def test_a_network_is_trained_on_sounds_alone(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.fitting.trained.TrainedCandidate.plan_steps", lambda *_: 2)
    settings = FitSettings(folds=2, image_model="none", without=("said", "clip"))
    found = weft.fit(table, target="pitch", out=tmp_path / "run", settings=settings)
    assert "all columns, classify" in {entry.candidate.name for entry in found.board.entries}


def test_other_kinds_of_columns_or_models_are_another_stamp(table: Path) -> None:
    opened = open_table(table)
    kinds = {"sound": "audio", "said": "text"}
    known = stamp_of(opened.table, kinds, QUICK)
    assert stamp_of(opened.table, kinds, FitSettings(folds=2, image_model="none")) == known
    others = [
        stamp_of(opened.table, {**kinds, "said": "category"}, QUICK),
        stamp_of(opened.table, {"said": "text"}, QUICK),
        stamp_of(opened.table, kinds, FitSettings(folds=2, image_model="none", seed=1)),
        stamp_of(opened.table, kinds, QUICK, "pitch"),
    ]
    assert len({known, *others}) == 5


def test_the_leaderboard_of_another_target_is_kept(pitch: FitResult, table: Path) -> None:
    before = (pitch.folder / "leaderboard.json").read_bytes()
    said = refused("fit", table, "--pair", "sound", "said", "--out", pitch.folder, after_steps=True)
    assert said.endswith(
        "holds the leaderboard of 'pitch'; choose another --out for 'sound and said'"
    )
    with pytest.raises(WeftError, match="holds the leaderboard of 'pitch'"):
        fit(open_table(table), "said", pitch.folder, FitSettings(task="class"))
    assert (pitch.folder / "leaderboard.json").read_bytes() == before
