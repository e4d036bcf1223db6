"""The options of an export."""

from dataclasses import dataclass

from weft.core.errors import WeftError


@dataclass(frozen=True)
class Wanted:
    """streams: whose towers are exported; if empty, all that have embeddings. int8: layers in 8 bits."""

    streams: tuple[str, ...] = ()
    int8: bool = False

    def require_whole(self, library: str) -> None:
        """Raises WeftError if parts are wanted from a library that holds only the whole model."""
        if self.streams:
            raise WeftError(f"{library} holds the whole model, --stream is for onnx and pt2")
        self.require_floats(library)

    def require_floats(self, library: str) -> None:
        """Raises WeftError if 8 bits are wanted for a format without them."""
        if self.int8:
            raise WeftError(f"{library} is written in fp32, --int8 is for onnx")
