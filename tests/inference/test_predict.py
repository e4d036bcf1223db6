"""What a head says of rows: all of a batch as each alone, with what each row has."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_world import WIDTH, tiny_world
from torch import nn

from weft.architectures.model import Model
from weft.core.errors import WeftError
from weft.core.media import media_of
from weft.data.columns import ModalitySource
from weft.decoders.classifier import ClassifierConfig
from weft.fusion.late import LateConfig
from weft.heads.classes import ClassOutput
from weft.heads.head import Head
from weft.inference.config import InferenceConfig
from weft.inference.given import given
from weft.inference.member import Member
from weft.inference.predict import predict
from weft.modalities.text import TextConfig

ROWS = InferenceConfig(batch_size=5, workers=0)
NAMES = ("a", "b", "c")


def member(rows, seed: int = 0, views: int = 1, **changes) -> Member:
    """Two streams, fused, under one head of three classes; rows may lack either."""
    known = tiny_world().member()
    torch.manual_seed(seed)
    decoder = ClassifierConfig(6, 3).build()
    head = Head(decoder, ClassOutput(classes=NAMES), **{"views": views, **changes})
    fusion = LateConfig(dict.fromkeys(("image", "text"), WIDTH), dim=6).build()
    model = Model(dict(known.model.encoders), fusion, heads={"kind": head}).eval()
    sources = {s: ModalitySource(rows, s, m, optional=True) for s, m in known.modalities.items()}
    return Member(model, sources, known.learned)


def rows(count: int = 12) -> list:
    return tiny_world(images=count).rows


def lacking(samples: list, stream: str, missing: set[int]) -> list:
    return [
        replace(one, items={k: v for k, v in one.items.items() if k != stream or n not in missing})
        for n, one in enumerate(samples)
    ]


def test_a_row_among_others_is_that_row_alone() -> None:
    samples = lacking(rows(), "image", {0, 4, 7})
    found = predict([member(samples)], samples, "kind", ROWS)
    assert found.rows == tuple(range(12))
    assert found.ids == tuple(one.id for one in samples)
    assert found.streams == ("image", "text")
    for row, sample in enumerate(samples):
        alone = predict([member([sample])], [sample], "kind", ROWS)
        torch.testing.assert_close(
            alone.values.probabilities[0], found.values.probabilities[row], atol=1e-6, rtol=0
        )
        assert alone.said == [found.said[row]]


@pytest.mark.parametrize("most", [1, 20_000])
def test_batches_of_few_bytes_change_nothing_and_swap_still_finds_another_row(most: int) -> None:
    samples = rows()
    whole = predict([member(samples)], samples, "kind", ROWS.replace(batch_size=12))
    small = ROWS.replace(batch_size=12, batch_bytes=most)
    found = predict([member(samples)], samples, "kind", small, swap=True)
    assert found.rows == whole.rows
    torch.testing.assert_close(
        found.values.probabilities, whole.values.probabilities, atol=1e-6, rtol=0
    )
    for other in found.swapped.values():
        same = (other.probabilities - found.values.probabilities).abs().amax(dim=1) == 0
        assert not same.any()


def test_rows_with_nothing_to_read_are_left_out() -> None:
    samples = lacking(lacking(rows(), "image", {1, 5, 6, 7, 8, 9}), "text", {1, 2, 5, 6, 7, 8, 9})
    found = predict([member(samples)], samples, "kind", ROWS, swap=True)
    assert found.rows == (0, 2, 3, 4, 10, 11)
    assert {len(values) for values in found.swapped.values()} == {6}
    nothing = [replace(one, items={}) for one in samples]
    with pytest.raises(WeftError, match="none has any of: image, text"):
        predict([member(nothing)], nothing, "kind", ROWS)


def test_another_stream_swaps_what_is_there() -> None:
    samples = rows(5)
    found = predict([member(samples)], samples, "kind", ROWS, swap=True)
    turned = [
        replace(one, items={**one.items, "image": samples[(n + 2) % 5].items["image"]})
        for n, one in enumerate(samples)
    ]
    expected = predict([member(turned)], turned, "kind", ROWS)
    torch.testing.assert_close(found.swapped["image"].probabilities, expected.values.probabilities)


def test_members_and_views_are_averaged() -> None:
    samples = rows()
    each = [predict([member(samples, seed)], samples, "kind", ROWS) for seed in (0, 1)]
    both = predict([member(samples, seed) for seed in (0, 1)], samples, "kind", ROWS)
    mean = torch.stack([one.values.probabilities for one in each]).mean(0)
    torch.testing.assert_close(both.values.probabilities, mean)
    mirrored = [
        replace(
            one,
            items={
                **one.items,
                "image": media_of(one.items["image"].array()[:, ::-1].copy(), "image"),
            },
        )
        for one in samples
    ]
    views = predict([member(samples, views=2)], samples, "kind", ROWS)
    other = predict([member(mirrored)], mirrored, "kind", ROWS)
    mean = (each[0].values.probabilities + other.values.probabilities) / 2
    torch.testing.assert_close(views.values.probabilities, mean)


def test_of_a_model_without_fusion_the_head_reads_its_own_stream_alone() -> None:
    samples = lacking(rows(), "text", {0, 3})
    one = member(samples)

    class Counted(nn.Module):
        dim = WIDTH

        def forward(self, field):
            raise AssertionError("a stream was encoded that the head does not read")

    decoder = ClassifierConfig(WIDTH, 3).build()
    head = Head(decoder, ClassOutput(classes=NAMES), context="text")
    model = Model({"image": Counted(), "text": one.model.encoders["text"]}, heads={"kind": head})
    found = predict([replace(one, model=model)], samples, "kind", ROWS)
    assert found.streams == ("text",)
    assert found.rows == tuple(n for n in range(12) if n not in (0, 3))


def test_what_cannot_be_predicted_is_said() -> None:
    samples = rows(3)
    with pytest.raises(WeftError, match="unknown head of the model 'king': did you mean kind"):
        predict([member(samples)], samples, "king", ROWS)
    blind = replace(member(samples), sources={})
    with pytest.raises(WeftError, match="head 'kind' reads image, text, but the data has only"):
        predict([blind], samples, "kind", ROWS)
    with pytest.raises(ValueError, match="no members"):
        predict([], samples, "kind", ROWS)


def test_the_source_of_a_row_is_its_file(tmp_path: Path) -> None:
    modalities = {**member(rows(1)).modalities, "text": TextConfig().build()}
    file = tmp_path / "empty.png"
    file.touch()
    found = given({"image": [file, b""], "text": "2 word"}, modalities).samples
    assert [row.source for row in found] == [str(file), "row 2"]


def test_values_of_ones_own_are_rows_like_any_others() -> None:
    samples = rows(3)
    modalities = {**member(samples).modalities, "text": TextConfig().build()}
    images = [one.items["image"] for one in samples]
    mine = given({"image": images, "text": "2 word"}, modalities)
    assert len(mine.samples) == 3
    assert {row.items["text"] for row in mine.samples} == {"2 word"}
    generator = torch.Generator()
    loaded = mine.sources["image"].load(1, train=False, generator=generator, view=0)
    assert torch.equal(loaded, torch.from_numpy(images[1].array()).permute(2, 0, 1))
    absent = given({"text": ["1", None]}, modalities).sources["text"]
    assert absent.load(1, train=False, generator=generator, view=0) is None
    with pytest.raises(
        WeftError, match="got 2 of 'image', 3 of 'text', expected the same number of each"
    ):
        given({"image": images[:2], "text": ["1", "2", "3"]}, modalities)
    with pytest.raises(WeftError, match="unknown stream 'sound'"):
        given({"sound": b""}, modalities)
    with pytest.raises(WeftError, match=r"none.png: no such file"):
        given({"image": "none.png"}, modalities)
