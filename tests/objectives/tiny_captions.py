"""Pictures that are given as tokens, a small captioner, and captions of each picture."""

import torch
from torch import Tensor, nn

from weft.architectures.model import Model
from weft.core.records import Batch, Features, Field
from weft.decoders.text import TransformerDecoderConfig
from weft.heads.head import Head
from weft.heads.texts import TextOutput
from weft.modalities.text import Text, TextConfig

START, END, WIDTH, VOCABULARY = 2, 3, 6, 11
CAPTIONS = [[[2, 5, 6, 3], [2, 7, 3]], [[2, 8, 3], [2, 9, 10, 4, 3]], [[2, 3], [2, 4, 4, 3]]]


class Given(nn.Module):
    """The field's values as tokens."""

    dim = WIDTH

    def forward(self, field: Field) -> Features:
        mask = torch.ones(field.values.shape[:2], dtype=torch.bool)
        return Features(field.values, mask, field.values.mean(1))


def model_of(config=None) -> Model:
    torch.manual_seed(0)
    config = config or TransformerDecoderConfig(
        VOCABULARY, WIDTH, dim=16, depth=1, heads=4, max_length=8
    )
    return Model({"image": Given()}, heads={"caption": head_of(config)}).eval()


def head_of(config, stream: str = "text") -> Head:
    return Head(config.build(), TextOutput(stream), context="image")


def texts_of(tokens: int) -> Text:
    """Texts of so many tokens: five special ones, of which 2 begins a text and 3 ends it, and words."""
    text = TextConfig(kind="word", min_frequency=1).build()
    text.fit([" ".join("w" * number for number in range(5, tokens))])
    assert text.vocab_size == tokens
    return text


def joined(texts: list[list[int]]) -> list[int]:
    return [token for ids in texts for token in ids]


def padded(rows: list[list[int]]) -> Field:
    lengths = torch.tensor([len(row) for row in rows])
    width = int(lengths.max())
    values = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    return Field(values, torch.arange(width) < lengths[:, None])


def pictures() -> Tensor:
    return torch.randn(3, 4, WIDTH, generator=torch.Generator().manual_seed(1))


def batch_of(text: Field) -> Batch:
    return Batch(
        {"image": Field(pictures()), "text": text}, ids=["a", "b", "c"], groups=torch.arange(3)
    )
