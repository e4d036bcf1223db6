"""Values of one's own on a command line -> the streams of a run that they are meant for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from weft.core.errors import WeftError
from weft.modalities.text import Text
from weft.runs.run import Run


@dataclass(frozen=True, kw_only=True)
class OwnInput:
    """What a command takes that looks at values of one's own."""

    image: Path | None = None
    """A picture: for the first stream that is not one of texts."""
    text: str | None = None
    """A sentence or a question: for the first stream of texts."""
    input: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """STREAM=VALUE, for any stream by its name."""

    @property
    def given(self) -> bool:
        """Whether there is any."""
        return self.image is not None or self.text is not None or bool(self.input)

    def values(self, run: Run) -> dict[str, Any]:
        """Stream -> value.

        Raises WeftError where one that every row of the run's data has is missing, or one is given that
        the run does not take.
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
