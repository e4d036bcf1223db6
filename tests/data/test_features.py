"""Cached features equal computed ones, and nothing stale is ever read."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from weft.core.config import Config, to_json
from weft.core.errors import DataError, WeftError
from weft.core.media import Alternatives, Media
from weft.core.records import Features, Field
from weft.core.samples import Sample
from weft.data.columns import ModalitySource
from weft.data.features import CacheConfig, CachedFeatures, cache_features
from weft.encoders.frozen import FrozenConfig, PartlyFrozenConfig
from weft.encoders.resnet import ResNetConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.modalities.image import ImageConfig, mirrored
from weft.modalities.text import TextConfig

IMAGE = ImageConfig(size=32, eval_views=mirrored())
ENCODER = FrozenConfig(ResNetConfig(depth=18, width=8), tokens=False)
CAPTIONS = [
    Alternatives(texts)
    for texts in (["a red dog runs", "dog"], ["two birds fly over the blue sea"], ["dog", "a cat"])
]


def rows(count: int = 5) -> list[Sample]:
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (40, 48, 3), dtype=np.uint8) for _ in range(count)]
    return [
        Sample(
            f"s{n}",
            f"g{n}",
            {"image": Media.array_of(p, "image"), "text": CAPTIONS[n % 3]},
            f"rows:{n}",
        )
        for n, p in enumerate(pictures)
    ]


def built(config: Config, seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    encoder: torch.nn.Module = config.build()  # type: ignore[attr-defined]
    return encoder.eval()


def cached(
    folder: Path,
    dataset: list[Sample] | None = None,
    *,
    image: ImageConfig = IMAGE,
    seed: int = 0,
    train_views: int = 2,
) -> CachedFeatures:
    source = ModalitySource(dataset or rows(), "image", image.build())
    config = CacheConfig(folder=folder, train_views=train_views, batch_size=2)
    return cache_features(
        source, built(ENCODER, seed), config, described_by=[ENCODER, image], train=True
    )


def files(folder: Path) -> set[Path]:
    return set(folder.rglob("*.safetensors"))


def pooled(source: CachedFeatures, index: int, view: int) -> torch.Tensor:
    item = source.load(index, train=False, generator=torch.Generator(), view=view)
    return source.collate([item]).pooled


def test_fixed_views_equal_what_the_encoder_computes(tmp_path: Path) -> None:
    source, encoder, modality = cached(tmp_path), built(ENCODER), IMAGE.build()
    for index, sample in enumerate(rows()):
        for view in range(2):
            item = modality.transform(
                modality.decode(sample.items["image"]),
                train=False,
                generator=torch.Generator(),
                view=view,
            )
            expected = encoder(modality.collate([item])).pooled
            assert torch.allclose(pooled(source, index, view), expected, atol=2e-3, rtol=2e-3)


def test_training_draws_from_fixed_and_random_views(tmp_path: Path) -> None:
    source = cached(tmp_path)
    generator = torch.Generator().manual_seed(0)
    drawn = {source.load(0, train=True, generator=generator, view=0) for _ in range(100)}
    assert len(drawn) == 4
    vectors = source.collate(sorted(drawn)).pooled
    assert len({tuple(v.tolist()) for v in vectors}) == 4


def test_a_second_time_nothing_is_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = pooled(cached(tmp_path), 3, 1)
    before = {path: path.stat().st_mtime_ns for path in files(tmp_path)}

    def refuse(*_: object) -> None:
        raise AssertionError("the encoder ran although everything was cached")

    monkeypatch.setattr("weft.encoders.frozen.Frozen.frozen", refuse)
    assert torch.equal(pooled(cached(tmp_path), 3, 1), first)
    assert {path: path.stat().st_mtime_ns for path in files(tmp_path)} == before


@pytest.mark.parametrize("change", ["weights", "transform", "content"])
def test_another_encoder_transform_or_content_is_computed_anew(tmp_path: Path, change: str) -> None:
    old = pooled(cached(tmp_path), 0, 0)
    before = files(tmp_path)
    if change == "weights":
        new = cached(tmp_path, seed=1)
    elif change == "transform":
        new = cached(tmp_path, image=IMAGE.replace(size=40))
    else:
        changed = rows()
        changed[0].items["image"].array()[:20] ^= 255
        new = cached(tmp_path, changed)
    assert files(tmp_path) > before
    assert not torch.equal(pooled(new, 0, 0), old)


def test_new_rows_are_added_and_old_ones_kept(tmp_path: Path) -> None:
    cached(tmp_path, rows(3))
    before = files(tmp_path)
    source = cached(tmp_path, rows(5))
    assert len(files(tmp_path)) == len(before) + 1
    assert pooled(source, 4, 0).isfinite().all()


def test_the_seed_of_a_random_view_is_the_content(tmp_path: Path) -> None:
    one = cached(tmp_path / "a", rows(3), train_views=4)
    other = cached(tmp_path / "b", list(reversed(rows(3))), train_views=4)
    assert torch.equal(one.collate(one._rows[0]).pooled, other.collate(other._rows[2]).pooled)  # type: ignore[arg-type]


def test_an_interrupted_computation_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.data.features.SAMPLES_PER_CHUNK", 4)
    expected = pooled(cached(tmp_path / "whole"), 4, 1)
    cached(tmp_path / "cut")
    lost = sorted(files(tmp_path / "cut"))[:2]
    for path in lost:
        path.unlink()
    assert torch.equal(pooled(cached(tmp_path / "cut"), 4, 1), expected)


def damage(path: Path, how: str) -> None:
    """Replaces a chunk by a whole file with something wrong in it."""
    with safe_open(path, "pt") as file:
        told = json.loads(file.metadata()["weft"])
    del told["#checksum"]
    pooled = load_file(path)["pooled"]
    tensors = {
        "a tensor is missing": {"x": pooled},
        "rows are missing": {"pooled": pooled[:3].contiguous()},
        "not a number": {"pooled": pooled * float("nan")},
        "lengths without tokens": {"pooled": pooled, "lengths": torch.ones(len(pooled))},
        "lengths that do not fit": {
            "pooled": pooled,
            "tokens": pooled.clone(),
            "lengths": torch.full((len(pooled),), 2),
        },
        "one dimension": {"pooled": pooled.flatten()},
    }
    if how in tensors:
        save_file(tensors[how], path, {"weft": json.dumps(told)})
    elif how == "cut off":
        path.write_bytes(path.read_bytes()[:100])
    else:
        save_file({"pooled": pooled}, path, {"weft": json.dumps({"aliases": {}, "keys": 3})})


@pytest.mark.parametrize(
    "how",
    [
        "a tensor is missing",
        "rows are missing",
        "lengths without tokens",
        "lengths that do not fit",
        "one dimension",
        "cut off",
        "keys that are no list",
    ],
)
def test_a_damaged_chunk_is_named_and_made_anew(
    tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    expected = pooled(cached(tmp_path), 0, 1)
    (path,) = files(tmp_path)
    content = path.read_bytes()
    damage(path, how)
    assert torch.equal(pooled(cached(tmp_path), 0, 1), expected)
    assert f"{path}: is not a chunk of a feature cache" in caplog.text
    assert [file.read_bytes() for file in files(tmp_path)] == [content]


def test_other_values_in_a_chunk_are_noticed_and_made_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected = pooled(cached(tmp_path), 0, 1)
    (path,) = files(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[:-4] + content[-2:] + content[-4:-2])  # two values change places
    assert path.read_bytes() != content
    assert torch.equal(pooled(cached(tmp_path), 0, 1), expected)
    assert f"{path}: is damaged: its checksum is not" in caplog.text
    assert [file.read_bytes() for file in files(tmp_path)] == [content]


def test_values_that_are_not_numbers_are_not_trained_on(tmp_path: Path) -> None:
    """In a chunk of before there were checksums."""
    cached(tmp_path)
    (path,) = files(tmp_path)
    damage(path, "not a number")
    source = cached(tmp_path)
    with pytest.raises(WeftError, match=rf"{path.name}: holds values that are not numbers; delete"):
        pooled(source, 0, 1)


class Loud(torch.nn.Module):
    """A frozen encoder of one token; its features are `value`."""

    dim = 4

    def __init__(self, value: float) -> None:
        super().__init__()
        self._value = value

    def frozen(self, field: Field) -> Features:
        tokens = torch.ones(len(field), 3, 4)
        tokens[:, 1, 0] = self._value
        return Features(tokens, torch.ones(len(field), 3, dtype=torch.bool), tokens[:, 0])

    def trainable(self, features: Features) -> Features:
        return features

    def frozen_parameters(self) -> dict[str, torch.Tensor]:
        return {"value": torch.tensor(self._value)}


def test_features_that_half_precision_cannot_hold_are_kept_in_full(tmp_path: Path) -> None:
    def tokens(value: float) -> torch.Tensor:
        source = ModalitySource(rows(), "image", IMAGE.build())
        config = CacheConfig(folder=tmp_path)
        cache = cache_features(source, Loud(value), config, described_by=[], train=False)  # type: ignore[arg-type]
        return cache.collate([0, 1]).tokens

    assert tokens(70_000.0)[:, 1, 0].tolist() == [70_000.0, 70_000.0]
    assert tokens(3.0)[:, 1, 0].tolist() == [3.0, 3.0]
    for value in (float("nan"), float("inf")):
        with pytest.raises(WeftError, match="gave features that are not finite numbers"):
            tokens(value)


def test_a_row_that_cannot_be_read_is_met_by_the_loader(tmp_path: Path) -> None:
    dataset = rows(3)
    dataset[1].items["image"] = Media.file(tmp_path / "missing.jpg")
    source = cached(tmp_path / "cache", dataset)
    assert pooled(source, 2, 0).isfinite().all()
    with pytest.raises(DataError, match=r"^rows:1: .*missing\.jpg"):
        source.load(1, train=True, generator=torch.Generator(), view=0)


def test_tokens_of_a_partly_frozen_encoder_are_kept_without_padding(tmp_path: Path) -> None:
    modality = TextConfig(vocab_size=300).build()
    modality.fit(CAPTIONS)
    config = PartlyFrozenConfig(TextTransformerConfig(300, dim=16, depth=2, heads=2), 1)
    encoder = built(config)
    source = ModalitySource(rows(3), "text", modality)
    kept = cache_features(
        source,
        encoder,
        CacheConfig(folder=tmp_path, batch_size=2),
        described_by=[config, to_json(modality.config), modality.state()],
        train=True,
    )
    assert [kept.views(index) for index in range(3)] == [2, 1, 2]
    places = [(0, 0), (0, 1), (1, 0), (2, 1)]
    generator = torch.Generator()
    numbers = [kept.load(i, train=False, generator=generator, view=v) for i, v in places]
    found = encoder.trainable(kept.collate(numbers)).pooled
    for row, (index, view) in enumerate(places):
        ids = modality.transform(CAPTIONS[index][view], train=False, generator=generator)
        expected = encoder(modality.collate([ids])).pooled[0]
        assert torch.allclose(found[row], expected, atol=5e-3)
    # The caption "dog" stands in two rows and is kept once.
    assert kept.load(0, train=False, generator=generator, view=1) == kept.load(
        2, train=False, generator=generator, view=0
    )


def test_files_are_hashed_once_and_features_stay_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.data.digests.YOUNG_NS", 0)
    monkeypatch.setattr("weft.data.features.CHUNK_BYTES", 100)
    found = []
    for n, row in enumerate(rows()):
        path = tmp_path / f"{n}.png"
        Image.fromarray(row.items["image"].array()).save(path)
        found.append(replace(row, items={**row.items, "image": Media.file(path)}))
    first = cached(tmp_path / "cache", found)
    assert len(files(tmp_path / "cache")) > 5  # a chunk is closed by its bytes
    expected = [pooled(first, n, 1) for n in range(5)]

    def fail(self: Media) -> bytes:
        raise AssertionError(f"{self.place} was read")

    monkeypatch.setattr(Media, "load", fail)
    again = cached(tmp_path / "cache", found)
    assert all(torch.equal(pooled(again, n, 1), expected[n]) for n in range(5))
    assert isinstance(again._store._chunks[0].pooled, np.memmap)
