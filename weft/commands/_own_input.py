"""A picture and a text of one's own -> what the streams of a run read."""

from pathlib import Path
from typing import Any

from weft.core.errors import WeftError
from weft.modalities.text import Text
from weft.runs.run import Run


def own_values(run: Run, *, image: Path | None, text: str | None) -> dict[str, Any]:
    """Stream -> value, for the first stream of text and the first other one that the model encodes.

    Raises WeftError where one that the model needs is missing, or one is given that it does not take.
    """
    texts = [
        s for s, m in run.modalities.items() if isinstance(m, Text) and s in run.model.encoders
    ]
    others = [s for s in run.model.encoders if s not in texts]
    values: dict[str, Any] = {}
    for what, value, streams in (("--text", text, texts), ("--image", image, others)):
        if (value is None) == bool(streams):
            needs = (
                f"needs {what}, for its stream '{streams[0]}'" if streams else f"takes no {what}"
            )
            raise WeftError(f"{run.folder}: this run {needs}")
        if streams:
            values[streams[0]] = value
    return values
