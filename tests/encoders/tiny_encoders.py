"""Small encoders of every kind, and inputs with padding that nobody may read."""

import dataclasses
import json
from dataclasses import dataclass, replace
from typing import Any, Literal

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from weft.core.config import Config
from weft.core.records import Field
from weft.encoders import mobilenet, resnet
from weft.encoders.conformer import ConformerConfig
from weft.encoders.convnet import ConvNetConfig
from weft.encoders.extended import ExtendedConfig
from weft.encoders.flattened import FlattenedConfig
from weft.encoders.frame_statistics import FrameStatisticsConfig
from weft.encoders.frozen import FrozenConfig, PartlyFrozenConfig
from weft.encoders.histograms import HistogramsConfig
from weft.encoders.joined import JoinedConfig
from weft.encoders.lora import LoraConfig
from weft.encoders.mobilenet import MobileNetV2Config
from weft.encoders.over_time import OverTimeConfig
from weft.encoders.parted_grid import PartedGridConfig
from weft.encoders.patches import PatchesConfig
from weft.encoders.picture_critic import PictureCriticConfig
from weft.encoders.pictures import PicturesEncoderConfig
from weft.encoders.points import PointsConfig
from weft.encoders.pretrained import PretrainedConfig
from weft.encoders.recurrent import RecurrentConfig
from weft.encoders.reduced import ReducedConfig
from weft.encoders.regions import RegionsConfig
from weft.encoders.resnet import ResNetConfig
from weft.encoders.space_time_convolutions import SpaceTimeConvolutionsConfig
from weft.encoders.spectrogram_cnn import SpectrogramCNNConfig
from weft.encoders.spectrogram_picture import SpectrogramPictureConfig
from weft.encoders.spectrogram_transformer import SpectrogramTransformerConfig
from weft.encoders.speech_transformer import SpeechTransformerConfig
from weft.encoders.stacked_frames import StackedFramesConfig
from weft.encoders.table import TableEncoderConfig
from weft.encoders.tfidf import TfidfConfig
from weft.encoders.time_convolutions import TimeConvolutionsConfig
from weft.encoders.timesformer import TimeSformerConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.values import ValuesConfig
from weft.encoders.vit import ViTConfig
from weft.encoders.vivit import ViViTConfig
from weft.encoders.word_vectors import WordVectorsConfig
from weft.layers.transformer import TransformerConfig

VOCABULARY = 40
FEATURES = 6
LENGTHS = (5, 2, 7, 1)
TEXT = TextTransformerConfig(vocab_size=VOCABULARY, dim=16, depth=2, heads=2)
BLOCKS = TransformerConfig(dim=12, depth=1, heads=2)
PICTURES = PicturesEncoderConfig(ConvNetConfig(widths=(4, 8)))
VIT = ViTConfig(image_size=16, patch_size=8, dim=16, depth=2, heads=2)
BERT = json.dumps(
    {
        "model_type": "bert",
        "vocab_size": VOCABULARY,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "hidden_act": "gelu",
        "max_position_embeddings": 12,
        "layer_norm_eps": 1e-12,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
    }
)


@dataclass(frozen=True)
class Case:
    kind: Literal["image", "text", "regions", "panels", "values"]
    config: Config


CASES = {
    "resnet18": Case("image", ResNetConfig(width=8)),
    "resnet26": Case("image", ResNetConfig(depth=26, width=8)),
    "convnet": Case("image", ConvNetConfig(widths=(4, 8))),
    "convnet-coordinates": Case(
        "image", ConvNetConfig(widths=(4, 8, 8), halvings=2, coordinates=True, pooling="max")
    ),
    "convnet-positions": Case("image", ConvNetConfig(widths=(4, 8), positions=True)),
    "mobilenet": Case("image", MobileNetV2Config(width=0.35, classes="logits")),
    "mobilenet-levels": Case("image", MobileNetV2Config(width=0.35, levels=(1, 3))),
    "mobilenet-batchnorm": Case("image", MobileNetV2Config(form="batchnorm", width=0.35)),
    "vit": Case("image", VIT),
    "vit-mean": Case("image", VIT.replace(class_token=False, pooling="mean")),
    "vit-attention": Case(
        "image", VIT.replace(class_token=False, pooling="attention", drop_partial_patches=True)
    ),
    "vit-patches": Case("image", VIT.replace(depth=0, last_norm=False, pooling="mean")),
    "text": Case("text", TEXT),
    "text-words": Case("text", TEXT.replace(depth=0, last_norm=False)),
    "text-bert": Case("text", TEXT.replace(norm="post", pooling="cls", pooler=True)),
    "text-clip": Case("text", TEXT.replace(causal=True, pooling="eos", eos_id=39)),
    "text-siglip": Case(
        "text",
        TEXT.replace(
            pooling="eos", filled_with=1, max_length=12, pooler=True, pooler_activation="none"
        ),
    ),
    "lora-text": Case("text", LoraConfig(TEXT, rank=2)),
    "points": Case("panels", PointsConfig(5, dim=16, size=32, max_objects=4, prior=0.5)),
    "pictures": Case("pictures", PicturesEncoderConfig(ConvNetConfig(widths=(4, 8)))),
    "pictures-tokens": Case("pictures", PicturesEncoderConfig(VIT, tokens=True)),
    "time-convolutions": Case("frames", TimeConvolutionsConfig(8, (8, 6), 3, halvings=1)),
    "stacked-frames": Case("frames", StackedFramesConfig(8, 3)),
    "frame-statistics": Case("frames", FrameStatisticsConfig(8)),
    "spectrogram-cnn": Case("frames", SpectrogramCNNConfig(8, (4, 8, 8), time_halvings=1)),
    "spectrogram-cnn-plain": Case(
        "frames",
        SpectrogramCNNConfig(8, (4, 8), 1, time_halvings=0, pooling="mean"),
    ),
    "spectrogram-picture": Case(
        "frames", SpectrogramPictureConfig(ConvNetConfig(widths=(4, 8)), least=4)
    ),
    "spectrogram-picture-both": Case(
        "frames",
        SpectrogramPictureConfig(ConvNetConfig(widths=(4, 8)), 2, least=4, pooling="both"),
    ),
    "over-time": Case("pictures", OverTimeConfig(PICTURES, 8, heads=2)),
    "over-time-cached": Case("pictures", OverTimeConfig(FrozenConfig(PICTURES), 8, heads=2)),
    "over-time-lstm": Case("pictures", OverTimeConfig(PICTURES, 8, "lstm", 1)),
    "over-time-gru": Case(
        "frames",
        OverTimeConfig(
            SpectrogramCNNConfig(8, (4, 8), time_halvings=1), 8, "gru", bidirectional=False
        ),
    ),
    "over-time-mean": Case("pictures", OverTimeConfig(PICTURES, 8, "mean")),
    "spectrogram-transformer": Case(
        "frames",
        SpectrogramTransformerConfig(8, 12, patch=3, stride=2, dim=16, depth=2, heads=2),
    ),
    "speech-transformer": Case("frames", SpeechTransformerConfig(8, 16, depth=2, heads=2)),
    "conformer": Case("frames", ConformerConfig(8, 4, 4, 16, depth=2, heads=2, kernel=5)),
    "space-time-convolutions": Case("pictures", SpaceTimeConvolutionsConfig(16, (4, 6))),
    "frames-as-they-are": Case(
        "pictures",
        OverTimeConfig(
            SpaceTimeConvolutionsConfig(16, ()), 8, "gru", bidirectional=True, input_norm=False
        ),
    ),
    "timesformer": Case("pictures", TimeSformerConfig(16, 8, frames=12, dim=16, depth=2, heads=2)),
    "vivit": Case("pictures", ViViTConfig(16, 8, frames=12, tubelet=2, dim=16, depth=2, heads=2)),
    "table": Case("table", TableEncoderConfig(2, 2, 1, max_categories=5, dim=16, depth=2)),
    "table-values": Case("table", TableEncoderConfig(5, dim=16, depth=0)),
    "regions": Case("regions", RegionsConfig(FEATURES, dim=16, position="box_area")),
    "regions-only": Case("regions", RegionsConfig(FEATURES, dim=16, position="none", norm="none")),
    "regions-lxmert": Case(
        "regions",
        RegionsConfig(
            FEATURES,
            dim=16,
            norm="each",
            transformer=TransformerConfig(dim=16, depth=2, heads=2, norm="post"),
        ),
    ),
    "gru": Case("text", RecurrentConfig(VOCABULARY, embedding=8, hidden=8)),
    "lstm": Case("text", RecurrentConfig(VOCABULARY, 8, 8, cell="lstm", bidirectional=True)),
    "words": Case("text", WordVectorsConfig(VOCABULARY, 8, ignored_ids=(0,))),
    "frozen-words": Case("text", WordVectorsConfig(VOCABULARY, 8, frozen=True)),
    "frozen": Case("image", FrozenConfig(ResNetConfig(width=8))),
    "frozen-pooled": Case("text", FrozenConfig(TEXT, tokens=False)),
    "partly-frozen": Case("text", PartlyFrozenConfig(TEXT)),
    "partly-frozen-vit": Case("image", PartlyFrozenConfig(VIT)),
    "extended": Case("image", ExtendedConfig(FrozenConfig(VIT), BLOCKS)),
    "extended-text": Case(
        "text", ExtendedConfig(PartlyFrozenConfig(TEXT), BLOCKS, pooling="first")
    ),
    "pretrained": Case("text", PretrainedConfig("none", definition=BERT)),
    "pretrained-partial": Case(
        "text", PretrainedConfig("none", definition=BERT, mode="partial", trainable_layers=1)
    ),
    "pretrained-lora": Case("text", PretrainedConfig("none", definition=BERT, mode="lora")),
    "values": Case("values", ValuesConfig(FEATURES)),
    "tfidf": Case("text", TfidfConfig(VOCABULARY)),
    "reduced": Case("text", ReducedConfig(TfidfConfig(VOCABULARY), 30)),
    "patches": Case("image", PatchesConfig(size=4, centroids=5)),
    "joined": Case("image", JoinedConfig((HistogramsConfig(cells=2), PatchesConfig(centroids=3)))),
    "histograms": Case("image", HistogramsConfig(cells=2)),
    "picture-critic": Case("image", PictureCriticConfig(32, widths=(4, 6, 8), dim=8)),
    "picture-critic-vector": Case("image", PictureCriticConfig(32, widths=(4, 8), dim=6, patch=2)),
    "flattened": Case("image", FlattenedConfig(ConvNetConfig(widths=(4, 8)), 6, tokens=4)),
    "parted-grid": Case("image", PartedGridConfig(ConvNetConfig(widths=(4, 8)), parts=2)),
    "flattened-text": Case("text", FlattenedConfig(RecurrentConfig(VOCABULARY, 8, 8), 6)),
    "flattened-frames": Case("frames", FlattenedConfig(SpeechTransformerConfig(8, 16, 1, 2), 6, 5)),
}


def built(case: Case) -> nn.Module:
    torch.manual_seed(0)
    encoder: nn.Module = case.config.build()  # type: ignore[attr-defined]
    return encoder.eval()


def built_shallow(case: Case) -> nn.Module:
    """The encoder with one block where there are several, and pictures' networks with fewer stages: what is
    exported takes half a second a block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mobilenet, "STAGES", mobilenet.STAGES[:2])
        patch.setitem(resnet.STAGES, 18, (1, 2, 1, 1))
        patch.setitem(resnet.STAGES, 26, (1, 2, 1, 1))
        return built(replace(case, config=shallow(case.config)))


def shallow(config: Any) -> Any:
    """With one block where there are several."""
    if isinstance(config, PartlyFrozenConfig) or getattr(config, "first", 0):
        return config  # which is of blocks that differ
    changes: dict[str, Any] = {}
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    for name, value in values.items():
        if name == "blocks" or (name == "depth" and "heads" in values):
            changes[name] = min(value, 1)
        elif isinstance(value, Config):
            changes[name] = shallow(value)
        elif name == "nodes":
            changes[name] = {node: shallow(of_node) for node, of_node in value.items()}
    return config.replace(**changes)


def inputs(kind: str) -> Field:
    generator = torch.Generator().manual_seed(3)
    if kind == "image":
        shape = (4, 3, 32, 32)
        return Field(torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator))
    if kind == "panels":
        return Field(
            torch.randint(0, 256, (4, 3, 3, 32, 32), dtype=torch.uint8, generator=generator)
        )
    if kind == "values":
        return Field(torch.randn(4, FEATURES, generator=generator))
    if kind == "table":
        values = torch.randn(4, 5, 8, generator=generator)
        values[:, :, 0] = torch.rand(4, 5, generator=generator) < 0.7
        values[:, 2:4, 1] = torch.randint(0, 6, (4, 2), generator=generator).float()
        return Field(values * values[:, :, :1])
    mask = torch.arange(7)[None] < torch.tensor(LENGTHS)[:, None]
    if kind == "pictures":
        shape = (4, 7, 3, 16, 16)
        return Field(torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator), mask)
    if kind == "frames":
        values = torch.randn(4, 7, 8, generator=generator)
        return Field(values.masked_fill(~mask[:, :, None], torch.nan), mask)
    if kind == "regions":
        values = torch.rand(4, 7, 4 + FEATURES, generator=generator)
        return Field(values.masked_fill(~mask[:, :, None], torch.nan), mask)
    ids = torch.randint(1, VOCABULARY, (4, 7), generator=generator)
    # Where there is no text there is an id that no table has: whoever reads it fails.
    return Field(ids.masked_fill(~mask, 10**9), mask)


def widened(field: Field, columns: int) -> Field:
    """More padding, which holds what nobody may read: NaN, or ids that no table has."""
    if field.mask is None:
        return field
    poison = {torch.int64: 10**9, torch.uint8: 255}.get(field.values.dtype, torch.nan)
    after = (*(0, 0) * (field.values.ndim - 2), 0, columns)
    return Field(F.pad(field.values, after, value=poison), F.pad(field.mask, (0, columns)))


def rows(field: Field, chosen: list[int]) -> Field:
    return Field(field.values[chosen], None if field.mask is None else field.mask[chosen])
