"""Occlusion, ablation and the deletion test, against models whose reasons are known."""

from dataclasses import dataclass

import pytest
import torch
from tiny_models import CNN, WIDTHS, Learned, batch, decision
from torch import nn

from weft.architectures.model import Model
from weft.core.errors import WeftError
from weft.core.records import Batch, Features, Field
from weft.explain.ablation import ablate
from weft.explain.decision import Decision, Seen
from weft.explain.deletion import SHARES, Deletion, _Tested, deletion_test
from weft.explain.explanation import explain
from weft.explain.occlusion import occlusion, removable
from weft.explain.presence import by_presence
from weft.fusion.early import EarlyConfig
from weft.fusion.late import LateConfig
from weft.heads.numbers import NumberOutput, NumberValues
from weft.heads.output import Scores
from weft.layers.transformer import TransformerConfig
from weft.modalities.image import ImageConfig
from weft.modalities.parts import token_grid

CELL = 5 * 8 + 2
"""The cell of a picture that the model below looks at."""


class Bright(nn.Module):
    """A picture's one feature: the mean of one cell of 4 x 4 pixels."""

    dim = 1

    def forward(self, field: Field) -> Features:
        row, column = divmod(CELL, 8)
        cell = field.values[:, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        mean = cell.float().mean(dim=(1, 2, 3))[:, None] / 255
        return Features(mean[:, None], torch.ones(len(mean), 1, dtype=torch.bool), mean)


class Ids(nn.Module):
    """A text's one feature: the sum of its ids."""

    dim = 1

    def forward(self, field: Field) -> Features:
        mask = torch.ones_like(field.values, dtype=torch.bool) if field.mask is None else field.mask
        total = (field.values * mask).sum(1, keepdim=True).float()
        return Features(field.values[:, :, None].float(), mask, total)


@dataclass(frozen=True)
class Total(Decision):
    """The number that the pooled vectors add up to."""

    scale: int = 100

    @property
    def reads(self):
        return ("image", "text")

    def there(self, streams):
        return torch.ones(len(next(iter(streams.values()))), dtype=torch.bool)

    def part(self, streams):
        each = (self.scale * f.pooled if s == "image" else f.pooled for s, f in streams.items())
        return sum(each)[:, 0]

    def answer(self, parts):
        return NumberValues(torch.stack(parts).mean(0))

    def scores(self, streams, said):
        return Scores(self.part(streams), self.part(streams))

    def score_text(self, value):
        return str(value)


class Sentences:
    """Token ids, of which 1 and 2 begin and end a sentence."""

    def names_of(self, values):
        return [None if one in (1, 2) else str(one) for one in values.tolist()]


MODALITIES = {"image": ImageConfig(size=32).build(), "text": Sentences()}


def known() -> tuple[Total, Batch]:
    model = Model({"image": Bright(), "text": Ids()})
    pictures = torch.full((2, 3, 32, 32), 10, dtype=torch.uint8)
    row, column = divmod(CELL, 8)
    pictures[:, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 200
    ids = torch.tensor([[1, 7, 3, 2], [1, 4, 2, 0]])
    mask = torch.tensor([[True] * 4, [True, True, True, False]])
    inputs = {"image": Field(pictures), "text": Field(ids, mask)}
    given = Batch(inputs, ids=["a", "b"], groups=torch.arange(2))
    return Total(model, Learned(MODALITIES)), given


def test_the_cell_that_is_looked_at() -> None:
    one, given = known()
    falls = occlusion(one, given, "image", one.said(given), most=7)
    assert falls.argmax(1).tolist() == [CELL, CELL]
    assert (falls > 1e-4).sum() == 2
    mean = given.inputs["image"].values[0].float().mean().to(torch.uint8)
    assert falls[0, CELL].item() == pytest.approx(100 * (200 - mean.item()) / 255, rel=1e-4)


def test_words_but_not_special_tokens() -> None:
    one, given = known()
    falls = occlusion(one, given, "text", one.said(given))
    assert falls.tolist() == [[0, 7, 3, 0], [0, 4, 0, 0]]
    assert removable(one, given, "text").sum().item() == 3


def test_the_answer_without_a_stream() -> None:
    one = decision(LateConfig(WIDTHS, dim=16, combine="sum").build())
    streams, said = one.encode(batch()), one.said(batch())
    found = ablate([Seen(one, streams)], said)
    only = {"text": streams["text"]}
    left = one.answer([one.part(only)])
    assert found["image"].said == tuple(left.said(row) for row in range(3))
    torch.testing.assert_close(found["image"].scores, one.scores(only, said).values)


def test_deleting_what_is_marked_costs_more_than_deleting_at_random() -> None:
    one, given = known()
    many = given.take(torch.arange(2).repeat(20))
    many = Batch(many.inputs, ids=[str(n) for n in range(40)], groups=torch.arange(40))
    found = deletion_test(one, [many], "image", method="occlusion")
    assert found.method == "occlusion"
    assert found.rows == 40
    assert "nearly circular" in found.caution
    assert not Deletion("text", "relevance", 40, found.comparison).caution
    assert found.comparison.difference.low > 0
    # A wrong explanation does not beat chance: what is marked is not what is looked at.
    one.model.encoders["image"].forward = lambda field: Features(
        torch.zeros(len(field), 1, 1),
        torch.ones(len(field), 1, dtype=torch.bool),
        torch.rand(len(field), 1, generator=torch.Generator().manual_seed(len(field))),
    )
    found = deletion_test(one, [many], "image", method="occlusion")
    assert found.comparison.difference.low <= 0


def test_of_a_number_the_absolute_change_counts() -> None:
    """A number may fall or rise without what it looks at: both are the same change, in its unit."""

    class Number(Total):
        @property
        def number(self):
            return NumberOutput(unit="m")

    falling, given = known()
    alone = Batch({"image": given.inputs["image"]}, ids=given.ids, groups=given.groups)
    order = torch.eye(64)[CELL].expand(2, 64)
    rising = Number(falling.model, falling.learned, scale=-100)
    changed = _Tested.of(rising, alone, "image").changes(order, SHARES)
    percent = _Tested.of(falling, alone, "image").changes(order, SHARES)
    assert (percent > 1).all()
    whole = falling.values(alone, falling.said(alone))
    torch.testing.assert_close(changed, percent * whole / 100)
    assert deletion_test(falling, [alone], "image", method="occlusion").number is None
    assert deletion_test(rising, [alone], "image", method="occlusion").number is not None


def test_as_many_parts_are_deleted_at_random_as_by_relevance() -> None:
    """The score is the number of parts that are left, so both must fall by the same number of them."""

    class Grey(nn.Module):
        """Counts the cells of a checked picture that are not of one colour."""

        dim = 1

        def forward(self, field: Field) -> Features:
            cells = field.values.float().mean(1).unfold(1, 4, 4).unfold(2, 4, 4)
            left = (cells.flatten(3).std(3) > 1).flatten(1).sum(1, keepdim=True).float()
            return Features(left[:, None], torch.ones(len(left), 1, dtype=torch.bool), left)

    class Length(nn.Module):
        """Counts the tokens."""

        dim = 1

        def forward(self, field: Field) -> Features:
            left = field.mask.sum(1, keepdim=True).float()
            return Features(left[:, None], torch.ones(len(left), 1, dtype=torch.bool), left)

    checked = (torch.arange(32)[:, None] + torch.arange(32)) % 2 * 255
    pictures = checked.to(torch.uint8).expand(4, 3, 32, 32).contiguous()
    ids, mask = torch.ones(4, 20, dtype=torch.int64), torch.ones(4, 20, dtype=torch.bool)
    inputs = {"image": Field(pictures), "text": Field(ids, mask)}
    given = Batch(inputs, ids=["a", "b", "c", "d"], groups=torch.arange(4))
    for stream, encoder, parts in (("image", Grey(), 64), ("text", Length(), 20)):
        one = Total(Model({stream: encoder}), Learned({"image": MODALITIES["image"]}), scale=1)
        alone = Batch({stream: given.inputs[stream]}, ids=given.ids, groups=given.groups)
        found = deletion_test(one, [alone], stream, method="occlusion").comparison
        lost = [100 * -(-parts * share // 1) / parts for share in SHARES]
        assert found.first.value == pytest.approx(sum(lost) / len(lost))
        assert found.second.value == pytest.approx(found.first.value)


def test_each_stream_by_what_explains_it() -> None:
    blocks = TransformerConfig(dim=16, depth=1, heads=2)
    both = explain([(decision(EarlyConfig(WIDTHS, blocks).build()), batch())])
    assert {s: one.method for s, one in both.streams.items()} == {
        "image": "relevance",
        "text": "relevance",
    }
    assert both.streams["image"].layout == (4, 4)
    assert both.streams["image"].values.shape == (3, 16)  # without the class token of the encoder
    assert both.streams["text"].values.amax(1).tolist() == pytest.approx([1, 1, 1])
    mixed = explain([(decision(LateConfig(WIDTHS, dim=16).build(), image=CNN), batch())])
    assert mixed.streams["image"].method == "occlusion"
    assert mixed.streams["text"].method == "relevance"
    assert set(mixed.without) == {"image", "text"}
    one, given = known()
    with pytest.raises(WeftError, match="method 'rollout' explains none"):
        explain([(one, given)], "rollout")


def test_cached_features_cannot_be_taken_away() -> None:
    one = decision(LateConfig(WIDTHS, dim=16).build())
    cached = one.model.encode("image", batch().inputs["image"])
    with pytest.raises(WeftError, match="cached features, expected raw input"):
        occlusion(one, batch().with_inputs(image=cached), "image", one.said(batch()))


@pytest.mark.parametrize(
    ("tokens", "size", "grid"),
    [
        (16, (32, 32), (4, 4)),
        (17, (32, 32), (4, 4)),
        (50, (224, 224), (7, 7)),
        (8, (16, 32), (2, 4)),
    ],
)
def test_tokens_over_a_picture(tokens, size, grid) -> None:
    assert token_grid(tokens, *size) == grid


def test_tokens_that_are_no_grid() -> None:
    assert token_grid(7, 32, 32) is None


def test_rows_of_like_presence_keep_all_that_their_batch_says() -> None:
    ids = torch.ones(3, 4, dtype=torch.long)
    whole = Batch(
        {"image": Field(torch.zeros(3, 3, 4, 4)), "text": Field(ids, present=torch.eye(3)[0] == 1)},
        ids=("a", "b", "c"),
        groups=torch.tensor([1, 2, 3]),
        matches=torch.tensor([4, 5, 5]),
        seeds=torch.tensor([6, 7, 8]),
    )
    parts = {tuple(part.inputs): (numbers, part) for numbers, (part,) in by_presence([whole])}
    assert {streams: numbers for streams, (numbers, _) in parts.items()} == {
        ("image", "text"): [0],
        ("image",): [1, 2],
    }
    for numbers, part in parts.values():
        assert part.match_keys.tolist() == whole.match_keys[numbers].tolist()
        assert part.seeds is not None
        assert part.seeds.tolist() == whole.seeds[numbers].tolist()
        assert all(part.present([stream]) is None for stream in part.inputs)
