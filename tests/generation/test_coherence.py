"""Joint coherence of tiny autoencoders, by what is generated from samples of their latents."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_drawings as tiny
import torch
from tiny_runs import done, refused

from weft.core.errors import DataError, WeftError
from weft.core.media import Alternatives
from weft.core.samples import Sample
from weft.data.formats import Subset
from weft.fusion.joint_posterior import JointPosterior
from weft.heads.classes import ClassOutput
from weft.heads.texts import TextOutput, TextValues
from weft.runs import coherence, latents
from weft.runs.coherence import (
    OTHERS,
    classes_of_texts,
    said_classes,
    same,
    with_cross_coherence,
    with_joint_coherence,
)
from weft.runs.judged import OF_ANOTHER
from weft.runs.latents import mixture_samples, training_latents
from weft.runs.measure import measure
from weft.runs.parts import open_split
from weft.runs.run import load
from weft.runs.train import train

SAMPLES = 150
"""More than are made at once."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("coherence")
    data = tiny.pictures(folder / "easy_vqa")
    train(tiny.both_ways(data), folder / "product")
    train(tiny.both_ways(data, "mean"), folder / "mean")
    train(tiny.judge(data, steps=1), folder / "judge")
    return folder


def test_streams_are_coherent_where_all_show_one_class() -> None:
    classes = [["star", "star", "ring", ""], ["star", "ring", "ring", ""]]
    assert same(classes).tolist() == [1, 0, 1, 0]
    assert same([*classes, ["star", "star", "star", "star"]]).tolist() == [1, 0, 0, 0]


def test_a_reconstruction_shows_what_is_made_of_all_streams_and_of_each(runs: Path) -> None:
    run = load(runs / "mean")
    found = measure([run], "reconstruction", audited=False)
    shown = found.result.drawings[0]
    row = shown.inputs[0].row
    assert [entry.stream for entry in shown.inputs] == ["image", "text"]
    assert list(shown.others) == ["generated from image", "generated from text"]
    items = found.dataset[row].items
    made = run.predict(head="image", image=items["image"]).values.display(0)
    assert np.array_equal(
        shown.others["generated from image"].pictures[0].pixels, made.pictures[0].pixels
    )
    assert not np.array_equal(shown.drawn.pictures[0].pixels, made.pictures[0].pixels)
    done("report", runs / "mean")
    page = (runs / "mean" / "report.html").read_text(encoding="utf-8")
    assert "generated from text" in page


def test_made_of_one_sample_all_agree_and_made_of_others_by_chance(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a made-up model whose picture and text show the same class, one of two."""
    run, judge = load(runs / "product"), load(runs / "judge")
    found = measure([run], "reconstruction", audited=False)
    kinds = [f"a {('red', 'blue')[n % 3 == 0]} circle" for n in range(SAMPLES)]
    texts: list[int] = []

    def written(self: TextOutput, parts: list) -> TextValues:  # type: ignore[type-arg]
        texts.extend(parts[0].seeds.tolist())
        return TextValues(tuple(kinds[seed] for seed in parts[0].seeds.tolist()))

    monkeypatch.setattr(TextOutput, "read", written)
    monkeypatch.setattr(
        coherence, "seen_classes", lambda judge, stream, drawn: [k[2:] for k in kinds]
    )
    monkeypatch.setattr(coherence, "classes_of_texts", lambda *_: {k: k[2:] for k in kinds})
    result = with_joint_coherence(found, [judge], SAMPLES).result
    assert texts == [*range(SAMPLES)] * 2
    assert result.metrics["joint_coherence"].value == 100
    assert result.metrics["mixture_coherence"].value == 100
    apart = [a == b for a, b in zip(kinds, kinds[1:] + kinds[:1], strict=True)]
    expected = 100 * torch.tensor(apart).double().mean()
    assert result.baselines[OTHERS]["joint_coherence"] == pytest.approx(float(expected))
    assert result.protocol["samples of the latent"] == SAMPLES
    assert result.protocol["judged streams"] == "image, text"
    with pytest.raises(WeftError, match="1 samples of the latent, expected 2 or more"):
        with_joint_coherence(found, [judge], 1)


def test_what_is_made_of_other_streams_shows_the_class_of_its_row(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of made-up pictures that are right, and texts that say nothing; one row has no class."""
    run, judge = load(runs / "product"), load(runs / "judge")
    found = measure([run], "reconstruction", audited=False)
    rows = [found.dataset[row] for row in range(len(found.dataset))]
    rows[3] = replace(rows[3], items={k: v for k, v in rows[3].items.items() if k != "kind"})
    kinds = [row.items["kind"] for row in rows if "kind" in row.items]
    monkeypatch.setattr(coherence, "seen_classes", lambda judge, stream, drawn: kinds)
    monkeypatch.setattr(coherence, "classes_of_texts", lambda *_: {})
    result = with_cross_coherence(replace(found, dataset=rows), [judge]).result
    picture, text = (f"{way}/cross_coherence" for way in ("text to image", "image to text"))
    assert result.metrics[picture].value == 100
    assert result.metrics[text].value == 0
    half = len(kinds) // 2
    apart = [a == b for a, b in zip(kinds, kinds[half:] + kinds[:half], strict=True)]
    assert result.baselines[OF_ANOTHER][picture] == pytest.approx(100 * sum(apart) / len(apart))
    names = {name for name in result.metrics if "cross" in name}
    assert names == {picture, text}
    assert coherence._inputs(("a", "b", "c"), "b") == [("a",), ("c",), ("a", "c")]


def test_texts_have_the_class_of_the_training_rows_that_have_just_one(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, judge = load(runs / "product"), load(runs / "judge")
    output = judge.model.head(judge.head()).output
    assert isinstance(output, ClassOutput)
    assert output.target is not None
    column = judge.recipe.data.targets[output.target].build().column

    def row(text: Any, value: Any) -> Sample:
        return Sample("a", "a", {"text": text, column: value}, "a")

    class Rows(list[Sample]):
        def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
            found = super().__getitem__(index)
            if found.items["text"] is None:
                raise DataError("cannot be read", source="a")
            return found

    ambiguous = [row("both", "star"), row("both", "ring"), row("nothing", None), row(None, "star")]
    clear = [
        row("A Star", "star"),
        row(Alternatives(["a star", "stars"]), "star"),
        row("a ring", "ring"),
        row("", "ring"),
    ]
    monkeypatch.setattr(coherence, "training_rows", lambda _: Rows([*ambiguous, *clear]))
    known = classes_of_texts(run, "text", judge)
    assert known == {"a star": "star", "stars": "star", "a ring": "ring"}
    said = TextValues(("a STAR", "both", "a ring", "nothing"))
    assert said_classes(known, said) == ["star", "", "ring", ""]
    monkeypatch.setattr(coherence, "training_rows", lambda _: Rows(ambiguous))
    with pytest.raises(WeftError, match="no text 'text' of its training rows occurs with a single"):
        classes_of_texts(run, "text", judge)


def test_the_mixture_follows_the_latents_of_the_training_rows(runs: Path) -> None:
    """Its mean and covariance are those of the training rows, and it is the same each time."""
    run = load(runs / "product")
    fusion = run.model.fusion
    assert isinstance(fusion, JointPosterior)
    rows_RL = training_latents(run, fusion)
    samples_NL = mixture_samples(run, fusion, 4000)
    assert torch.equal(samples_NL, mixture_samples(run, fusion, 4000))
    spread_L = rows_RL.std(0)
    assert torch.allclose(samples_NL.mean(0), rows_RL.mean(0), atol=0.15 * float(spread_L.max()))
    assert torch.allclose(samples_NL.std(0), spread_L, rtol=0.2, atol=0.05)


def test_without_training_rows_there_is_no_mixture(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = load(runs / "product")
    monkeypatch.setattr(latents, "training_rows", lambda run: None)
    assert isinstance(run.model.fusion, JointPosterior)
    with pytest.raises(WeftError, match="its training rows are not on this machine"):
        mixture_samples(run, run.model.fusion, 10)
    one = Subset(open_split(run.recipe, "train"), [0])
    monkeypatch.setattr(latents, "training_rows", lambda run: one)
    with pytest.raises(WeftError, match="1 training rows have a stream, expected two or more"):
        mixture_samples(run, run.model.fusion, 10)


def test_from_the_command_line(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "found.json"
    words = ("evaluate", runs / "product", "--judge", runs / "judge", "--joint", 10, "--json", out)
    said = done(*words)
    assert "joint_coherence" in said
    assert "mixture_coherence" in said
    metrics = json.loads(out.read_text())["metrics"]
    assert {
        f"{way}/cross_coherence" for way in ("text to image", "image to text")
    } <= metrics.keys()
    said = done("evaluate", runs / "mean", "--judge", runs / "judge", "--joint", 10, "--json", out)
    assert "joint_coherence" not in said  # a deterministic autoencoder has no prior
    assert "mixture_coherence" in said
    said = refused("evaluate", runs / "judge", "--judge", runs / "judge", "--joint", 10)
    assert "has no latent that could be sampled, expected an autoencoder" in said
    line = refused("evaluate", runs / "product", "--joint", 10)
    assert "--joint is 10, but no judge is given, expected one or more runs" in line
    assert "0 to 100,000" in refused(
        "evaluate", runs / "product", "--judge", runs / "judge", "--joint", -1
    )
