"""What is read of shards, and how often: counted."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from written_shards import write_shards

import weft
from weft.data.columns import ModalitySource, TargetSource
from weft.data.formats import _tar_members, open_dataset
from weft.data.learned import Learned
from weft.data.loader import Loader
from weft.data.targets.classes import ClassesConfig
from weft.modalities.image import ImageConfig, mirrored
from weft.modalities.text import TextConfig
from weft.runs.measure import measure
from weft.worlds.scenes import ScenesConfig

ROWS = 24


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    rows = list(ScenesConfig(count=ROWS, split="test", size=32).build())
    write_shards(rows, folder, prefix="test", samples_per_shard=10)
    return folder


@pytest.fixture
def reads(shards: Path, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each member is read, from now on."""
    counts: Counter[str] = Counter()
    original = _tar_members._from_file

    def counted(shard: Path, members: Any) -> dict[str, bytes]:
        counts.update(f"{shard.name}:{name}" for name in members)
        return original(shard, members)

    monkeypatch.setattr(_tar_members, "_from_file", counted)
    return counts


def pictures(reads: Counter[str]) -> Counter[str]:
    return Counter({name: n for name, n in reads.items() if name.endswith(".png")})


def test_learning_words_and_classes_reads_no_picture(
    shards: Path, reads: Counter[str], tmp_path: Path
) -> None:
    dataset = open_dataset(shards)
    learned = Learned.of(
        {"image": ImageConfig(), "text": TextConfig(vocab_size=300)},
        {"split": ClassesConfig("split")},
    )
    learned.learn(dataset, tmp_path)
    assert learned.modalities["text"].vocab_size > 100
    assert not pictures(reads)
    assert set(reads.values()) == {1}  # both learners


def test_a_target_decodes_no_picture(shards: Path, reads: Counter[str], tmp_path: Path) -> None:
    dataset = open_dataset(shards)
    target = ClassesConfig("split").build()
    Learned(targets={"split": target}).learn(dataset, tmp_path)
    source = TargetSource(dataset, target)
    for row in range(ROWS):
        source.load(row, train=True, generator=torch.Generator(), view=0)
    assert not pictures(reads)


def test_an_epoch_reads_each_member_once(shards: Path, reads: Counter[str], tmp_path: Path) -> None:
    dataset = open_dataset(shards)
    text = TextConfig(vocab_size=300).build()
    Learned({"text": text}).learn(dataset, tmp_path)
    sources = {
        "image": ModalitySource(dataset, "image", ImageConfig(size=32).build()),
        "text": ModalitySource(dataset, "text", text),
    }
    loader = Loader(dataset, sources, batch_size=8, seed=0, workers=2)
    assert len(list(loader.batches(0, loader.steps_per_epoch))) == 3
    assert len(pictures(reads)) == ROWS
    assert set(reads.values()) == {1}


def test_an_evaluation_reads_each_member_once(
    shards: Path, scenes_run: Path, reads: Counter[str]
) -> None:
    run = weft.load(scenes_run, device="cpu")
    found = measure([run], "retrieval", data=shards, split="test", audited=False)
    assert found.result.protocol["images"] == ROWS
    assert len(pictures(reads)) == ROWS
    assert set(reads.values()) == {1}


@pytest.mark.parametrize("runs", [1, 2])
def test_several_views_and_models_read_each_member_once(
    shards: Path, scenes_run: Path, reads: Counter[str], runs: int
) -> None:
    """Also models that see the pictures in different sizes."""
    ensemble = [weft.load(scenes_run, device="cpu") for _ in range(runs)]
    for run, size in zip(ensemble, (32, 48), strict=False):
        config = ImageConfig(size=size, eval_views=mirrored())
        run.modalities["image"] = config.build()
    found = measure(ensemble, "retrieval", data=shards, split="test", audited=False)
    assert found.result.protocol["images"] == ROWS
    assert found.result.protocol["models"] == runs
    assert len(pictures(reads)) == ROWS
    assert set(reads.values()) == {1}


def test_pictures_that_a_group_repeats_are_told_apart_by_their_size_first(
    tmp_path: Path, scenes_run: Path, reads: Counter[str]
) -> None:
    """Pairs that repeat their picture: what is as large as another of its group is read for its hash."""
    rows = ScenesConfig(count=4, split="test", size=32).build()
    pairs = [
        type(row)(f"{row.id}-{n}", row.group, {**row.items, "text": text}, row.source)
        for row in rows
        for n, text in enumerate(row.items["text"][:2])
    ]
    write_shards(pairs, tmp_path, prefix="test")
    run = weft.load(scenes_run, device="cpu")
    found = measure([run], "retrieval", data=tmp_path, split="test", audited=False)
    assert found.result.protocol["images"] == 4
    assert sorted(pictures(reads).values()) == [1, 1, 1, 1, 2, 2, 2, 2]
