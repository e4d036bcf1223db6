"""A model whose encoders can be bypassed by given Features."""

import copy
from collections.abc import Callable

from weft.architectures.model import Model
from weft.core.records import Features, Field


def encoding_by(model: Model, instead: Callable[[str, Field | Features], Features | None]) -> Model:
    """A model that shares all parts with `model`. Its Features of a stream are the result of `instead`, or of the
    encoder if that is None.
    """

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
