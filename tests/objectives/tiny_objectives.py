"""A small model of words and patches, and batches for it, that the tests of objectives share."""

import torch

from weft.architectures.model import Model, ModelConfig, ProjectionConfig
from weft.core.records import Batch, Features, Field
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig
from weft.fusion.early import EarlyConfig
from weft.heads.classes import MATCHING
from weft.heads.head import HeadConfig
from weft.layers.transformer import TransformerConfig
from weft.modalities.vocabulary import Vocabulary
from weft.training.streams import Streams

WORDS = 30
DIM = 16
VOCABULARY = Vocabulary(size=WORDS, mask_id=4, special_ids=(0, 1, 2, 3, 4), continuing_ids=(20, 21))
IDS = (
    (2, 5, 20, 21, 7, 3),
    (2, 8, 9, 3),
    (2, 10, 11, 12, 13, 14, 20, 15, 3),
    (2, 3),
    (2, 16, 21, 3),
    (2, 17, 18, 19, 3),
)


def model(*, fused: bool = True) -> Model:
    """Words of width 12 and patches of width 8, fused to 16."""
    torch.manual_seed(0)
    return ModelConfig(
        encoders={
            "text": TextTransformerConfig(WORDS, dim=12, depth=1, heads=2, max_length=12),
            "image": ViTConfig(image_size=16, patch_size=4, dim=8, depth=1, heads=2),
        },
        projections={"text": ProjectionConfig(12, 6), "image": ProjectionConfig(8, 6)},
        fusion=EarlyConfig({"text": 12, "image": 8}, TransformerConfig(DIM, 1, 2))
        if fused
        else None,
        heads={"matching": HeadConfig(ClassifierConfig(DIM, 2), MATCHING)} if fused else {},
    ).build()


def batch(groups: tuple[int, ...] = (0, 1, 2, 3, 4, 5)) -> Batch:
    """Six captions, one of them without words, and six pictures."""
    lengths = torch.tensor([len(ids) for ids in IDS])
    values = torch.nn.utils.rnn.pad_sequence([torch.tensor(i) for i in IDS], batch_first=True)
    generator = torch.Generator().manual_seed(1)
    pictures = torch.randint(256, (6, 3, 16, 16), generator=generator, dtype=torch.uint8)
    text = Field(values, torch.arange(values.shape[1]) < lengths[:, None])
    return Batch({"text": text, "image": Field(pictures)}, "abcdef", torch.tensor(groups))


def streams(built: Model, rows: Batch) -> Streams:
    return Streams(built, rows)


def without(rows: Batch, stream: str, missing: list[int]) -> Batch:
    """The batch in which some rows lack the stream."""
    field = rows.inputs[stream]
    assert isinstance(field, Field)
    present = torch.ones(len(rows), dtype=torch.bool)
    present[missing] = False
    mask = None if field.mask is None else field.mask & present[:, None]
    return rows.with_inputs(**{stream: Field(field.values, mask, present)})


def cached(value: Field | Features) -> Features:
    tokens = torch.zeros(len(value), 2, 12)
    return Features(tokens, torch.ones(len(value), 2, dtype=torch.bool), tokens[:, 0])
