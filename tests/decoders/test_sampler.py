"""Everything that is made step by step is made by one protocol."""

from dataclasses import dataclass, replace

import pytest
import torch
from tiny_decoders import LSTM, SMALL, built, contexts

from weft.decoders.generation import GenerationConfig, Vocabulary, generate, text_sampler
from weft.decoders.sampler import sample

VOCABULARY = Vocabulary(2, 3)
WAYS = {
    "greedy": GenerationConfig(max_length=8, min_length=0),
    "beam": GenerationConfig(method="beam", max_length=8, min_length=0),
    "sample": GenerationConfig(method="sample", max_length=8, min_length=0),
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


@every_way
@torch.no_grad()
def test_texts_by_hand_are_those_of_generate(way: GenerationConfig) -> None:
    parts = [(built(SMALL), contexts())]
    uniform_RN = torch.rand(3, 8, generator=torch.Generator().manual_seed(0))
    sampler = text_sampler(VOCABULARY, way, uniform_RN=uniform_RN)
    progress, steps = sampler.start(parts), 0
    while not progress.done:
        progress, steps = sampler.step(progress), steps + 1
    made = sampler.finish(progress)
    expected = generate(parts, VOCABULARY, way, uniform_RN=uniform_RN)
    assert made.ids == expected.ids
    assert torch.equal(made.scores, expected.scores)
    assert max(map(len, made.ids)) <= steps <= 8


@every_way
@torch.no_grad()
def test_one_sampler_works_on_several_sources_at_once(way: GenerationConfig) -> None:
    sources = [[(built(config), contexts())] for config in (SMALL, LSTM)]
    uniform_RN = torch.rand(3, 8, generator=torch.Generator().manual_seed(0))
    sampler = text_sampler(VOCABULARY, way, uniform_RN=uniform_RN)
    expected = [sample(sampler, source).ids for source in sources]
    at_work = [sampler.start(source) for source in sources]
    while not all(progress.done for progress in at_work):
        at_work = [p if p.done else sampler.step(p) for p in at_work]
    assert [sampler.finish(progress).ids for progress in at_work] == expected


@every_way
@torch.no_grad()
def test_what_is_finished_early_is_what_there_is(way: GenerationConfig) -> None:
    sampler = text_sampler(VOCABULARY, way.replace(min_length=5))
    progress = sampler.start([(built(SMALL), contexts())])
    for length in range(1, 4):
        progress = sampler.step(progress)
        assert not progress.done
        if way.method != "beam":
            assert [len(ids) for ids in sampler.finish(progress).ids] == [length] * 3


@dataclass(frozen=True)
class Flow:
    """Points on their way along a field, at some time."""

    points: torch.Tensor
    time: float = 0.0

    @property
    def done(self) -> bool:
        return self.time > 1 - 1e-6


@dataclass(frozen=True)
class Euler:
    """Follows dx/dt = -x from 0 to 1 in some steps."""

    steps: int

    def start(self, source: torch.Tensor) -> Flow:
        return Flow(source)

    def step(self, progress: Flow) -> Flow:
        moved = progress.points - progress.points / self.steps
        return replace(progress, points=moved, time=progress.time + 1 / self.steps)

    def finish(self, progress: Flow) -> torch.Tensor:
        return progress.points


def test_the_steps_of_a_flow_are_a_sampler_too() -> None:
    made = sample(Euler(steps=1000), torch.tensor([1.0, 2.0]))
    torch.testing.assert_close(
        made, torch.tensor([1.0, 2.0]) * torch.exp(torch.tensor(-1.0)), atol=1e-3, rtol=0
    )
    torch.testing.assert_close(sample(Euler(steps=2), torch.ones(1)), torch.tensor([0.25]))
