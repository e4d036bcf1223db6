"""Vision and text towers of Hugging Face transformers: frozen, partly frozen, LoRA or trained."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from torch import nn

from weft.core.config import Config
from weft.core.documents import parse_json
from weft.core.errors import WeftError
from weft.core.interfaces import Encoder
from weft.core.ranges import COUNT, FINITE, POSITIVE, at_least, require
from weft.core.tensors import BuildLimits
from weft.encoders.convert import convert, convertible, text_config, vision_config
from weft.encoders.frozen import Frozen, PartlyFrozen
from weft.encoders.hugging_face import HuggingFaceTower, lora
from weft.encoders.read_tower import FILLED_UP, read_tower, refuse_unknown_text
from weft.encoders.transformer_text import TextTransformer, TextTransformerConfig
from weft.encoders.vit import ViT, ViTConfig
from weft.encoders.weights import load_tensors, read_folder
from weft.hub import fetched, loading, read_settings
from weft.modalities.pretrained_tokenizers import load_pretrained
from weft.modalities.processor import RGB, read_processor

log = logging.getLogger("weft.encoders")

HALF: RGB = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class PretrainedConfig(Config[Encoder]):
    """A pretrained tower.

    name: a folder, package:NAME or a hub name. tower: which one of a model with two. mode: frozen;
    partial, where only the `trainable_layers` top layers learn; lora; or full. pooling: "auto" is
    what a model with two towers compares (the end of text for CLIP), the mean for other texts, the class token (or the model's own pooled
    output) for images. tokens: a frozen tower keeps its tokens, or only the pooled vector. random:
    take the architecture, not the weights. mean, std: of pixels in [0, 1], None for the model's
    own. definition: the tower's settings as JSON, filled in by `architecture`, so that a trained
    model is rebuilt without the files of the pretrained one.

    BERT, RoBERTa, ViT and CLIP towers become our own modules, which skip padding; others are wrapped.
    The text tower of SigLIP reads padding up to its full length, as in its training.
    """

    name: str
    tower: Literal["auto", "vision", "text"] = "auto"
    mode: Literal["frozen", "partial", "lora", "full"] = "frozen"
    trainable_layers: int = 0
    pooling: Literal["auto", "cls", "mean", "max", "eos"] = "auto"
    tokens: bool = True
    lora_rank: int = 8
    lora_alpha: int = 16
    random: bool = False
    mean: RGB | None = None
    std: RGB | None = None
    definition: str | None = None

    def __post_init__(self) -> None:
        if (self.mode == "partial") != (self.trainable_layers > 0):
            raise ValueError(
                f"mode is '{self.mode}' and trainable_layers is {self.trainable_layers}, expected "
                "a positive number of layers with mode 'partial' and 0 with any other"
            )
        require(self, trainable_layers=at_least(0), lora_rank=COUNT, lora_alpha=COUNT)
        require(self, mean=FINITE, std=POSITIVE)

    def architecture(self) -> "PretrainedConfig":
        if self.definition is not None:
            return self
        folder = fetched(self.name, weights=False)
        settings = _settings(self.name, folder, self.tower)
        described = self.replace(definition=json.dumps(settings, sort_keys=True))
        if "num_channels" not in settings and self.tower != "vision":
            return described
        mean, std = self._statistics(folder)
        return described.replace(mean=mean, std=std)

    def _statistics(self, folder: Path) -> tuple[RGB, RGB]:
        """Mean and std of pixels: those that were set, else the model's own."""
        processor = read_processor(folder)
        mean, std = self.mean or processor.mean, self.std or processor.std
        if mean is None or std is None:
            log.warning("%s does not say the mean and std of its pixels: 0.5 is taken", self.name)
        return mean or HALF, std or HALF

    def build(self) -> Encoder:
        """The tower, a CacheableEncoder where its first layers or all are frozen."""
        return cast(Encoder, self._tower())

    def _tower(self) -> nn.Module:
        described = self.architecture()
        assert described.definition is not None
        settings = parse_json(described.definition, f"{self.name}: definition")
        source = None
        if self.definition is None and not self.random:
            source = fetched(self.name, weights=True)
        tower: nn.Module
        with loading(self.name):
            if convertible(settings):
                tower = _own_tower(described, settings, source)
            else:
                tower = _wrapped_tower(described, settings, source)
        if self.mode == "frozen":
            return Frozen(tower, tokens=self.tokens)
        if self.mode == "partial":
            if isinstance(tower, HuggingFaceTower):
                return tower.train_top(self.trainable_layers)
            return PartlyFrozen(tower, trainable_layers=self.trainable_layers)
        if self.mode == "lora":
            return lora(tower, rank=self.lora_rank, alpha=self.lora_alpha)
        return tower


def _own_tower(
    config: PretrainedConfig, settings: dict[str, Any], source: Path | None
) -> TextTransformer | ViT:
    described = _own_config(config, settings)
    if source is None:
        return described.build()
    tensors = convert(read_folder(source), settings, str(source))
    with BuildLimits(tensors):
        tower = described.build()
    load_tensors(tower, tensors, where=str(source))
    return tower


def _own_config(
    config: PretrainedConfig, settings: dict[str, Any]
) -> TextTransformerConfig | ViTConfig:
    if settings["model_type"] not in ("vit", "clip_vision_model"):
        text = text_config(settings)
        pooling = text.pooling if config.pooling == "auto" else config.pooling
        return text.replace(pooling=pooling)
    if config.pooling not in ("auto", "cls", "mean"):
        raise WeftError(f"{config.name}: pooling '{config.pooling}' is for text towers")
    return vision_config(settings).replace(
        pooling="mean" if config.pooling == "mean" else "class",
        mean=config.mean or HALF,
        std=config.std or HALF,
    )


def _wrapped_tower(
    config: PretrainedConfig, settings: dict[str, Any], source: Path | None
) -> HuggingFaceTower:
    model = read_tower(settings, source, config.tower)
    return HuggingFaceTower(
        model,
        pooling=config.pooling,
        mean=config.mean or HALF,
        std=config.std or HALF,
    )


def _settings(name: str, folder: Path, tower: str) -> dict[str, Any]:
    """The full settings of one tower as JSON values."""
    settings = read_settings(name, folder)
    towers = {kind: settings.get(f"{kind}_config") for kind in ("text", "vision")}
    if not any(towers.values()):
        kind = "vision" if "num_channels" in settings else "text"
        if tower not in ("auto", kind):
            raise WeftError(f"{name}: is a {kind} tower, got tower '{tower}'")
        return settings
    if tower == "auto":
        raise WeftError(f"{name}: has two towers, expected tower 'vision' or 'text', got 'auto'")
    chosen = towers[tower]
    if not isinstance(chosen, dict):
        raise WeftError(f"{name}: has no {tower} tower")
    if tower == "text":
        refuse_unknown_text(name, settings["model_type"], chosen["model_type"])
    if chosen["model_type"] in FILLED_UP:
        # The tokenizer knows better than config.json, which often leaves it at the default.
        chosen["pad_token_id"] = _pad_id(folder, chosen["pad_token_id"])
    return chosen


def _pad_id(folder: Path, otherwise: int) -> int:
    if not (folder / "tokenizer.json").is_file():
        return otherwise
    return load_pretrained(str(folder)).special.get("pad", otherwise)
