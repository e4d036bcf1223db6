"""Every decoder of the folder; those of text read a text whole or token by token to the same logits."""

import pytest
import torch
from tiny_decoders import OF_TEXT, SMALL, VOCABULARY, WIDTH, built, configs_in, contexts, prefixes
from tiny_drawing import DRAWN

import weft.decoders
from weft.core.config import Config, from_json, to_json
from weft.core.interfaces import Decoder
from weft.core.records import Features, Field
from weft.decoders.autoregressive import AutoregressiveDecoder
from weft.decoders.cells import CellClassifierConfig
from weft.decoders.classifier import ClassifierConfig
from weft.decoders.ctc import CTCDecoderConfig
from weft.decoders.joint import JointDecoderConfig
from weft.decoders.projection_critic import ProjectionCriticConfig
from weft.decoders.spoken_flow import PLACES, SpokenFlowConfig
from weft.decoders.trees import TreesConfig
from weft.decoders.velocity.frames import FrameVelocityConfig

OTHERS = {
    "cells": CellClassifierConfig(WIDTH, (3, 4)),
    "classifier": ClassifierConfig(WIDTH, VOCABULARY),
    "ctc": CTCDecoderConfig(WIDTH, VOCABULARY),
    "ctc of logits": CTCDecoderConfig(VOCABULARY, VOCABULARY, maps=False),
    "joint": JointDecoderConfig(WIDTH, VOCABULARY, dim=8, heads=2),
    "projection critic": ProjectionCriticConfig(WIDTH, condition=4, dim=5),
    "spoken flow": SpokenFlowConfig(
        FrameVelocityConfig(4, WIDTH + PLACES, frames=9, dim=8, depth=2, heads=2),
        context_dim=WIDTH,
        usual=2.0,
    ),
    "trees": TreesConfig(WIDTH, VOCABULARY, trees=2, nodes=6, depth=1),
}
EVERY = (*OF_TEXT.values(), *DRAWN.values(), *OTHERS.values())
texts = pytest.mark.parametrize("config", OF_TEXT.values(), ids=OF_TEXT)


def test_the_folder_holds_these_decoders_and_no_others() -> None:
    found = configs_in(weft.decoders)
    assert found == {type(config) for config in EVERY}
    assert len(found) == 13


@pytest.mark.parametrize("config", EVERY)
def test_built_from_a_config_that_survives_json(config: Config) -> None:
    assert isinstance(config.build(), Decoder)
    assert from_json(to_json(config), Config, "here") == config


@texts
def test_logits_of_the_vocabulary_and_gradients_of_all_parameters(config: Config) -> None:
    decoder = built(config)
    assert isinstance(decoder, AutoregressiveDecoder)
    logits = decoder(contexts(), prefixes())
    assert logits.shape == (6, 6, VOCABULARY)
    assert logits.isfinite().all()
    logits.square().sum().backward()
    assert all(parameter.grad is not None for parameter in decoder.parameters())


@texts
def test_token_by_token_gives_what_the_whole_text_gives(config: Config) -> None:
    decoder, prefix = built(config), prefixes()
    whole = decoder(contexts(), prefix)
    with torch.no_grad():
        state = decoder.start(contexts(), 2, 6)
        for place in range(6):
            logits = decoder.step(prefix.values[:, place], state)
            real = prefix.mask[:, place]
            torch.testing.assert_close(logits[real], whole[real, place], atol=1e-5, rtol=0)


@texts
def test_texts_can_change_places_within_their_context(config: Config) -> None:
    decoder, prefix = built(config), prefixes()
    order = torch.tensor([1, 0, 3, 3, 5, 4])
    with torch.no_grad():
        state = decoder.start(contexts(), 2, 6)
        decoder.step(prefix.values[:, 0], state)
        turned = state.take(order)
        expected = decoder.step(prefix.values[:, 1], state)[order]
        got = decoder.step(prefix.values[order, 1], turned)
    torch.testing.assert_close(got, expected)


@texts
def test_a_row_alone_gives_what_it_gives_in_a_batch(config: Config) -> None:
    decoder, context, prefix = built(config), contexts(), prefixes(1)
    together = decoder(context, prefix)
    for row in range(3):
        tokens, length = int(context.mask[row].sum()), int(prefix.mask[row].sum())
        alone = Features(
            context.tokens[row : row + 1, :tokens],
            context.mask[row : row + 1, :tokens],
            context.pooled[row : row + 1],
        )
        if tokens == 0:  # something must be there to have a shape
            alone = context.rows(slice(row, row + 1))
        logits = decoder(alone, Field(prefix.values[row : row + 1, :length]))
        torch.testing.assert_close(logits[0], together[row, :length], atol=1e-5, rtol=0)


@texts
def test_padding_is_never_read(config: Config) -> None:
    decoder, context, prefix = built(config), contexts(), prefixes()
    spoiled = Features(
        context.tokens.masked_fill(~context.mask[..., None], torch.nan),
        context.mask,
        context.pooled,
    )
    other = Field(prefix.values.masked_fill(~prefix.mask, VOCABULARY + 5), prefix.mask)
    found, expected = decoder(spoiled, other), decoder(context, prefix)
    assert torch.equal(found[prefix.mask], expected[prefix.mask])
    with torch.no_grad():
        state = decoder.start(spoiled, 2, 6)
        assert decoder.step(prefix.values[:, 0], state).isfinite().all()


@texts
def test_no_token_sees_a_later_one(config: Config) -> None:
    decoder, prefix = built(config), prefixes()
    later = prefix.values.clone()
    later[:, 3:] = (later[:, 3:] + 1) % VOCABULARY
    changed = decoder(contexts(), Field(later, prefix.mask))
    expected = decoder(contexts(), prefix)
    torch.testing.assert_close(changed[:, :3], expected[:, :3])
    assert not torch.allclose(changed[0, 3:], expected[0, 3:])


@texts
def test_a_batch_without_any_token(config: Config) -> None:
    empty = Field(torch.zeros(3, 2, dtype=torch.int64), torch.zeros(3, 2, dtype=torch.bool))
    assert built(config)(contexts(), empty).shape == (3, 2, VOCABULARY)


@texts
def test_no_contexts_are_no_logits(config: Config) -> None:
    """A rank may hold no row that has them, and takes part in what the others compute."""
    decoder, nobody = built(config).train(), contexts().rows(slice(0))
    logits = decoder(nobody, prefixes().rows(slice(0)))
    assert logits.shape == (0, 6, VOCABULARY)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in decoder.parameters())
    state = decoder.start(nobody, 2, 6)
    assert decoder.step(prefixes().values[:0, 0], state).shape == (0, VOCABULARY)


@texts
def test_what_does_not_fit_is_refused(config: Config) -> None:
    decoder, ids = built(config), torch.zeros(3, 10, dtype=torch.int64)
    holes = torch.tensor([[True, False, True]]).expand(3, 3)
    wide = Features(torch.zeros(3, 5, WIDTH + 1), contexts().mask, torch.zeros(3, WIDTH + 1))
    for context, prefix, message in (
        (contexts(), None, "no prefix"),
        (contexts(), Field(ids), "10 tokens, expected at most max_length, 9"),
        (contexts(), Field(ids[:2, :3]), "2 texts of 3 contexts"),
        (contexts(), Field(ids[:, :3], holes), "after padding"),
        (wide, Field(ids[:, :3]), f"D = {WIDTH}"),
    ):
        with pytest.raises(ValueError, match=message):
            decoder(context, prefix)
    with pytest.raises(ValueError, match="texts of 10 tokens, expected at most 9"):
        decoder.start(contexts(), 1, 10)
    with pytest.raises(ValueError, match="vocab_size is 0, expected at least 1"):
        config.replace(vocab_size=0)


def test_tied_weights_are_one_tensor() -> None:
    tied, untied = built(SMALL), built(SMALL.replace(tied=False))
    assert tied.out.weight is tied.embedding.weight
    assert untied.out.weight is not untied.embedding.weight
