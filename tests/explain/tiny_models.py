"""Small models of every kind of fusion, to be explained."""

import torch
from torch import nn

from weft.architectures.model import Model
from weft.core.records import Batch, Field
from weft.data.learned import Learned
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.resnet import ResNetConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig
from weft.explain.decision import HeadDecision
from weft.heads.classes import ClassOutput
from weft.heads.head import Head
from weft.layers.transformer import TransformerConfig
from weft.modalities.image import ImageConfig

DIM = 16
WIDTHS = {"image": DIM, "text": DIM}
BLOCKS = TransformerConfig(dim=DIM, depth=2, heads=2)
POST = BLOCKS.replace(norm="post")
VIT = ViTConfig(image_size=16, patch_size=4, dim=DIM, depth=1, heads=2)
TEXT = TextTransformerConfig(vocab_size=20, dim=DIM, depth=1, heads=2)
CNN = ResNetConfig(width=2)
LENGTHS = (5, 2, 4)


def batch() -> Batch:
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8, generator=generator)
    ids = torch.randint(1, 20, (3, 5), generator=generator)
    mask = torch.arange(5) < torch.tensor(LENGTHS)[:, None]
    inputs = {"text": Field(ids, mask), "image": Field(images)}
    return Batch(inputs, ids=["a", "b", "c"], groups=torch.arange(3))


def decision(fusion: nn.Module, image: object = VIT) -> HeadDecision:
    torch.manual_seed(0)
    decoder = ClassifierConfig(fusion.dim, 4).build()
    output = ClassOutput(classes=("w", "x", "y", "z"))
    encoders = {"image": image.build(), "text": TEXT.build()}
    model = Model(encoders, fusion, heads={"answer": Head(decoder, output)}).eval()
    return HeadDecision(model, Learned({"image": ImageConfig(size=16).build()}), "answer")
