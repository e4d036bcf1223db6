"""The transformer decoder against GPT-2 with cross-attention and its `generate`, of transformers."""

import pytest
import torch

from benchmarks.gpt2_weights import from_gpt2
from weft.core.errors import WeftError
from weft.core.records import Features, Field
from weft.decoders.generation import GenerationConfig, Vocabulary, generate
from weft.decoders.text import TransformerDecoder, TransformerDecoderConfig

VOCABULARY, WIDTH, START, END = 37, 24, 1, 2
OURS = TransformerDecoderConfig(
    VOCABULARY, WIDTH, dim=WIDTH, depth=2, heads=3, max_length=12, activation="gelu_tanh"
)


@pytest.fixture(scope="module")
def both() -> tuple[TransformerDecoder, torch.nn.Module]:
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=16,
        n_embd=WIDTH,
        n_layer=2,
        n_head=3,
        add_cross_attention=True,
        bos_token_id=START,
        eos_token_id=END,
        pad_token_id=END,
    )
    theirs = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    ours = OURS.build().eval()
    ours.load_state_dict(from_gpt2(theirs.state_dict(), OURS))
    return ours, theirs


def context() -> Features:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randn(4, 6, WIDTH, generator=generator)
    mask = torch.arange(6) < torch.tensor([6, 3, 1, 5])[:, None]
    return Features(tokens, mask, tokens.mean(1))


def test_the_same_logits(both) -> None:
    ours, theirs = both
    ids = torch.randint(0, VOCABULARY, (4, 9), generator=torch.Generator().manual_seed(2))
    mask = torch.arange(9) < torch.tensor([9, 4, 2, 7])[:, None]
    seen = context()
    with torch.no_grad():
        expected = theirs(
            input_ids=ids,
            attention_mask=mask.long(),
            encoder_hidden_states=seen.tokens,
            encoder_attention_mask=seen.mask.long(),
        ).logits
        got = ours(seen, Field(ids, mask))
    torch.testing.assert_close(got[mask], expected[mask], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("beams", [1, 4])
def test_the_same_texts(both, beams: int) -> None:
    ours, theirs = both
    seen = context()
    expected = theirs.generate(
        torch.full((4, 1), START),
        encoder_hidden_states=seen.tokens,
        encoder_attention_mask=seen.mask.long(),
        num_beams=beams,
        do_sample=False,
        max_new_tokens=10,
        length_penalty=0.7,
        early_stopping=True,
    )[:, 1:]
    method = "greedy" if beams == 1 else "beam"
    settings = GenerationConfig(method=method, beams=beams, max_length=10, min_length=0)
    got = generate([(ours, seen)], Vocabulary(START, END), settings)
    for row, ids in zip(expected.tolist(), got.ids, strict=True):
        assert ids == (row[: row.index(END)] if END in row else row)


def test_a_checkpoint_of_something_else_is_refused() -> None:
    with pytest.raises(WeftError, match=r"no tensor 'transformer.wte.weight' of a GPT-2"):
        from_gpt2({}, OURS)
