"""Finds mistakes in a recipe's changes to training rows: mixing, splicing, chaining, noise rows, aligned words."""

from collections.abc import Iterable

from weft.core.errors import WeftError, unknown_name
from weft.core.needs import WeighsMixed
from weft.data.chaining import ChainConfig
from weft.data.mixing import MixConfig
from weft.data.noise_only import NoiseOnlyConfig
from weft.data.splicing import SpliceConfig
from weft.data.targets.transcript import TranscriptConfig
from weft.data.targets.word_times import WordTimesConfig
from weft.heads.transcripts import TranscriptOutput
from weft.modalities.audio import AudioConfig
from weft.modalities.video import VideoConfig
from weft.objectives.aligned_words import AlignedWordsConfig
from weft.runs.recipe import Recipe


def check_rows(recipe: Recipe) -> None:
    """Raises WeftError if the streams, targets or objectives do not fit the changes to the rows."""
    data = recipe.data
    if data.mix is not None:
        _check_mix(recipe, data.mix)
    if data.noise_only is not None:
        _check_noise_only(recipe, data.noise_only)
    if data.splice is not None:
        _check_splice(recipe, data.splice)
    if data.chain is not None:
        _check_chain(recipe, data.chain)
    for name, objective in recipe.objectives.items():
        if isinstance(objective, AlignedWordsConfig) and recipe.weights.get(name) != 0:
            _check_aligned(recipe, name, objective)


def check_there(kind: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raises WeftError for the first unknown name."""
    for name in names:
        if name not in known:
            raise unknown_name(kind, name, known)


def _check_mix(recipe: Recipe, mix: MixConfig) -> None:
    """Raises WeftError if a stream cannot be mixed, or an objective would compare mixed rows with unmixed targets."""
    check_there("stream in data.mix", mix.streams, recipe.data.streams)
    for stream in mix.streams:
        if stream in recipe.data.cache:
            raise WeftError(
                f"data.mix.streams names '{stream}', whose features are cached: expected a stream that is not in "
                "data.cache"
            )
    for name, objective in recipe.objectives.items():
        if not isinstance(objective, WeighsMixed):
            raise WeftError(
                f"data.mix mixes rows, but objectives.{name} ({type(objective).__name__}) does not weigh its cost by "
                "their ratio, expected classification or regression"
            )


def _check_noise_only(recipe: Recipe, config: NoiseOnlyConfig) -> None:
    """Raises WeftError unless it replaces a sound and a transcript, and rows may lack all other streams."""
    data = recipe.data
    check_there("stream in data.noise_only", [config.stream], data.streams)
    check_there("target in data.noise_only", [config.target], data.targets)
    stream, target = data.streams[config.stream], data.targets[config.target]
    if not isinstance(stream, AudioConfig):
        raise WeftError(
            f"data.noise_only.stream '{config.stream}' is a {type(stream).__name__}, expected an AudioConfig"
        )
    if not isinstance(target, TranscriptConfig):
        raise WeftError(
            f"data.noise_only.target '{config.target}' is a {type(target).__name__}, expected a TranscriptConfig"
        )
    for name in data.streams:
        if name not in (config.stream, *data.optional):
            raise WeftError(
                f"data.noise_only: rows lose stream '{name}', expected it in data.optional"
            )
    if config.stream in data.cache:
        raise WeftError(
            f"data.noise_only.stream is '{config.stream}', whose features are cached: expected a stream that is not "
            "in data.cache"
        )


def _check_chain(recipe: Recipe, chain: ChainConfig) -> None:
    """Raises WeftError unless the stream holds sounds that are read whole, without a cache."""
    check_there("stream in data.chain", [chain.stream], recipe.data.streams)
    config = recipe.data.streams[chain.stream]
    if not isinstance(config, AudioConfig):
        raise WeftError(
            f"data.chain.stream '{chain.stream}' is a {type(config).__name__}, expected an AudioConfig"
        )
    if recipe.data.cache:
        raise WeftError(
            "data.chain joins the raw values of rows, but data.cache caches "
            f"{', '.join(sorted(recipe.data.cache))}: remove one of the two"
        )


def _check_splice(recipe: Recipe, splice: SpliceConfig) -> None:
    """Raises WeftError unless each stream holds recordings that are read without a cache and can be cut in time."""
    check_there("stream in data.splice", splice.streams, recipe.data.streams)
    cached = sorted(recipe.data.cache)
    if cached:
        raise WeftError(
            f"data.splice joins the raw values of rows, but data.cache caches {', '.join(cached)}: remove one of "
            "the two"
        )
    for stream, config in recipe.data.streams.items():
        if isinstance(config, AudioConfig | VideoConfig) and stream not in splice.streams:
            raise WeftError(
                f"data.splice.streams lacks '{stream}', which would then not match the spliced streams: expected "
                "every stream of sounds or videos"
            )
    for stream in splice.streams:
        config = recipe.data.streams[stream]
        if not isinstance(config, AudioConfig | VideoConfig):
            raise WeftError(
                f"data.splice.streams names '{stream}', a {type(config).__name__}, expected sounds or videos"
            )
        if isinstance(config, VideoConfig) and config.sampling.method != "dense":
            raise WeftError(
                f"data.splice.streams names '{stream}', which samples {config.sampling.method} frames, expected "
                "sampling.method dense"
            )


def _check_aligned(recipe: Recipe, name: str, objective: AlignedWordsConfig) -> None:
    """Raises WeftError if the units are not words, the words have no times, or training sounds differ in length from
    the sounds to which the times refer."""
    times = recipe.data.targets.get(objective.times)
    if times is not None and not isinstance(times, WordTimesConfig):
        raise WeftError(
            f"objectives.{name}.times is '{objective.times}', a {type(times).__name__}, expected a WordTimesConfig"
        )
    head = recipe.model.heads.get(objective.head)
    target = (
        recipe.data.targets.get(head.output.target)
        if head and isinstance(head.output, TranscriptOutput)
        else None
    )
    if isinstance(target, TranscriptConfig) and target.unit != "word":
        raise WeftError(
            f"objectives.{name} aligns words, but the transcript's unit is {target.unit}, expected word, or a weight of 0 "
            f"(--weights.{name} 0)"
        )
    for stream, config in recipe.data.streams.items():
        if not isinstance(config, AudioConfig):
            continue
        changes = {
            "changes.speed": config.changes.speed,
            "changes.shift": config.changes.shift or None,
            "trim": config.trim,
            "seconds": config.seconds,
        }
        for setting, value in changes.items():
            if value is not None:
                raise WeftError(
                    f"data.streams.{stream}.{setting} is {value}, but words are aligned at their times in the recording: "
                    "expected None"
                )
