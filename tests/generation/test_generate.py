"""`weft generate` and `weft evaluate --judge` on tiny trained runs, and what they refuse in one line."""

import json
import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tiny_drawings as tiny
import torch
from tiny_runs import done, refused, unchanged

from weft.core.errors import WeftError
from weft.core.media import Media
from weft.core.samples import Sample
from weft.decoders.flow import Flow
from weft.heads.pictures import PictureValues
from weft.inference.results import Drawn, TaskResult
from weft.inference.wording import ORIGINAL, REAL
from weft.modalities.image import Image
from weft.runs.budget import Budget
from weft.runs.compare import contest
from weft.runs.generating import generate
from weft.runs.judged import OF_ANOTHER, judged
from weft.runs.measure import Measurement, measure
from weft.runs.parts import open_split
from weft.runs.run import load
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
    return np.asarray(PIL.Image.open(file))


def test_one_picture_in_a_file(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "red.png"
    with unchanged(runs / "flow"):
        said = done("generate", runs / "flow", "--text", "a red circle", "--out", out)
    assert str(out) in said
    assert re.search(r"1 generated in [\d.]+ s, [\d.e+-]+ a second$", said.strip())
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


def test_each_of_several_texts_has_a_row_of_the_grid(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "grid.png"
    texts = ("a red circle", "a blue circle")
    done("generate", runs / "flow", "--out", out, "--steps", 2, "--n", 3, "--text", *texts)
    side = tiny.SIDE + 2
    assert pixels(out).shape == (2 * side - 2, 3 * side - 2, 3)
    alone = tmp_path / "alone.png"
    done("generate", runs / "flow", "--out", alone, "--steps", 2, "--text", texts[0])
    assert np.array_equal(pixels(out)[: tiny.SIDE, : tiny.SIDE], pixels(alone))


def test_several_pictures_in_a_folder(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "drawn"
    done("generate", runs / "flow", "--text", "a red circle", "--n", 11, "--out", out)
    assert sorted(p.name for p in out.iterdir()) == [f"{n:02d}.png" for n in range(1, 12)]
    each = [pixels(file) for file in sorted(out.iterdir())]
    assert len({one.tobytes() for one in each}) == 11


LONG = " ".join(["red"] * 2500)
STRANGE = " ".join(f"zz{n:04d}q" for n in range(1250))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--text", ""), "--text: got an empty value"),
        (("--text", "  "), "the text '  ' is empty"),
        (("--text", LONG), "text 'red red"),
        (("--text", "a zebra quagga"), "never seen in training: zebra, quagga"),
        (("--text", STRANGE), "zz0004q and 1 more"),
        (("--text", "图"), "图"),
        (("--text", "a red circle", "--n", 0), "--n is 0, expected 1 to 100000"),
        (("--text", "a red circle", "--n", 10**9), "--n is 1000000000"),
        (("--text", "a red circle", "--guidance", "nan"), "--guidance is nan"),
        (("--text", "a red circle", "--guidance", "inf"), "--guidance is inf"),
        (("--text", "a red circle", "--steps", 0), "--steps is 0"),
        (("--text", "a red circle", "--seed", -1), "--seed is -1"),
        (("--text", "a red circle", "--head", "speech"), "speech"),
        ((), "text"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_input_is_one_line(
    runs: Path, tmp_path: Path, words: tuple[object, ...], message: str
) -> None:
    assert len(LONG) == len(STRANGE) == 9999
    out = tmp_path / "one.png"
    said = refused("generate", runs / "flow", "--out", out, *words)
    assert message in said
    assert len(said) < 400
    assert not out.exists()


def test_settings_without_effect_are_refused(runs: Path, tmp_path: Path) -> None:
    """A GAN has no steps, and a deterministic autoencoder makes the same of an input each time."""
    train(tiny.gan(runs / "easy_vqa", steps=1), tmp_path / "gan")
    train(tiny.both_ways(runs / "easy_vqa", "mean"), tmp_path / "both")
    red, out = ("--text", "a red circle"), ("--out", tmp_path / "x.png")
    gan = ("generate", tmp_path / "gan", *red, *out)
    done(*gan, "--n", 2, "--seed", 1)
    for name in ("guidance", "steps"):
        line = refused(*gan, f"--{name}", 2)
        assert f"{name} is 2" in line
        assert "generates with a PictureConvolutions, which has no such setting" in line
    both = ("generate", tmp_path / "both", *red, *out)
    assert "seed is 1, but head 'image' generates" in refused(*both, "--seed", 1)
    assert "n is 2, expected 1: head 'image' generates without noise" in refused(*both, "--n", 2)
    found = measure([load(tmp_path / "gan")], "generation").result.protocol
    assert found["size"] == f"3 x {tiny.SIDE} x {tiny.SIDE}, as the stream is read and resized"
    assert {"seed"} == {"steps", "guidance", "shift", "latent", "seed"} & found.keys()


def test_a_variational_autoencoder_generates_samples_of_its_latent(
    runs: Path, tmp_path: Path
) -> None:
    train(tiny.both_ways(runs / "easy_vqa", "product"), tmp_path / "run")

    def drawn(*words: object) -> np.ndarray:
        file = tmp_path / "one.png"
        done("generate", tmp_path / "run", "--text", "a red circle", "--out", file, *words)
        return pixels(file)

    mean = drawn()
    assert np.array_equal(mean, drawn())
    sampled = drawn("--seed", 1)
    assert np.array_equal(sampled, drawn("--seed", 1))
    assert not np.array_equal(sampled, mean)
    assert not np.array_equal(sampled, drawn("--seed", 2))
    four = drawn("--n", 4)
    side = tiny.SIDE
    each = [four[y : y + side, x : x + side] for y in (0, side + 2) for x in (0, side + 2)]
    assert len({one.tobytes() for one in each}) == 4
    assert "guidance is 2" in refused(
        "generate", tmp_path / "run", "--text", "a red circle", "--guidance", 2,
        "--out", tmp_path / "no.png",
    )  # fmt: skip


def test_places_that_cannot_be_written_are_named_before_anything_is_drawn(
    runs: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("here")
    red = ("generate", runs / "flow", "--text", "a red circle")
    for out in (tmp_path / "file" / "one.png", tmp_path / "file" / "folder", Path("/proc/x/y")):
        said = refused(*red, "--n", 100_000, "--out", out)
        assert said.startswith(f"{out}: cannot be written")
    for name in ("one.jpg", "one.wav", "one.png.gz"):
        said = refused(*red, "--n", 100_000, "--out", tmp_path / name)  # which would take an hour
        assert "expected a name that ends with .png, or a folder" in said
        assert not (tmp_path / name).exists()


def test_a_run_of_another_task_is_named(runs: Path, tmp_path: Path) -> None:
    said = refused(
        "generate", runs / "judge", "--text", "a red circle", "--out", tmp_path / "x.png"
    )
    assert (
        "no head of this run generates pictures or sounds, its heads are: kind (predicts classes)"
        in said
    )
    said = refused("transcribe", runs / "flow", tmp_path, "--head", "picture")
    assert said.endswith("head 'picture' generates pictures, expected one that writes transcripts")
    said = refused("generate", tmp_path / "nowhere", "--text", "a", "--out", tmp_path / "x.png")
    assert "nowhere" in said


@pytest.mark.parametrize(
    "words",
    [("--text", "a red circle"), ("--rows", 2, "--deletion", 0), ("--rows", 0, "--deletion", 2)],
)
def test_generated_pictures_cannot_be_explained(runs: Path, words: tuple[object, ...]) -> None:
    assert refused("explain", runs / "flow", *words) == (
        "head 'picture' generates pictures; they have no score, so they cannot be explained, expected a head that "
        "predicts classes, tags or numbers, or writes texts"
    )


def test_a_judge_says_what_it_sees_in_what_is_drawn(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside it what it sees in real pictures, and in those drawn for other rows. The folder "." has a name, too."""
    out = tmp_path / "found.json"
    monkeypatch.chdir(runs / "judge")
    said = done("evaluate", runs / "flow", "--judge", ".", "--json", out)
    assert "judge" in said
    found = json.loads(out.read_text())
    assert {"judge/accuracy", "judge/rarest_class"} <= found["metrics"].keys()
    for baseline in (REAL, ORIGINAL, OF_ANOTHER):
        assert "judge/accuracy" in found["baselines"][baseline]
    refused_ = refused("evaluate", runs / "judge", "--judge", runs / "judge")
    assert "generates nothing" in refused_


def test_generators_are_compared_row_by_row(runs: Path, tmp_path: Path) -> None:
    """A flow and a GAN: by KID, and by what a judge sees."""
    gan, out = tmp_path / "gan", tmp_path / "found.json"
    train(tiny.gan(runs / "easy_vqa"), gan)
    words = ("--task", "generation", "--judge", runs / "judge", "--json", out)
    done("evaluate", runs / "flow", "--against", gan, *words)
    found = json.loads(out.read_text())
    differences = found["against"]["differences"]
    assert {"KID", "judge/accuracy"} <= differences.keys()
    done("evaluate", gan, *words)
    other = json.loads(out.read_text())["metrics"]
    for name, one in differences.items():
        assert one["value"]["value"] == pytest.approx(found["metrics"][name]["value"])
        assert one["other"]["value"] == pytest.approx(other[name]["value"])
        assert one["difference"]["low"] <= one["difference"]["high"]


def test_recipes_that_generate_are_compared(runs: Path, tmp_path: Path) -> None:
    data, judge = runs / "easy_vqa", load(runs / "judge")
    entries = {"flow": [tiny.flow(data)], "gan": [tiny.gan(data)]}
    budget = Budget(steps=2)
    found = contest(entries, tmp_path, budget=budget)
    assert found.metric.name == "KID"
    for one in found.contestants:
        measured = measure([load(one.runs[0])], "generation").result
        assert one.estimate.value == pytest.approx(measured.metrics["KID"].value)
    values = [one.estimate.value for one in found.contestants]
    assert values == sorted(values)  # lower is better
    found = contest(
        entries, tmp_path, budget=budget, metric="generation/judge/accuracy", judges=[judge]
    )
    assert found.metric.name == "judge/accuracy"
    assert OF_ANOTHER in found.contestants[0].baselines
    assert set(found.against_best) == {found.contestants[1].name}


def test_judges_are_checked_before_a_recipe_is_trained(runs: Path, tmp_path: Path) -> None:
    data, judge, flow = runs / "easy_vqa", load(runs / "judge"), load(runs / "flow")
    entries = {"flow": [tiny.flow(data)], "gan": [tiny.gan(data)]}
    budget, out = Budget(steps=2), tmp_path / "compared"
    with pytest.raises(WeftError, match="the judge does not read 'image'"):
        contest(entries, out, budget=budget, judges=[judge, flow])
    with pytest.raises(WeftError, match="did you mean generation/judge/accuracy"):
        contest(entries, out, budget=budget, judges=[judge], metric="generation/judge/acuracy")
    with pytest.raises(WeftError, match="judge/rarest_class has no value for each row"):
        contest(entries, out, budget=budget, judges=[judge], metric="generation/judge/rarest_class")
    shutil.copytree(runs / "judge", tmp_path / "judge")
    same = [judge, load(tmp_path / "judge")]
    with pytest.raises(WeftError, match="two judges are called 'judge', expected folders with"):
        contest(entries, out, budget=budget, judges=same)
    assert not out.exists()
    folders = [str(one.folder) for one in same]
    said = refused("evaluate", runs / "flow", "--judge", *folders)
    assert "two judges are called 'judge'" in said


def test_a_decoder_of_your_own_must_name_its_settings(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = load(runs / "flow")
    monkeypatch.delattr(Flow, "settings")
    for use in (lambda: measure([run], "generation"), lambda: generate(run, text="a red circle")):
        with pytest.raises(WeftError, match="decoder Flow generates nothing: it lacks settings"):
            use()


def test_a_perfect_generator_reaches_the_line_of_real_ones(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures are stored at four times the side at which the run reads them; the judge sees real and drawn ones alike."""
    run, judge = load(runs / "flow"), load(runs / "judge")
    small = open_split(run.recipe, "test")
    stored: list[Sample] = []
    for n in range(12):
        row, noise = small[n], np.random.default_rng(n).integers(0, 256, (32, 32, 3), np.uint8)
        stored.append(replace(row, items={**row.items, "image": Media.array_of(noise, "image")}))
    image = run.modalities["image"]
    pixels = torch.stack(
        [
            image.transform(
                image.decode(row.items["image"]), train=False, generator=torch.Generator()
            )
            for row in stored
        ]
    )
    shown: list[np.ndarray] = []
    decode = Image.decode

    def noted(self: Image, raw: Media) -> torch.Tensor:
        if self is judge.modalities["image"]:
            shown.append(raw.array())
        return decode(self, raw)

    monkeypatch.setattr(Image, "decode", noted)

    def found(rows: list[Sample]) -> TaskResult:
        perfect = Drawn("picture", "image", range(len(rows)), PictureValues(pixels[: len(rows)]))
        result = TaskResult("generation", {}, {}, {}, drawn=perfect)
        return judged(Measurement(result, rows, [run]), judge, "judge").result

    result = found(stored)
    for name in result.metrics.keys() - {"judge/rarest_class"}:
        assert result.metrics[name].value == result.baselines[REAL][name], name
    assert result.metrics["judge/rarest_class"].value == 100
    sides = Counter(picture.shape[0] for picture in shown)
    # Generated, generated for another row, and real as the run reads them; twice, for the classes, but for those of another row.
    assert sides == {tiny.SIDE: 5 * 12, 32: 12}
    first = pixels[0].permute(1, 2, 0).numpy()
    assert sum(np.array_equal(first, picture) for picture in shown) == 5
    lacking = replace(stored[3], items={k: v for k, v in stored[3].items.items() if k != "image"})
    shown.clear()
    result = found([*stored[:3], lacking, *stored[4:]])  # drawn for a row that has no picture
    assert Counter(picture.shape[0] for picture in shown) == {tiny.SIDE: 3 * 12 + 2 * 11, 32: 11}
    assert REAL in result.baselines


def test_a_limit_leaves_generated_values_with_their_own_rows(runs: Path) -> None:
    run = load(runs / "flow")
    rows = open_split(run.recipe, "test")
    task = run.recipe.tasks["generation"]
    every, some = (
        replace(task, limit=limit).build().evaluate([run.member(rows, cached=False)], rows)
        for limit in (None, 10)
    )
    assert every.drawn is not None
    assert some.drawn is not None
    assert some.protocol["left_out_unreadable"] == 0  # rows beyond the limit are not asked for
    assert list(some.drawn.rows) == [n * len(rows) // 10 for n in range(10)]
    for place, row in enumerate(some.drawn.rows):
        assert np.array_equal(
            some.drawn.values.media(place).array(), every.drawn.values.media(row).array()
        )
    assert some.drawings
    assert all(entry.row in some.drawn.rows for one in some.drawings for entry in one.inputs)
