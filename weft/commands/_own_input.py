"""--image and --text of a command line -> the streams of a run that they are meant for."""

from pathlib import Path
from typing import Any

from weft.core.errors import WeftError
from weft.modalities.text import Text
from weft.runs.run import Run


def named(run: Run, *, image: Path | None, text: str | None) -> dict[str, Any]:
    """Stream -> value, for the first stream of text and the first other one that the model encodes.

    Raises WeftError where one that every row of the run's data has is missing, or one is given that
    the run does not take.
    """
    texts = [
        s for s, m in run.modalities.items() if isinstance(m, Text) and s in run.model.encoders
    ]
    others = [s for s in run.model.encoders if s not in texts]
    values: dict[str, Any] = {}
    for what, value, streams in (("--text", text, texts), ("--image", image, others)):
        if value is not None and not streams:
            raise WeftError(f"{run.folder}: this run takes no {what}")
        if value is not None:
            values[streams[0]] = value
        elif streams and streams[0] not in run.recipe.data.optional:
            raise WeftError(f"{run.folder}: this run needs {what}, for its stream '{streams[0]}'")
    if not values:
        raise WeftError(f"{run.folder}: this run needs --image or --text")
    return values
