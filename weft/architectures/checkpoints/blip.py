"""BLIP: the models for retrieval and for questions. Their text decoders are left out."""

from collections.abc import Mapping

from torch import Tensor

from weft.architectures._bert import text_encoder
from weft.architectures.checkpoints._checkpoint import Checkpoint, Source, inside
from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.core.config import Config
from weft.core.errors import WeftError
from weft.core.interfaces import ProjectionHead
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.convert import block_settings
from weft.encoders.vit import ViTConfig
from weft.encoders.weight_names import (
    BERT_BLOCK,
    BlockNames,
    Settings,
    below,
    block,
    blocks,
    joined_layers,
    layer,
)
from weft.fusion.cross_attention import CrossAttentionConfig
from weft.heads.classes import MATCHING
from weft.heads.head import HeadConfig
from weft.layers.transformer import TransformerConfig
from weft.modalities.processor import CLIP_MEAN, CLIP_STD, read_processor

MODEL_TYPE = "blip"
VISION_BLOCK = BlockNames(
    blocks="vision_model.encoder.layers",
    query_key_value=("self_attn.qkv",),
    out="self_attn.projection",
    norm1="layer_norm1",
    norm2="layer_norm2",
    fc1="mlp.fc1",
    fc2="mlp.fc2",
)


def convert(tensors: Mapping[str, Tensor], settings: Settings, source: Source) -> Checkpoint:
    """Converts the image-grounded text encoder, with "matching" if the model has it."""
    _require_text_encoder(tensors, source)
    words = _text_blocks(settings["text_config"])
    config = _config(settings, source, words.replace(depth=0))
    matching = _matching(tensors)
    return Checkpoint(
        config=config.replace(
            fusion=CrossAttentionConfig(_widths(config), words, queries=source.text),
            heads={"matching": HeadConfig(ClassifierConfig(words.dim, 2), MATCHING)}
            if matching
            else {},
        ),
        tensors={
            **inside(f"encoders.{source.text}", _embeddings(tensors)),
            **inside("encoders.image", _vision(tensors, settings)),
            **inside("fusion", _grounded(tensors, words.depth)),
            **inside("heads.matching.decoder", matching),
        },
        folder=source.folder,
    )


def convert_towers(tensors: Mapping[str, Tensor], settings: Settings, source: Source) -> Checkpoint:
    """Converts the two encoders of a retrieval model, without cross-attention."""
    _require_text_encoder(tensors, source)
    words = _text_blocks(settings["text_config"])
    config = _config(settings, source, words)
    projections: dict[str, Config[ProjectionHead]] = {
        name: ProjectionConfig(width, settings["image_text_hidden_size"], bias=True)
        for name, width in _widths(config).items()
    }
    text = blocks(below(tensors, ("text_encoder.",), "embeddings."), BERT_BLOCK, words.depth)
    return Checkpoint(
        config=config.replace(projections=projections),
        tensors={
            **inside(f"encoders.{source.text}", {**_embeddings(tensors), **text}),
            **inside("encoders.image", _vision(tensors, settings)),
            **layer(tensors, "text_proj", f"projections.{source.text}.layers.0"),
            **layer(tensors, "vision_proj", "projections.image.layers.0"),
        },
        folder=source.folder,
    )


def _require_text_encoder(tensors: Mapping[str, Tensor], source: Source) -> None:
    if "text_encoder.embeddings.word_embeddings.weight" not in tensors:
        raise WeftError(
            f"{source.folder}: has no text_encoder, expected a BLIP for retrieval or questions"
        )


def _config(settings: Settings, source: Source, words: TransformerConfig) -> ModelConfig:
    """Returns the encoders; the text encoder has the given blocks."""
    text, vision = settings["text_config"], settings["vision_config"]
    processor = read_processor(source.folder)
    image = ViTConfig(
        image_size=vision["image_size"],
        patch_size=vision["patch_size"],
        norm_eps=vision["layer_norm_eps"],
        attention_dropout=vision["attention_dropout"],
        mean=processor.mean or CLIP_MEAN,
        std=processor.std or CLIP_STD,
        **block_settings(vision),
    )
    encoder = text_encoder(text["vocab_size"], words, text["max_position_embeddings"])
    return ModelConfig({source.text: encoder, "image": image})


def _widths(config: ModelConfig) -> dict[str, int]:
    return {stream: vars(encoder)["dim"] for stream, encoder in config.encoders.items()}


def _text_blocks(text: Settings) -> TransformerConfig:
    return TransformerConfig(
        norm="post",
        norm_eps=text["layer_norm_eps"],
        dropout=text["hidden_dropout_prob"],
        attention_dropout=text["attention_probs_dropout_prob"],
        **block_settings(text),
    )


def _embeddings(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    start = "text_encoder.embeddings"
    return {
        "embedding.weight": tensors[f"{start}.word_embeddings.weight"],
        "positions": tensors[f"{start}.position_embeddings.weight"],
        **layer(tensors, f"{start}.LayerNorm", "input_norm"),
    }


def _vision(tensors: Mapping[str, Tensor], settings: Settings) -> dict[str, Tensor]:
    start, depth = "vision_model.embeddings", settings["vision_config"]["num_hidden_layers"]
    return {
        "patch.weight": tensors[f"{start}.patch_embedding.weight"].flatten(1),
        "patch.bias": tensors[f"{start}.patch_embedding.bias"],
        "class_token": tensors[f"{start}.class_embedding"].flatten(),
        "positions": tensors[f"{start}.position_embedding"][0],
        **blocks(tensors, VISION_BLOCK, depth),
        **layer(tensors, "vision_model.post_layernorm", "norm"),
    }


def _grounded(tensors: Mapping[str, Tensor], depth: int) -> dict[str, Tensor]:
    mapped: dict[str, Tensor] = {}
    for number in range(depth):
        theirs, ours = f"text_encoder.encoder.layer.{number}", f"upper.{number}"
        across, attention = f"{theirs}.crossattention", f"{ours}.across.sources.image"
        mapped |= {
            **block(tensors, BERT_BLOCK, theirs, f"{ours}.block"),
            **layer(tensors, f"{across}.self.query", f"{attention}.query"),
            **joined_layers(tensors, f"{across}.self", ("key", "value"), f"{attention}.key_value"),
            **layer(tensors, f"{across}.output.dense", f"{attention}.out"),
            **layer(tensors, f"{across}.output.LayerNorm", f"{ours}.norm"),
        }
    return mapped


def _matching(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The head for whether picture and text belong together. The last logit means yes, as in weft."""
    return layer(tensors, "itm_head", "out") if "itm_head.weight" in tensors else {}
