"""Generates pictures and sounds from given inputs with a run."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from weft.core.errors import WeftError
from weft.core.ranges import GENERATED
from weft.decoders.drawing import DrawingConfig
from weft.heads.drawn import DrawnOutput
from weft.inference.generation_settings import settings_of
from weft.inference.predict import Predictions
from weft.modalities.text import Text
from weft.runs.trained import TrainedModel


def generate(
    run: TrainedModel,
    head: str | None = None,
    *,
    n: int = 1,
    seed: int | None = None,
    guidance: float | None = None,
    steps: int | None = None,
    **streams: Any,
) -> Predictions:
    """Generates n values for each input, those of the first input first.

    head: by default the first that generates. seed, guidance, steps: override the recipe's (`DrawingConfig`). A variational
    autoencoder generates from the mean of the latent distribution; with a seed, or n above 1, from samples of it.
    streams: as in `Run.predict`; several streams are lists of the same length. Raises WeftError if the run generates
    nothing, or a text would be truncated.
    """
    name = run.head(head, DrawnOutput)
    check_inputs(run, name, n, streams)
    asked = {"seed": seed, "guidance": guidance, "steps": steps}
    changes: dict[str, Any] = {key: value for key, value in asked.items() if value is not None}
    if run.model.can_sample(name) and (n > 1 or seed is not None):
        changes["latent"] = "sample"
    repeated = {
        stream: [one for one in value for _ in range(n)]
        if isinstance(value, list | tuple)
        else [value] * n
        for stream, value in streams.items()
    }
    with drawing(run, name, changes):
        return run.predict(head=name, **repeated)


@contextmanager
def drawing(run: TrainedModel, head: str, changes: Mapping[str, Any]) -> Iterator[DrawingConfig]:
    """Inside, the head generates with these settings instead of its own. Raises WeftError for an invalid one, and for one
    that has no effect."""
    part = run.model.head(head)
    own = part.output
    if not isinstance(own, DrawnOutput):
        raise WeftError(f"head '{head}' generates nothing, expected one that does")
    for name in sorted(changes.keys() - settings_of(run.model, head)):
        kind = type(part.decoder).__name__
        raise WeftError(
            f"{name} is {changes[name]}, but head '{head}' generates with a {kind}, which has no such setting"
        )
    try:
        way = own.drawing.replace(**changes)
    except ValueError as error:
        raise WeftError(str(error)) from None
    part.output = replace(own, drawing=way)
    try:
        yield way
    finally:
        part.output = own


def check_inputs(run: TrainedModel, head: str, n: int, streams: Mapping[str, Any]) -> None:
    """Raises WeftError for an invalid number of values, for several where all would be the same, and for a text that is
    empty, too long, or has words unknown to the run."""
    if n not in GENERATED:
        raise WeftError(f"n is {n:,}, expected 1 to {GENERATED.most:,}")
    if n > 1 and "seed" not in settings_of(run.model, head):
        raise WeftError(
            f"n is {n:,}, expected 1: head '{head}' generates without noise, always the same from one input"
        )
    for stream, value in streams.items():
        modality = run.modalities.get(stream)
        if not isinstance(modality, Text):
            continue
        for text in value if isinstance(value, list | tuple) else [value]:
            if not isinstance(text, str):
                continue
            problem = modality.problem(text) if text.strip() else "is empty"
            if problem is not None:
                shown = text if len(text) <= 40 else f"{text[:40]} ..."
                raise WeftError(f"the {stream} '{shown}' {problem}")
