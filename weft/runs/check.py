"""Finds mistakes in a recipe before training, which would otherwise appear only after minutes."""

import dataclasses
import logging
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal, cast

import torch
from torch import nn

from weft.architectures.model import Model, ProjectionConfig
from weft.core.config import Config, Settings
from weft.core.distributed import rank
from weft.core.errors import DataError, WeftError
from weft.core.interfaces import JOINT, Encoder, Positions, TokenIds
from weft.core.missing import is_missing
from weft.core.needs import Needing, Needs
from weft.core.records import Field
from weft.data.formats import Dataset
from weft.data.learned import Learned
from weft.encoders.hugging_face import HuggingFaceTower
from weft.encoders.hugging_face_media import SoundTower, VideoTower
from weft.encoders.vit import ViT
from weft.evaluation.metric import find
from weft.modalities.audio import Audio, AudioConfig
from weft.modalities.image import Image
from weft.modalities.text import Text
from weft.modalities.video import Video
from weft.runs.check_codecs import check_codecs
from weft.runs.check_rows import check_rows, check_there
from weft.runs.parts import WEIGHTS
from weft.runs.recipe import Recipe, validation_metrics
from weft.tasks import tasks
from weft.tasks.base import SlicedConfig, Task, reading_with
from weft.tasks.mismatch import MismatchConfig
from weft.tasks.slicing import require_columns
from weft.tasks.zero_shot import SOUND_TEMPLATES, ZeroShotConfig

log = logging.getLogger("weft.runs")
PartKind = Literal["objectives", "tasks"]


def check_names(recipe: Recipe) -> None:
    """Raises WeftError if one part of the recipe names another that does not exist."""
    data, monitor = recipe.data, recipe.run.monitor
    if recipe.init is not None and not (recipe.init / WEIGHTS).exists():
        raise WeftError(f"{recipe.init}: is not a trained run to start from ({WEIGHTS} is missing)")
    check_there("objective in weights", recipe.weights, recipe.objectives)
    for name, player in recipe.players.items():
        check_there(f"objective of players.{name}", player.objectives, recipe.objectives)
    check_there("stream in data.cache", data.cache, data.streams)
    check_there("encoder of a stream in data.cache", data.cache, recipe.model.encoders)
    check_there("stream in data.optional", data.optional, data.streams)
    check_there("stream in data.modality_dropout", data.modality_dropout, data.streams)
    check_rows(recipe)
    if data.bucketing.stream is not None:
        check_there("stream in data.bucketing", [data.bucketing.stream], data.streams)
    if recipe.tasks and monitor is not None:
        check_there("task in run.monitor", [monitor.partition("/")[0]], recipe.tasks)
        find(validation_metrics(recipe), monitor, "metric in run.monitor")
    for name in data.targets:
        if name in data.streams:
            raise WeftError(f"data.targets has '{name}', which is a stream too: rename one of them")
    for where, needs in _all_needs(recipe).items():
        _check_needs(recipe, where, needs)
    check_codecs(recipe)


def check_parts(recipe: Recipe, model: Model, learned: Learned) -> None:
    """Raises WeftError if the sizes of the built parts do not fit each other."""
    for name in {name: None for needs in _all_needs(recipe).values() for name in needs.heads}:
        head = recipe.model.heads[name]
        head.output.check(head.decoder, learned, f"model.heads.{name}")
    for name, projection in recipe.model.projections.items():
        if isinstance(projection, ProjectionConfig) and name in model.encoders:
            width = cast(Encoder, model.encoders[name]).dim
            if projection.in_dim != width:
                raise WeftError(
                    f"model.projections.{name}.in_dim is {projection.in_dim}, "
                    f"expected {width}, the width of model.encoders.{name}"
                )
    for name, modality in learned.modalities.items():
        encoder = recipe.model.encoders.get(name)
        if isinstance(modality, Image) and name in model.encoders:
            _check_picture_size(name, modality.config.size, model.encoders[name])
        if isinstance(modality, Audio | Video) and name in model.encoders:
            _check_media(name, modality, model.encoders[name])
        if not isinstance(modality, Text):
            continue
        if isinstance(encoder, TokenIds) and encoder.vocab_size < modality.vocab_size:
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


def _check_media(name: str, modality: Audio | Video, encoder: nn.Module) -> None:
    """Raises WeftError if sounds or videos are read differently from how a pretrained tower was trained."""
    config: Any = modality.config
    kind = SoundTower if isinstance(modality, Audio) else VideoTower
    for tower in encoder.modules():
        problem = tower.problem(config) if isinstance(tower, kind) else None
        if problem is not None:
            raise WeftError(
                f"data.streams.{name}.{problem}, as model.encoders.{name} was trained "
                "(weft.modalities.published_media gives all its settings)"
            )


def _check_picture_size(name: str, size: int, encoder: nn.Module) -> None:
    """Warns if pictures have another size than the tower was made for. Raises WeftError if it cannot read them."""
    towers = (part for part in encoder.modules() if isinstance(part, ViT | HuggingFaceTower))
    tower = next(towers, None)
    if tower is None or tower.image_size in (None, size):
        return
    picture = Field(torch.zeros(1, 3, size, size, dtype=torch.uint8))
    training = encoder.training
    try:
        with torch.no_grad():
            encoder.eval()(picture.to(next(encoder.parameters()).device))
    except (ValueError, RuntimeError) as error:
        raise WeftError(
            f"data.streams.{name}.size is {size}, but model.encoders.{name} reads pictures of "
            f"{tower.image_size} pixels: {str(error).splitlines()[0]}"
        ) from None
    finally:
        encoder.train(training)
    if rank() == 0:
        log.warning(
            "data.streams.%s.size is %d, but model.encoders.%s was made for %d pixels: its position "
            "embeddings are interpolated",
            name,
            size,
            name,
            tower.image_size,
        )


def check_columns(recipe: Recipe, dataset: Dataset) -> None:
    """Raises DataError if the first readable row lacks a column that a task needs."""
    for row in range(len(dataset)):
        try:
            sample = dataset[row]
        except DataError:
            continue
        for where, needs in _all_needs(recipe).items():
            for column in needs.columns:
                if sample.items.get(column) is None:
                    raise DataError(
                        f"has no '{column}', which {where} needs; it has: {', '.join(sample.items)}",
                        source=sample.source,
                    )
        return


def check_presence(recipe: Recipe, dataset: Dataset, split: str, of: PartKind) -> None:
    """Raises WeftError if no row has all streams that an objective compares, or if the streams of a task are in no
    rows that match each other. No picture is read.

    of: objectives or tasks; their streams are looked for in `dataset`, the rows of `split`.
    """
    pending = [
        (where, names)
        for where, needs in _all_needs(recipe, of).items()
        for names in _together(recipe, needs, of)
    ]
    found: dict[str, set[str]] = defaultdict(set)
    counts: Counter[str] = Counter()
    for row in range(len(dataset)):
        if not pending:
            return
        try:
            sample = dataset[row]
        except DataError:
            continue
        has = {name for name, value in sample.items.items() if not is_missing(value)}
        counts.update(has)
        one = found[sample.match_name if of == "tasks" else str(row)]
        one |= has
        pending = [(where, names) for where, names in pending if not one.issuperset(names)]
    for where, names in pending:
        told = ", ".join(f"{name} {counts[name]:,}" for name in names)
        raise WeftError(
            f"no row of split '{split}' has {' and '.join(names)}, which {where} needs "
            f"(of {len(dataset):,} rows have: {told})"
        )


def _together(recipe: Recipe, needs: Needs, of: PartKind) -> list[tuple[str, ...]]:
    """Returns sets of streams. Each set must occur together in some row, or the part has nothing to learn from or to
    measure.

    There is one set for each head of the part: different heads may generate in different rows.
    """
    heads = [recipe.model.heads[name] for name in needs.heads]
    sets = [needs.together] if not heads else []
    for head in heads:
        read = [head.context] if head.context in recipe.data.streams else []
        made = head.output.needs.streams if of == "objectives" else ()
        sets.append(tuple(dict.fromkeys((*needs.together, *read, *made))))
    # A row that lacks any other stream is an error of its own.
    lacking = set(recipe.data.optional)
    return [names for names in sets if names and (of == "tasks" or lacking.intersection(names))]


def fitting_tasks(recipe: Recipe) -> dict[str, Config[Task]]:
    """Returns the tasks with default settings for which the recipe has all needed parts, by name.

    Tasks that need no part of the model are left out: they fit every run, but measure columns that only some rows
    have.
    """
    found = {}
    for name, settings in default_tasks(recipe).items():
        needs = settings.needs if isinstance(settings, Needing) else Needs()
        if not (needs.heads or needs.embeddings or needs.encoders):
            continue
        with suppress(WeftError):
            check_task(recipe, name, settings)
            found[name] = settings
    return found


def default_tasks(recipe: Recipe) -> dict[str, Config[Task]]:
    """Returns the tasks with default settings, by name. Rows that cannot be read are treated as in training.

    If the recipe compares texts with exactly one other stream, not `image`, the tasks for pictures and texts use that
    stream.
    """
    found = {
        name: reading_with(settings, recipe.data.errors)
        for name, settings in {**tasks(), "mismatch": _mismatch(recipe)}.items()
    }
    others = [stream for stream in recipe.model.projections if stream != "text"]
    if len(others) != 1 or "image" in others:
        return found
    sounds = isinstance(recipe.data.streams.get(others[0]), AudioConfig)
    return {name: _of_stream(settings, others[0], sounds) for name, settings in found.items()}


def _mismatch(recipe: Recipe) -> MismatchConfig:
    """Returns settings for the first two compared streams, unless these include pictures and texts."""
    compared = [stream for stream in recipe.model.projections if stream in recipe.data.streams]
    settings = MismatchConfig()
    if len(compared) < 2 or {settings.first, settings.second} <= set(compared):
        return settings
    return settings.replace(first=compared[0], second=compared[1])


def _of_stream(settings: Config[Task], stream: str, sounds: bool) -> Config[Task]:
    changes: dict[str, Any] = {
        field.name: stream
        for field in dataclasses.fields(settings)
        if field.name in ("image", "first") and vars(settings)[field.name] == "image"
    }
    if changes and sounds and isinstance(settings, ZeroShotConfig):
        changes["templates"] = SOUND_TEMPLATES
    return settings.replace(**changes)


def check_task(recipe: Recipe, name: str, settings: Config[Task]) -> None:
    """Raises WeftError if the recipe lacks a part that the task needs."""
    if isinstance(settings, Needing):
        _check_needs(recipe, f"tasks.{name}", settings.needs)


def check_slices(recipe: Recipe, dataset: Dataset) -> None:
    """Raises WeftError for a slice column that the data do not have."""
    for task in recipe.tasks.values():
        if isinstance(task, SlicedConfig):
            require_columns(task.slices, dataset)


def _all_needs(recipe: Recipe, of: PartKind | None = None) -> dict[str, Needs]:
    """Returns place in the recipe -> needs of the objective or task there."""
    kinds: dict[PartKind, Mapping[str, Settings]] = {
        "objectives": recipe.objectives,
        "tasks": recipe.tasks,
    }
    return {
        f"{kind}.{name}": one.needs
        for kind, parts in kinds.items()
        if of in (None, kind)
        for name, one in parts.items()
        if isinstance(one, Needing)
    }


def _check_needs(recipe: Recipe, where: str, needs: Needs) -> None:
    """Raises WeftError if the recipe lacks a part that the objective or task at `where` needs."""
    data, model = recipe.data, recipe.model
    embedded = tuple(name for name in needs.embeddings if name != JOINT)
    encoded = (*needs.encoders, *needs.raw, *embedded)
    check_there(f"stream of {where}", (*needs.streams, *encoded), data.streams)
    check_there(f"encoder of {where}", encoded, model.encoders)
    check_there(f"projection of {where}", needs.embeddings, model.projections)
    check_there(f"target of {where}", needs.targets, data.targets)
    check_there(f"head of {where}", (*needs.heads, *needs.codecs, *needs.latents), model.heads)
    for name in needs.raw:
        if name in data.cache:
            raise WeftError(
                f"{where} alters stream '{name}' before it is encoded, but data.cache reads features of "
                "the whole input; expected a stream that is not cached"
            )
    if needs.fusion and model.fusion is None:
        raise WeftError(f"{where} reads fused streams, but model.fusion is None")
    for name, kind in needs.heads.items():
        output = model.heads[name].output
        if not isinstance(output, kind):
            raise WeftError(
                f"{where} needs head '{name}' with a {kind.__name__}, it has a {type(output).__name__}"
            )
        _check_needs(recipe, f"model.heads.{name}", output.needs)
