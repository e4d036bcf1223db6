"""Input given on a command line -> the streams of a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from weft.core.errors import WeftError
from weft.modalities.text import Text
from weft.runs.run import Run


@dataclass(frozen=True, kw_only=True)
class OwnInput:
    """Options of a command that reads a picture, a text or another input of the user."""

    image: Path | None = None
    """A picture, for the first stream that is not text."""
    text: str | None = None
    """A sentence or a question, for the first text stream."""
    input: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """STREAM=VALUE: the input of any stream, by the stream's name."""

    @property
    def given(self) -> bool:
        """Whether any input was given."""
        return self.image is not None or self.text is not None or bool(self.input)

    def values(self, run: Run) -> dict[str, Any]:
        """Stream -> value.

        Raises WeftError if a stream that is not optional has no value, or if a value was given for a
        stream that the run does not have.
        """
        values = self._by_name(run)
        encoded = [stream for stream in run.model.encoders if stream not in values]
        texts = [stream for stream in encoded if isinstance(run.modalities[stream], Text)]
        others = [stream for stream in encoded if stream not in texts]
        for what, value, streams in (
            ("--text", self.text, texts),
            ("--image", self.image, others),
        ):
            if value is not None and not streams:
                raise WeftError(f"{run.folder}: this run takes no {what}")
            if value is not None:
                values[streams[0]] = value
            elif streams and streams[0] not in run.recipe.data.optional:
                stream = streams[0]
                raise WeftError(
                    f"{run.folder}: this run needs {what}, for its stream '{stream}' "
                    f"(or --input {stream}=VALUE)"
                )
        if not values:
            raise WeftError(f"{run.folder}: this run needs --image or --text")
        return values

    def _by_name(self, run: Run) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for word in self.input:
            stream, equals, value = word.partition("=")
            if not equals or stream not in run.modalities:
                known = ", ".join(run.modalities)
                raise WeftError(f"--input is '{word}', expected STREAM=VALUE, with one of {known}")
            values[stream] = value
        return values
