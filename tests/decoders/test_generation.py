"""Generation against a plain re-computation of every prefix, one context at a time, without a cache."""

import itertools

import pytest
import torch
from tiny_decoders import LSTM, SMALL, WIDTH, built, contexts

from weft.core.records import Features, Field
from weft.decoders.generation import GenerationConfig, Vocabulary, generate

START, END = 2, 3
VOCABULARY = Vocabulary(START, END)
DECODERS = {"transformer": SMALL, "lstm": LSTM.replace(attention=True)}
decoders = pytest.mark.parametrize("config", DECODERS.values(), ids=DECODERS)


def row(context: Features, number: int) -> Features:
    """One row without its padding, if anything is left then."""
    length = max(1, int(context.mask[number].sum()))
    alone = context.rows(slice(number, number + 1))
    return Features(alone.tokens[:, :length], alone.mask[:, :length], alone.pooled)


def plain_log_probabilities(decoder, context: Features, said: list[int]) -> torch.Tensor:
    """(V,) of the next token, everything computed anew."""
    with torch.no_grad():
        return decoder(context, Field(torch.tensor([said])))[0, -1].log_softmax(0)


def plain_greedy(decoder, context: Features, longest: int) -> tuple[list[int], float]:
    said, total = [START], 0.0
    while len(said) <= longest:
        log = plain_log_probabilities(decoder, context, said)
        said.append(int(log.argmax()))
        total += float(log.max())
        if said[-1] == END:
            return said[1:-1], total
    return said[1:], total


def plain_beam(decoder, context, beams, longest, exponent) -> tuple[list[int], float]:
    alive, ended = [(0.0, [START])], []
    for length in range(1, longest + 1):
        candidates = []
        for total, said in alive:
            log = plain_log_probabilities(decoder, context, said)
            candidates += [(total + float(x), [*said, v]) for v, x in enumerate(log)]
        candidates = sorted(candidates, key=lambda pair: -pair[0])[: 2 * beams]
        ended += [
            (total / length**exponent, said[1:-1])
            for total, said in candidates[:beams]
            if said[-1] == END
        ]
        alive = [pair for pair in candidates if pair[1][-1] != END][:beams]
        if len(ended) >= beams:
            break
    else:
        ended += [(total / longest**exponent, said[1:]) for total, said in alive]
    score, ids = max(ended, key=lambda pair: pair[0])
    return ids, score


@decoders
def test_greedy_equals_a_plain_recomputation(config) -> None:
    decoder = built(config)
    got = generate(
        [(decoder, contexts())], VOCABULARY, GenerationConfig(max_length=8, min_length=0)
    )
    for number in range(3):
        ids, score = plain_greedy(decoder, row(contexts(), number), 8)
        assert got.ids[number] == ids
        assert float(got.scores[number]) == pytest.approx(score, abs=1e-4)


@decoders
@pytest.mark.parametrize("beams", [1, 3, 5])
@pytest.mark.parametrize("exponent", [0.0, 0.7, 2.0])
def test_beam_search_equals_a_plain_recomputation(config, beams: int, exponent: float) -> None:
    decoder = built(config)
    with torch.no_grad():
        decoder.out.bias[END] += 0.3  # so that some texts end early and others do not
    settings = GenerationConfig(
        method="beam", beams=beams, length_exponent=exponent, max_length=6, min_length=0
    )
    got = generate([(decoder, contexts())], VOCABULARY, settings)
    lengths = set()
    for number in range(3):
        ids, score = plain_beam(decoder, row(contexts(), number), beams, 6, exponent)
        assert got.ids[number] == ids
        assert float(got.scores[number]) == pytest.approx(score, abs=1e-4)
        lengths.add(len(ids))
        whole = [*ids, END][:6]
        steps = (
            plain_log_probabilities(decoder, row(contexts(), number), [START, *whole[:place]])[
                token
            ]
            for place, token in enumerate(whole)
        )
        assert float(got.log_probabilities[number]) == pytest.approx(float(sum(steps)), abs=1e-4)
    assert len(lengths) > 1 or (beams, exponent) != (3, 2.0)


@decoders
def test_a_wide_beam_finds_the_likeliest_of_all_texts(config) -> None:
    decoder = built(config.replace(vocab_size=5))
    context = row(contexts(), 0)
    settings = GenerationConfig(
        method="beam", beams=40, length_exponent=0.0, max_length=3, min_length=0
    )
    got = generate([(decoder, context)], VOCABULARY, settings)
    others = [token for token in range(5) if token != END]
    every = [
        [*said, *([END] if size < 3 else [])]
        for size in range(4)
        for said in itertools.product(others, repeat=size)
    ]
    totals = {}
    for said in every:
        steps = (
            plain_log_probabilities(decoder, context, [START, *said[:place]])[token]
            for place, token in enumerate(said)
        )
        totals[tuple(said)] = float(sum(steps))
    best = max(totals, key=totals.get)
    assert got.ids[0] == [token for token in best if token != END]
    assert float(got.scores[0]) == pytest.approx(totals[best], abs=1e-4)


def test_an_ensemble_averages_probabilities() -> None:
    first, second = built(SMALL), built(LSTM)
    greedy = GenerationConfig(max_length=6, min_length=0)
    alone = generate([(first, contexts())], VOCABULARY, greedy)
    twice = generate([(first, contexts()), (first, contexts())], VOCABULARY, greedy)
    assert twice.ids == alone.ids
    torch.testing.assert_close(twice.scores, alone.scores)
    said, context = [START], row(contexts(), 0)
    while said[-1] != END and len(said) <= 6:
        both = [plain_log_probabilities(d, context, said).exp() for d in (first, second)]
        said.append(int(sum(both).argmax()))
    both = generate([(first, contexts()), (second, contexts())], VOCABULARY, greedy)
    assert both.ids[0] == [token for token in said[1:] if token != END]
    with pytest.raises(ValueError, match="all equal"):
        generate([(first, contexts()), (first, row(contexts(), 0))], VOCABULARY, greedy)


def first_tokens(settings: GenerationConfig, count: int = 4000) -> torch.Tensor:
    """(V,) frequencies of the first token drawn of one context."""
    got = generate(
        [(built(SMALL), row(contexts(), 0))],
        VOCABULARY,
        settings.replace(max_length=2, min_length=1),
        texts=count,
        generator=torch.Generator().manual_seed(0),
    )
    return torch.bincount(torch.tensor([ids[0] for ids in got.ids]), minlength=11) / count


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        (GenerationConfig(method="sample"), lambda p: p),
        (GenerationConfig(method="sample", temperature=0.5), lambda p: p**2),
        (
            GenerationConfig(method="sample", top_k=3),
            lambda p: p * (p >= p.sort(descending=True).values[2]),
        ),
        (
            GenerationConfig(method="sample", top_p=0.6),
            lambda p: torch.where(
                torch.stack([p[p > each].sum() for each in p]) < 0.6, p, torch.zeros(())
            ),
        ),
    ],
    ids=["plain", "temperature", "top k", "top p"],
)
def test_draws_have_the_shaped_probabilities(settings, shape) -> None:
    log = plain_log_probabilities(built(SMALL), row(contexts(), 0), [START])
    log[END] = -torch.inf  # not as the first token
    expected = shape(log.softmax(0))
    torch.testing.assert_close(first_tokens(settings), expected / expected.sum(), atol=0.03, rtol=0)


def test_draws_repeat_with_their_generator_and_differ_among_texts() -> None:
    settings = GenerationConfig(method="sample", max_length=8)

    def drawn(seed: int) -> list[list[int]]:
        generator = torch.Generator().manual_seed(seed)
        parts = [(built(SMALL), contexts())]
        return generate(parts, VOCABULARY, settings, texts=4, generator=generator).ids

    assert len(drawn(0)) == 12
    assert drawn(0) == drawn(0) != drawn(1)
    assert len(set(map(tuple, drawn(0)[:4]))) > 1


@pytest.mark.parametrize("method", ["greedy", "beam", "sample"])
def test_constraints_hold_for_every_method(method) -> None:
    torch.manual_seed(0)
    parts = [(built(SMALL), contexts())]
    settings = GenerationConfig(method=method, max_length=8, min_length=3)
    for ids in generate(parts, VOCABULARY, settings).ids:
        assert 3 <= len(ids) <= 8
    allowed = torch.zeros(3, 11, dtype=torch.bool)
    for number in range(3):
        allowed[number, [number + 4, number + 5]] = True
    got = generate(parts, Vocabulary(START, END, allowed), settings)
    for number, ids in enumerate(got.ids):
        assert set(ids) <= {number + 4, number + 5}
    few = Vocabulary(START, END, torch.ones(7, dtype=torch.bool))
    assert all(max(ids) < 7 for ids in generate(parts, few, settings).ids)
    for size in (1, 2):
        for ids in generate(parts, VOCABULARY, settings.replace(no_repeat=size)).ids:
            parts_of = [tuple(ids[n : n + size]) for n in range(len(ids) - size + 1)]
            assert len(set(parts_of)) == len(parts_of)


def test_a_sequence_may_be_repeated_where_nothing_forbids_it() -> None:
    """Otherwise the test of no_repeat could not fail."""
    ids = generate([(built(SMALL), contexts())], VOCABULARY, GenerationConfig(max_length=8)).ids
    assert any(len(set(one)) < len(one) for one in ids)


@pytest.mark.parametrize("method", ["greedy", "beam", "sample"])
def test_no_text_is_longer_than_a_decoder_can_write(method) -> None:
    settings = GenerationConfig(method=method, max_length=50, min_length=40)
    got = generate([(built(SMALL), contexts())], VOCABULARY, settings)
    assert [len(ids) for ids in got.ids] == [SMALL.max_length] * 3


def test_what_makes_no_sense_is_refused() -> None:
    for change, message in (
        ({"beams": 0}, "beams is 0"),
        ({"min_length": 30}, "min_length is 30, expected 0 to below max_length, 30"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"top_p": 0.0}, "top_p is 0.0"),
        ({"top_k": 0}, "top_k is 0"),
        ({"no_repeat": -1}, "no_repeat is -1"),
    ):
        with pytest.raises(ValueError, match=message):
            GenerationConfig(**change)
    with pytest.raises(ValueError, match="texts is 2 with method greedy"):
        generate([(built(SMALL), contexts())], VOCABULARY, GenerationConfig(max_length=4), texts=2)
    wrong = Vocabulary(START, END, torch.ones(11))
    with pytest.raises(ValueError, match=r"expected torch.bool \(V,\) or \(B, V\)"):
        generate([(built(SMALL), contexts())], wrong, GenerationConfig(max_length=4))
    assert contexts().tokens.shape[2] == WIDTH
