"""A small world whose right answers are known: picture number n is a random vector, its captions say n."""

from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn

from weft.architectures.model import Model
from weft.core.errors import WeftError
from weft.core.media import Alternatives, Media
from weft.core.records import Features, Field
from weft.core.samples import Sample
from weft.data.columns import ModalitySource
from weft.data.learned import Learned
from weft.inference.member import Member

SIDE = 2
WIDTH = SIDE * SIDE * 3


class Pixels:
    """View 1 is the mirror image."""

    views = 2
    media = "image"

    def decode(self, raw):
        if not isinstance(raw, Media):
            raise WeftError("is not a picture")
        return torch.from_numpy(raw.array()).permute(2, 0, 1)

    def transform(self, item, *, train, generator, view=0):
        assert not train
        return item.flip(-1) if view else item

    def collate(self, items):
        return Field(torch.stack(list(items)))


class Numbers:
    """Sentences of numbers; words that are none are 0."""

    def decode(self, raw):
        return raw

    def transform(self, item, *, train, generator, view=0):
        caption = item if isinstance(item, str) else item[view]
        return torch.tensor([int(w) if w.isdigit() else 0 for w in caption.split()])

    def collate(self, items):
        width = max(map(len, items))
        values = torch.zeros(len(items), width, dtype=torch.int64)
        mask = torch.zeros(len(items), width, dtype=torch.bool)
        for row, item in enumerate(items):
            values[row, : len(item)] = item
            mask[row, : len(item)] = True
        return Field(values, mask)


class Flat(nn.Module):
    dim = WIDTH

    def forward(self, field: Field) -> Features:
        pooled = field.values.flatten(1).float() / 127.5 - 1
        return Features(pooled[:, None], torch.ones(len(pooled), 1, dtype=torch.bool), pooled)


class Lookup(nn.Module):
    dim = WIDTH

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = nn.Embedding.from_pretrained(table)
        self.dropout = nn.Dropout(0.5)

    def forward(self, field: Field) -> Features:
        tokens = self.dropout(self.table(field.values)) * field.mask[..., None]
        return Features(tokens, field.mask, tokens.sum(1))


class Pooled(nn.Module):
    def forward(self, features: Features) -> Tensor:
        return features.pooled


def tiny_world(images: int = 24, captions: int = 3, noise: float = 0.4) -> SimpleNamespace:
    """The rows, and members whose text vectors are the pictures' plus noise."""
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (images, SIDE, SIDE, 3), dtype=np.uint8)
    texts = [[f"{n + 1}" + " word" * (n % 4 + c) for c in range(captions)] for n in range(images)]
    rows = [
        Sample(
            id=f"row{n}",
            group=f"image{n}",
            items={
                "image": Media.array_of(pictures[n], "image"),
                "text": Alternatives(texts[n]),
                "label": str(n % 4 + 1),
                "split": "test",
            },
            source=f"made.jsonl:{n + 1}",
        )
        for n in range(images)
    ]
    both = pictures.astype(float) + pictures[:, :, ::-1]
    clean = torch.tensor(both.transpose(0, 3, 1, 2).reshape(images, -1) / 255 - 1)
    table = torch.zeros(images + 1, WIDTH)
    table[1:] = clean.float() + noise * torch.randn(
        images, WIDTH, generator=torch.Generator().manual_seed(1)
    )

    def member(dataset=rows, weights=table) -> Member:
        model = Model(
            {"image": Flat(), "text": Lookup(weights)},
            projections={"image": Pooled(), "text": Pooled()},
        )
        modalities = {"image": Pixels(), "text": Numbers()}
        sources = {s: ModalitySource(dataset, s, m) for s, m in modalities.items()}
        return Member(model, sources, Learned(modalities))

    return SimpleNamespace(rows=rows, table=table, pictures=pictures, member=member)
