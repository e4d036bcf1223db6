"""Every number of every config has a range: what is out of it is refused when the config is made."""

import contextlib
import dataclasses
import importlib
import math
import pkgutil
from collections.abc import Iterator
from typing import Any, get_args, get_origin, get_type_hints

import pytest

import weft
from weft.core.config import Settings
from weft.recipes import recipe, recipes

MAY_BE_NEGATIVE = {
    "AudioConfig.eval_noise",  # decibels
    "ClassifierConfig.shift",  # the mean of numbers
    "SigmoidContrastiveConfig.bias",
    "NearConfig.similarity",  # a cosine
    "GenerationConfig.length_exponent",  # prefers short texts
    "TranscriptOutput.blank_penalty",  # prefers long ones
    "NearConfig.sound_similarity",  # a cosine
    "NearConfig.video_similarity",
    "AudioConfig.mean",  # of logarithms
    "SoundChangesConfig.noise",  # in decibels
    "ConvNetConfig.mean",
    "ResNetConfig.mean",
    "MobileNetV2Config.mean",
    "ViTConfig.mean",
    "SpaceTimeSettings.mean",
    "TimeSformerConfig.mean",
    "ViViTConfig.mean",
    "PretrainedConfig.mean",
    "PretrainedConfig.silence",  # a normalised logarithm
    "RectifiedFlowConfig.mean",  # of logits
    "HifiGan.scale",
    "HifiGan.shift",
}
FEWEST = 80


def _inside(value: Any) -> Iterator[Settings]:
    if isinstance(value, Settings):
        yield value
        for field in dataclasses.fields(value):
            yield from _inside(getattr(value, field.name))
    elif isinstance(value, dict | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _inside(item)


def configs() -> dict[str, Settings]:
    """A config of every class: as the recipes have it, or with its default values."""
    found: dict[str, Settings] = {}
    for name in recipes():
        for config in _inside(recipe(name)):
            found.setdefault(type(config).__name__, config)
    for info in pkgutil.walk_packages(weft.__path__, "weft."):
        for cls in vars(importlib.import_module(info.name)).values():
            if (
                isinstance(cls, type)
                and issubclass(cls, Settings)
                and dataclasses.is_dataclass(cls)
            ):
                with contextlib.suppress(TypeError, ValueError):  # some have no usable defaults
                    found.setdefault(cls.__name__, cls())
    return found


CONFIGS = configs()


def numbers(config: Settings) -> Iterator[tuple[str, type]]:
    """The settings that hold numbers, and of which type."""
    hints = get_type_hints(type(config))
    for field in dataclasses.fields(config):
        hint = hints[field.name]
        kinds = {hint, *get_args(hint), *(kind for one in get_args(hint) for kind in get_args(one))}
        if field.init:
            yield from ((field.name, kind) for kind in (int, float) if kind in kinds)


def with_number(config: Settings, name: str, number: float) -> Settings:
    hint = get_type_hints(type(config))[name]
    value = getattr(config, name)
    if isinstance(value, dict):
        return config.replace(**{name: dict.fromkeys(value, number)})
    tuples = [one for one in (hint, *get_args(hint)) if get_origin(one) is tuple]
    if not tuples:
        return config.replace(**{name: number})
    length = len(value) if value else len(get_args(tuples[0]))
    return config.replace(**{name: (number,) * length})


def test_the_configs_are_found() -> None:
    assert len(CONFIGS) >= FEWEST


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_numbers_out_of_range_are_refused(name: str) -> None:
    config = CONFIGS[name]
    for setting, kind in numbers(config):
        if isinstance(getattr(config, setting), dict) and not getattr(config, setting):
            continue  # holds no number
        wrong: list[float] = [] if f"{name}.{setting}" in MAY_BE_NEGATIVE else [kind(-1)]
        wrong += [math.nan, math.inf] if kind is float else []
        for number in wrong:
            with pytest.raises(ValueError, match=setting.replace("_", "[_ ]")):
                with_number(config, setting, number)
