"""From what models read to what they say of it."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

import torch

from weft.architectures.model import Model
from weft.core.errors import WeftError
from weft.core.interfaces import Modality
from weft.core.precision import Precision
from weft.core.records import Features, Field
from weft.decoders.autoregressive import AutoregressiveDecoder, Part
from weft.decoders.generation import GenerationConfig, Vocabulary, generate
from weft.inference.embedding import evaluating
from weft.modalities.text import Text

Seen = tuple[Model, Mapping[str, Field | Features]]
"""A model and a batch of its streams."""


def describe(
    seen: Sequence[Seen],
    text: Text,
    generation: GenerationConfig,
    *,
    decoder: str,
    context: str,
    precision: Precision = "fp32",
    device: torch.device | str = "cpu",
) -> list[str]:
    """One text for each row; several models, or several views of the rows, write it together.

    Raises WeftError where the decoder does not write text or fusion gives no such context.
    """
    with ExitStack() as modes:
        for model, _ in seen:
            modes.enter_context(evaluating(model, device, precision))
        parts = [_part(model, inputs, decoder, context) for model, inputs in seen]
        generated = generate(parts, vocabulary_of(text, device), generation)
    return [text.decode_ids(ids) for ids in generated.ids]


def vocabulary_of(text: Text, device: torch.device | str = "cpu") -> Vocabulary:
    """What may be said: every token but the special ones."""
    allowed = torch.ones(text.vocab_size, dtype=torch.bool, device=device)
    allowed[list(text.special_ids)] = False
    return Vocabulary(text.cls_id, text.sep_id, allowed)


def text_modality(modalities: Mapping[str, Modality], stream: str) -> Text:
    """The texts of that stream. Raises WeftError where it is not one of texts."""
    text = modalities.get(stream)
    if not isinstance(text, Text):
        known = ", ".join(modalities)
        raise WeftError(f"there is no stream of texts '{stream}', the run has: {known}")
    return text


def _part(model: Model, inputs: Mapping[str, Field | Features], decoder: str, context: str) -> Part:
    found = model.decoder(decoder)
    if not isinstance(found, AutoregressiveDecoder):
        raise WeftError(
            f"the decoder '{decoder}' is a {type(found).__name__}, expected one that writes text"
        )
    fused = model.fuse({stream: model.encode(stream, value) for stream, value in inputs.items()})
    if context not in fused:
        raise WeftError(f"there is no context '{context}', the model gives: {', '.join(fused)}")
    return found, fused[context]
