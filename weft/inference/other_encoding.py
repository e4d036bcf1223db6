"""A model whose encoders are asked only where nothing else says what a stream is."""

import copy
from collections.abc import Callable

from weft.architectures.model import Model
from weft.core.records import Features, Field


def encoding_by(model: Model, instead: Callable[[str, Field | Features], Features | None]) -> Model:
    """The model, which shares every part, with what `instead` gives of a stream's values, or what its encoder gives
    where that is None."""

    class Encoding(type(model)):  # type: ignore[misc]
        def encode(self, stream: str, value: Field | Features) -> Features:
            found = instead(stream, value)
            if found is not None:
                return found
            encoded: Features = super().encode(stream, value)
            return encoded

    made: Model = copy.copy(model)
    made.__class__ = Encoding
    return made
