"""Rows that lack an optional stream, from the files to the model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from weft.architectures.model import Model
from weft.core.errors import DataError, WeftError
from weft.core.interfaces import JOINT
from weft.core.media import Alternatives, Media
from weft.core.records import Batch, Features, Field
from weft.core.samples import Sample
from weft.data.columns import ModalitySource, Source
from weft.data.features import CacheConfig, cache_features
from weft.data.loader import Loader
from weft.data.presence import collate_present
from weft.encoders.frozen import PartlyFrozenConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig
from weft.fusion.early import EarlyConfig
from weft.inference.config import InferenceConfig
from weft.inference.rows import Reading, read_rows
from weft.layers.transformer import TransformerConfig
from weft.modalities.image import ImageConfig
from weft.modalities.text import Text, TextConfig

CAPTIONS = ["a red dog", None, Alternatives(["two birds fly", "birds over the blue sea"]), "a cat"]
PICTURES = (True, True, False, True)
WIDTHS = {"text": 8, "image": 8}


def rows() -> list[Sample]:
    random = np.random.default_rng(0)
    found = []
    for number, (caption, picture) in enumerate(zip(CAPTIONS, PICTURES, strict=True)):
        items: dict[str, Any] = {} if caption is None else {"text": caption}
        pixels = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        items["image"] = Media.array_of(pixels, "image") if picture else None
        found.append(Sample(f"s{number}", f"g{number}", items, f"rows:{number + 1}"))
    return found


def text() -> Text:
    modality = TextConfig(vocab_size=300, max_length=12).build()
    modality.fit(["a red dog two birds fly over the blue sea cat"])
    return modality


def sources(dataset: list[Sample], optional: tuple[str, ...]) -> dict[str, ModalitySource]:
    modalities = {"text": text(), "image": ImageConfig(size=8).build()}
    return {
        stream: ModalitySource(dataset, stream, modality, optional=stream in optional)
        for stream, modality in modalities.items()
    }


def loaded(dataset: list[Sample], size: int = 4) -> list[Batch]:
    return read(dataset, sources(dataset, ("text", "image")), size)


def read(dataset: list[Sample], found: Mapping[str, Source], size: int = 4) -> list[Batch]:
    config = InferenceConfig(batch_size=size)
    return [rows.batches[0] for rows in read_rows([Reading(found)], dataset, config)]


def model() -> Model:
    torch.manual_seed(0)
    text_config = TextTransformerConfig(300, 8, 2, 2, norm="post", pooling="cls", pooler=True)
    image_config = ViTConfig(image_size=8, patch_size=4, dim=8, depth=1, heads=2)
    encoders = {"text": PartlyFrozenConfig(text_config).build(), "image": image_config.build()}
    fusion = EarlyConfig(WIDTHS, TransformerConfig(dim=8, depth=1, heads=2)).build()
    return Model(encoders, fusion).eval()


def fused(batch: Batch) -> torch.Tensor:
    made = model()
    return made.fuse({s: made.encode(s, value) for s, value in batch.inputs.items()})[JOINT].pooled


def test_the_batch_says_which_rows_lack_a_stream() -> None:
    (batch,) = loaded(rows())
    words, images = batch.inputs["text"], batch.inputs["image"]
    assert isinstance(words, Field)
    assert isinstance(images, Field)
    assert words.present is not None
    assert words.mask is not None
    assert words.present.tolist() == [True, False, True, True]
    assert words.mask.any(dim=1).tolist() == [True, False, True, True]
    assert images.present is not None
    assert images.present.tolist() == list(PICTURES)
    assert images.values.dtype == torch.uint8
    assert images.values.shape == (4, 3, 8, 8)
    assert not images.values[2].any()
    assert len(batch) == 4


def test_a_batch_in_which_all_rows_lack_a_stream_lacks_it() -> None:
    dataset = [row for row in rows() if row.items.get("text") is None]
    (batch,) = loaded(dataset)
    assert batch.inputs.keys() == {"image"}
    (field,) = batch.inputs.values()
    assert isinstance(field, Field)
    assert field.present is None


def test_each_row_is_fused_as_it_is_alone() -> None:
    (together,) = loaded(rows())
    alone = torch.cat([fused(batch) for batch in loaded(rows(), size=1)])
    torch.testing.assert_close(fused(together), alone, atol=1e-5, rtol=0)


def test_cached_features_lack_the_same_rows(tmp_path: Path) -> None:
    dataset = rows()
    raw = sources(dataset, ("text", "image"))
    encoder: Any = model().encoders["text"]
    cached = cache_features(
        raw["text"], encoder, CacheConfig(folder=tmp_path), described_by=[], train=False
    )
    assert cached.views(1) == 1
    both = {"text": cached, "image": raw["image"]}
    (batch,) = read(dataset, both)
    features = batch.inputs["text"]
    assert isinstance(features, Features)
    assert features.mask.any(dim=1).tolist() == [True, False, True, True]
    (computed,) = loaded(dataset)
    # The cache keeps half precision.
    torch.testing.assert_close(fused(batch), fused(computed), atol=5e-3, rtol=0)
    assert not model().encode("text", features).pooled[1].any()


def test_an_empty_text_is_an_error_and_not_a_missing_one() -> None:
    dataset = [Sample("s", "g", {"text": "  ", "image": None}, "rows:1")]
    with pytest.raises(DataError, match="rows:1: caption is empty"):
        loaded(dataset)


def test_without_leave_a_missing_stream_is_an_error() -> None:
    dataset = rows()
    found = sources(dataset, ("image",))
    with pytest.raises(DataError, match="rows:2: has no 'text', it has: image"):
        read(dataset, found)


def test_a_cache_of_nothing_is_refused(tmp_path: Path) -> None:
    dataset = [Sample("s", "g", {"text": None}, "rows:1")]
    source = sources(dataset, ("text",))["text"]
    encoder: Any = model().encoders["text"]
    with pytest.raises(WeftError, match="no row of this stream could be encoded"):
        cache_features(source, encoder, CacheConfig(folder=tmp_path), described_by=[], train=False)


def test_collate_present_keeps_what_the_modality_says() -> None:
    def collate(items: Any) -> Field:
        return Field(torch.stack(list(items)), present=torch.tensor([True, False]))

    field = collate_present([torch.ones(2), None, torch.ones(2)], collate)
    assert isinstance(field, Field)
    assert field.present is not None
    assert field.present.tolist() == [True, False, False]
    assert field.mask is None
    assert collate_present([None, None], collate) is None


def test_a_training_batch_has_every_stream_even_if_no_row_of_it_has() -> None:
    """So that a rank without any such row computes as often as the others."""
    dataset = [row for row in rows() if "text" not in row.items] + [rows()[0]]
    found = sources(dataset, ("text", "image"))
    loader = Loader(dataset, found, batch_size=1, seed=0, workers=0)
    batches = [loader.batch(step) for step in range(2)]
    for batch in batches:
        words = batch.inputs["text"]
        assert isinstance(words, Field)
        there = batch.ids[0] == "s0"
        assert (words.present is None) == there
        if not there:
            assert words.present is not None
            assert words.mask is not None
            assert not words.present.any()
            assert not words.mask.any()
            features = model().encode("text", words)
            assert not features.present.any()
            assert not features.pooled.any()
    assert {batch.ids[0] for batch in batches} == {"s0", "s1"}
