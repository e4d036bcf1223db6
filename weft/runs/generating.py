"""What a run draws: pictures and sounds from given inputs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from weft.core.errors import WeftError
from weft.decoders.drawing import DrawingConfig
from weft.heads.drawn import DrawnOutput
from weft.inference.predict import Predictions
from weft.modalities.text import Text
from weft.runs.trained import TrainedModel

MOST = 100_000
"""Values that are drawn in one call; a larger number is taken for a typing error."""


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
    """n values of each input, those of the first input first.

    head: the first that draws if not named. seed, guidance, steps: in place of those of the recipe (`DrawingConfig`).
    streams: as in `Run.predict`; of several streams a list each, of the same length. Raises WeftError where the run
    draws nothing, or a text would not be read whole.
    """
    name = run.head(head, DrawnOutput)
    check_inputs(run, n, streams)
    asked = {"seed": seed, "guidance": guidance, "steps": steps}
    changes = {setting: value for setting, value in asked.items() if value is not None}
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
    """Inside, the head draws with these settings in place of its own. Raises WeftError for one that cannot be."""
    part = run.model.head(head)
    own = part.output
    if not isinstance(own, DrawnOutput):
        raise WeftError(f"head '{head}' draws nothing, expected one that does")
    try:
        way = own.drawing.replace(**changes)
    except ValueError as error:
        raise WeftError(str(error)) from None
    part.output = replace(own, drawing=way)
    try:
        yield way
    finally:
        part.output = own


def check_inputs(run: TrainedModel, n: int, streams: Mapping[str, Any]) -> None:
    """Raises WeftError for a number that cannot be drawn, and where a text is empty, too long, or has words that the run has
    never seen."""
    if not 1 <= n <= MOST:
        raise WeftError(f"n is {n:,}, expected 1 to {MOST:,}")
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
