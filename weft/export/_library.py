"""What a person wants of an export beside the run."""

from dataclasses import dataclass

from weft.core.errors import WeftError


@dataclass(frozen=True)
class Wanted:
    """streams: whose towers; all that have embeddings if empty."""

    streams: tuple[str, ...] = ()

    def require_whole(self, library: str) -> None:
        """Raises WeftError where parts are wanted of a library that holds the whole model."""
        if self.streams:
            raise WeftError(f"{library} holds the whole model, --stream is for onnx and pt2")
