"""What a person wants of an export beside the run."""

from dataclasses import dataclass

from weft.core.errors import WeftError


@dataclass(frozen=True)
class Wanted:
    """streams: whose towers; all that have embeddings if empty. int8: layers of 8 bits."""

    streams: tuple[str, ...] = ()
    int8: bool = False

    def require_whole(self, library: str) -> None:
        """Raises WeftError where parts are wanted of a library that holds the whole model."""
        if self.streams:
            raise WeftError(f"{library} holds the whole model, --stream is for onnx and pt2")
        self.require_floats(library)

    def require_floats(self, library: str) -> None:
        """Raises WeftError where 8 bits are wanted of a format that has none here."""
        if self.int8:
            raise WeftError(f"{library} is written in fp32, --int8 is for onnx")
