"""Towers of Hugging Face transformers, of pictures, texts, sounds and videos: frozen, partly frozen, LoRA or trained."""

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
from weft.encoders.convert import convertible, own_config
from weft.encoders.frozen import Frozen, FrozenConfig, PartlyFrozen, PartlyFrozenConfig
from weft.encoders.hugging_face import HuggingFaceTower
from weft.encoders.hugging_face_media import SoundTower, VideoTower
from weft.encoders.lora import LoraConfig, lora
from weft.encoders.own_tower import own_tower, tower_settings
from weft.encoders.read_tower import SOUNDS, VIDEOS, read_tower
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig
from weft.hub import fetched, loading
from weft.modalities.processor import RGB, read_processor
from weft.modalities.published_media import read_sound_processor

log = logging.getLogger("weft.encoders")

HALF: RGB = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class PretrainedConfig(Config[Encoder]):
    """A pretrained tower.

    - name: a folder, package:NAME or a hub name.
    - tower: which one of a model with two.
    - mode: frozen; partial, which trains only the `trainable_layers` top layers; lora; or full.
    - pooling: "auto" is the vector that a model with two towers compares (the end of text for CLIP), the mean for
      other texts, the class token (or the model's own pooled output) for images.
    - tokens: whether a frozen tower keeps its tokens, or only the pooled vector.
    - random: use the architecture without the weights.
    - mean, std: of pixels in [0, 1], None for the model's own.
    - rate: samples a second of a sound tower; silence: value of the frames that pad a sound to the tower's input
      length. None for the model's own.
    - definition: the settings of a wrapped tower as JSON, filled in by `architecture`, so that a trained model can be
      rebuilt without the files of the pretrained one.

    BERT, RoBERTa, ViT, CLIP and SigLIP towers become weft modules, which skip padding; others are wrapped. Towers of
    sounds (AST, CLAP, Whisper's encoder, Wav2Vec2 and similar) and of videos (TimeSformer, VideoMAE, ViViT) are
    wrapped; `weft.modalities.published_media` gives the settings for reading their sounds and videos. The text tower
    of SigLIP reads padding up to its full length, as in its training.
    """

    name: str
    tower: Literal["auto", "vision", "text", "audio"] = "auto"
    mode: Literal["frozen", "partial", "lora", "full"] = "frozen"
    trainable_layers: int = 0
    pooling: Literal["auto", "cls", "mean", "max", "eos"] = "auto"
    tokens: bool = True
    lora_rank: int = 8
    lora_alpha: int = 16
    random: bool = False
    mean: RGB | None = None
    std: RGB | None = None
    rate: int | None = None
    silence: float | None = None
    definition: str | None = None

    def __post_init__(self) -> None:
        if (self.mode == "partial") != (self.trainable_layers > 0):
            raise ValueError(
                f"mode is '{self.mode}' and trainable_layers is {self.trainable_layers}, expected "
                "a positive number of layers with mode 'partial' and 0 with any other"
            )
        require(self, trainable_layers=at_least(0), lora_rank=COUNT, lora_alpha=COUNT, rate=COUNT)
        require(self, mean=FINITE, std=POSITIVE, silence=FINITE)

    def architecture(self) -> Config[Encoder]:
        """Returns the config without files: of a weft module, or this one with its definition."""
        if self.definition is not None:
            return self
        folder = fetched(self.name, weights=False)
        own = own_tower(self.name, folder, self.tower)
        if own is not None:
            return self._in_mode_config(self._own_config(own.config, folder))
        settings = tower_settings(self.name, folder, self.tower)
        described = self.replace(definition=json.dumps(settings, sort_keys=True))
        if settings["model_type"] in SOUNDS:
            return described._with_sound(folder)
        if not _reads_pictures(settings, self.tower):
            return described
        mean, std = self._statistics(folder)
        return described.replace(mean=mean, std=std)

    def build(self) -> Encoder:
        """Builds the tower; a CacheableEncoder if it is partly or wholly frozen."""
        tower = self._own() if self.definition is None else None
        return cast(Encoder, self._in_mode(self._wrapped() if tower is None else tower))

    def _own(self) -> nn.Module | None:
        """Builds the tower as a weft module; None if it must be wrapped."""
        folder = fetched(self.name, weights=not self.random)
        own = own_tower(self.name, folder, self.tower)
        if own is None:
            return None
        with loading(self.name):
            return own.build(self._own_config(own.config, folder), weights=not self.random)

    def _wrapped(self) -> nn.Module:
        described = cast(PretrainedConfig, self.architecture())
        assert described.definition is not None
        settings = parse_json(described.definition, f"{self.name}: definition")
        source = None
        if self.definition is None and not self.random:
            source = fetched(self.name, weights=True)
        with loading(self.name):
            if convertible(settings):  # for a run that was saved with its definition
                return cast(nn.Module, self._own_config(own_config(settings)).build())
            return _wrapped_tower(described, settings, source)

    def _own_config(
        self, config: TextTransformerConfig | ViTConfig, folder: Path | None = None
    ) -> TextTransformerConfig | ViTConfig:
        """Returns the config with the chosen pooling, and the statistics of pictures."""
        if isinstance(config, TextTransformerConfig):
            if self.pooling == "auto":
                return config
            return config.replace(pooling=self.pooling, pooler=False)
        if self.pooling not in ("auto", "cls", "mean"):
            raise WeftError(f"{self.name}: pooling '{self.pooling}' is for text towers")
        mean, std = (self.mean, self.std) if folder is None else self._statistics(folder)
        pooling = {"auto": config.pooling, "cls": "class", "mean": "mean"}[self.pooling]
        return config.replace(pooling=pooling, mean=mean or HALF, std=std or HALF)

    def _statistics(self, folder: Path) -> tuple[RGB, RGB]:
        """Returns mean and std of pixels: the configured ones, else the model's own."""
        processor = read_processor(folder)
        mean, std = self.mean or processor.mean, self.std or processor.std
        if mean is None or std is None:
            log.warning("%s does not say the mean and std of its pixels: 0.5 is taken", self.name)
        return mean or HALF, std or HALF

    def _with_sound(self, folder: Path) -> "PretrainedConfig":
        """Returns the config with rate and silence: the configured ones, else the model's own."""
        found = read_sound_processor(folder)
        if found is None:
            log.warning("%s does not say how it reads sounds", self.name)
            return self
        return self.replace(
            rate=self.rate or found.audio.rate,
            silence=found.silence if self.silence is None else self.silence,
        )

    def _in_mode(self, tower: nn.Module) -> nn.Module:
        if self.mode == "frozen":
            return Frozen(tower, tokens=self.tokens)
        if self.mode == "partial":
            if isinstance(tower, HuggingFaceTower):
                return tower.train_top(self.trainable_layers)
            return PartlyFrozen(tower, trainable_layers=self.trainable_layers)
        if self.mode == "lora":
            return lora(tower, rank=self.lora_rank, alpha=self.lora_alpha)
        return tower

    def _in_mode_config(self, tower: Config[Encoder]) -> Config[Encoder]:
        """Returns the config of a weft tower after `_in_mode`."""
        if self.mode == "frozen":
            return FrozenConfig(tower, tokens=self.tokens)
        if self.mode == "partial":
            return PartlyFrozenConfig(tower, trainable_layers=self.trainable_layers)
        if self.mode == "lora":
            return LoraConfig(tower, rank=self.lora_rank, alpha=self.lora_alpha)
        return tower


def _reads_pictures(settings: dict[str, Any], tower: str) -> bool:
    return "num_channels" in settings or tower == "vision"


def _wrapped_tower(
    config: PretrainedConfig, settings: dict[str, Any], source: Path | None
) -> HuggingFaceTower:
    model = read_tower(settings, source, config.tower)
    if settings["model_type"] in SOUNDS:
        return SoundTower(model, pooling=config.pooling, rate=config.rate, silence=config.silence)
    kind = VideoTower if settings["model_type"] in VIDEOS else HuggingFaceTower
    return kind(model, pooling=config.pooling, mean=config.mean or HALF, std=config.std or HALF)
