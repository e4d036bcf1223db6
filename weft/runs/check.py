"""Mistakes in a recipe that would otherwise show only after minutes."""

from collections.abc import Mapping
from typing import Protocol, cast, runtime_checkable

from weft.architectures.model import Model, ProjectionConfig
from weft.core.errors import WeftError, unknown_name
from weft.core.interfaces import Encoder, Modality, Target
from weft.data.targets.classes import Classes
from weft.data.targets.soft_answers import SoftAnswers
from weft.decoders.classifier import ClassifierConfig
from weft.modalities.text import Text
from weft.objectives.captioning import CaptioningConfig
from weft.objectives.self_critical import SelfCriticalConfig
from weft.runs.parts import WEIGHTS
from weft.runs.recipe import Recipe


@runtime_checkable
class Vocabulary(Protocol):
    """The config of an encoder with a table of tokens."""

    vocab_size: int


@runtime_checkable
class Positions(Protocol):
    """The config of an encoder that takes so many tokens at most."""

    max_length: int


def check_names(recipe: Recipe) -> None:
    """Raises WeftError where one part of the recipe names another that is not there."""
    for name in recipe.weights:
        if name not in recipe.objectives:
            raise unknown_name("objective in weights", name, recipe.objectives)
    if recipe.init is not None and not (recipe.init / WEIGHTS).exists():
        raise WeftError(f"{recipe.init}: is not a trained run to start from ({WEIGHTS} is missing)")
    for name in recipe.data.cache:
        if name not in recipe.data.streams:
            raise unknown_name("stream in data.cache", name, recipe.data.streams)
        if name not in recipe.model.encoders:
            raise unknown_name("encoder of a stream in data.cache", name, recipe.model.encoders)
    _check_masked(recipe)
    for name in recipe.data.targets:
        if name in recipe.data.streams:
            raise WeftError(f"data.targets has '{name}', which is a stream too: rename one of them")
    _check_optional(recipe)
    bucketed = recipe.data.bucketing.stream
    if bucketed is not None and bucketed not in recipe.data.streams:
        raise unknown_name("stream in data.bucketing", bucketed, recipe.data.streams)
    monitor = recipe.run.monitor
    if recipe.tasks and monitor is not None and monitor.partition("/")[0] not in recipe.tasks:
        raise unknown_name("task in run.monitor", monitor.partition("/")[0], recipe.tasks)


def check_parts(
    recipe: Recipe, model: Model, modalities: Mapping[str, Modality], targets: Mapping[str, Target]
) -> None:
    """Raises WeftError where the sizes of the built parts do not fit each other."""
    _check_classes(recipe, targets)
    _check_writers(recipe, modalities)
    for name, projection in recipe.model.projections.items():
        if isinstance(projection, ProjectionConfig) and name in model.encoders:
            width = cast(Encoder, model.encoders[name]).dim
            if projection.in_dim != width:
                raise WeftError(
                    f"model.projections.{name}.in_dim is {projection.in_dim}, "
                    f"expected {width}, the width of model.encoders.{name}"
                )
    for name, modality in modalities.items():
        encoder = recipe.model.encoders.get(name)
        if not isinstance(modality, Text):
            continue
        if isinstance(encoder, Vocabulary) and encoder.vocab_size < modality.vocab_size:
            raise WeftError(
                f"model.encoders.{name}.vocab_size is {encoder.vocab_size}, expected at least "
                f"{modality.vocab_size}, the tokens of data.streams.{name}"
            )
        longest = modality.config.max_length
        if isinstance(encoder, Positions) and encoder.max_length < longest:
            raise WeftError(
                f"model.encoders.{name}.max_length is {encoder.max_length}, expected at least "
                f"{longest}, the max_length of data.streams.{name}"
            )


@runtime_checkable
class Pairing(Protocol):
    """The config of an objective that compares two streams of every row."""

    streams: tuple[str, str]


def _check_optional(recipe: Recipe) -> None:
    """Streams that rows may lack exist, and no objective needs one of every row."""
    for name in recipe.data.optional:
        if name not in recipe.data.streams:
            raise unknown_name("stream in data.optional", name, recipe.data.streams)
        for objective, config in recipe.objectives.items():
            if isinstance(config, Pairing) and name in config.streams:
                raise WeftError(
                    f"objectives.{objective} pairs {' and '.join(config.streams)}, but data.optional "
                    f"lets rows lack '{name}'; expected streams that every row has"
                )


@runtime_checkable
class Masking(Protocol):
    """The config of an objective that hides a part of a stream's input."""

    masked: str


def _check_masked(recipe: Recipe) -> None:
    """What is to be hidden from the encoder is not a feature that was computed from the whole input."""
    for name, objective in recipe.objectives.items():
        if not isinstance(objective, Masking):
            continue
        if objective.masked not in recipe.data.streams:
            raise unknown_name(
                f"stream of objectives.{name}", objective.masked, recipe.data.streams
            )
        if objective.masked in recipe.data.cache:
            raise WeftError(
                f"objectives.{name} masks stream '{objective.masked}', which data.cache reads from "
                "features of the whole input; expected a stream that is not cached"
            )


@runtime_checkable
class Classifying(Protocol):
    """The config of an objective that compares a decoder's logits with a target."""

    target: str
    decoder: str


def _check_classes(recipe: Recipe, targets: Mapping[str, Target]) -> None:
    """Every objective's decoder has a logit for each class of its target."""
    for name, objective in recipe.objectives.items():
        if not isinstance(objective, Classifying):
            continue
        if objective.target not in targets:
            raise unknown_name(f"target of objectives.{name}", objective.target, targets)
        if objective.decoder not in recipe.model.decoders:
            known = recipe.model.decoders
            raise unknown_name(f"decoder of objectives.{name}", objective.decoder, known)
        target, decoder = targets[objective.target], recipe.model.decoders[objective.decoder]
        if not isinstance(target, Classes | SoftAnswers):
            continue
        if not isinstance(decoder, ClassifierConfig):
            continue
        if decoder.classes < len(target.classes):
            raise WeftError(
                f"model.decoders.{objective.decoder}.classes is {decoder.classes}, expected at "
                f"least {len(target.classes)}, the classes of data.targets.{objective.target}"
            )


def _check_writers(recipe: Recipe, modalities: Mapping[str, Modality]) -> None:
    """Every decoder that learns to write has a logit for each token and room for each text."""
    for name, objective in recipe.objectives.items():
        if not isinstance(objective, CaptioningConfig | SelfCriticalConfig):
            continue
        text = modalities.get(objective.text)
        if not isinstance(text, Text):
            known = [stream for stream, part in modalities.items() if isinstance(part, Text)]
            raise unknown_name(f"stream of texts of objectives.{name}", objective.text, known)
        if objective.decoder not in recipe.model.decoders:
            known = list(recipe.model.decoders)
            raise unknown_name(f"decoder of objectives.{name}", objective.decoder, known)
        decoder = recipe.model.decoders[objective.decoder]
        needed = {"vocab_size": text.vocab_size, "max_length": text.config.max_length}
        for setting, least in needed.items():
            held = vars(decoder).get(setting, least)
            if held < least:
                raise WeftError(
                    f"model.decoders.{objective.decoder}.{setting} is {held}, expected at least "
                    f"{least}, that of data.streams.{objective.text}"
                )
