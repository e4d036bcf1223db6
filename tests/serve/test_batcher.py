"""Requests of many callers as one call of the model: what fits together, who fails, who is told to come again."""

import asyncio
import gc
import threading
import time
import weakref
from typing import Any

import pytest
import torch
from asking import ask, gate, media, png

from weft.core.errors import WeftError
from weft.export.backends import Backend
from weft.inference.preloaded import Size
from weft.runs.run import Run
from weft.serve.batcher import Batcher, share
from weft.serve.refusals import RefusedError
from weft.serve.service import Served, Service
from weft.serve.settings import NUMBERS, TOKENS, Limits

SMALL = Size(1, 8, 0)


class Worked:
    """Doubles numbers, and keeps how many came together. held: the first call waits for it."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.held = threading.Event()
        self.began = threading.Event()

    def __call__(self, payloads: list[Any]) -> list[Any]:
        self.began.set()
        assert self.held.wait(60)
        self.batches.append(payloads)
        if None in payloads:
            raise WeftError("one of them is nothing")
        return [2 * payload for payload in payloads]


async def gathered(batcher: Batcher, work: Worked, *jobs: tuple[Any, Size, Any]) -> list[Any]:
    """What the jobs give, all of which wait while a first one is worked on."""
    first = asyncio.create_task(batcher.ask("first", work, 0, SMALL))
    await asyncio.to_thread(work.began.wait, 60)
    tasks = [
        asyncio.create_task(batcher.ask("more", work, payload, size, key))
        for payload, size, key in jobs
    ]
    await asyncio.sleep(0)
    work.held.set()
    await first
    return await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def batcher() -> Any:
    made = Batcher(waiting=40)
    yield made
    made.close()


def test_what_asks_the_same_is_one_call(batcher: Batcher) -> None:
    work = Worked()
    jobs = [(1, SMALL, "a"), (2, SMALL, "b"), (3, SMALL, "a"), (4, SMALL, None), (5, SMALL, None)]
    assert asyncio.run(gathered(batcher, work, *jobs)) == [2, 4, 6, 8, 10]
    assert work.batches == [[0], [1, 3], [2], [4], [5]]


def test_a_call_has_so_many_tokens_and_pixels(batcher: Batcher) -> None:
    work = Worked()
    half = Size(1, TOKENS // 2, 0)
    picture = Size(1, 0, NUMBERS // 3)
    jobs = [(1, half, "a"), (2, half, "a"), (3, half, "a")]
    jobs += [(n, picture, "b") for n in range(4, 8)]
    asyncio.run(gathered(batcher, work, *jobs))
    assert work.batches == [[0], [1, 2], [3], [4, 5, 6], [7]]
    # A small text beside a long one is padded: the two together are two long ones.
    assert share(Size(2, TOKENS, 0)) == 2
    huge = Size(1, 100 * TOKENS, 0)
    assert asyncio.run(batcher.ask("more", work, 1, huge, "a")) == 2


def test_one_that_fails_fails_alone(batcher: Batcher) -> None:
    work = Worked()
    jobs = [(1, SMALL, "a"), (None, SMALL, "a"), (3, SMALL, "a")]
    one, bad, three = asyncio.run(gathered(batcher, work, *jobs))
    assert (one, three) == (2, 6)
    assert isinstance(bad, WeftError)


def test_a_full_queue_says_when_to_come_again(batcher: Batcher) -> None:
    async def fill() -> None:
        work = Worked()
        tasks = [asyncio.create_task(batcher.ask("a", work, n, SMALL)) for n in range(45)]
        await asyncio.to_thread(work.began.wait, 60)
        with pytest.raises(RefusedError) as told, batcher.arriving():
            pass
        assert told.value.status == 429
        assert int(told.value.headers["Retry-After"]) >= 1
        work.held.set()
        assert await asyncio.gather(*tasks) == [2 * n for n in range(45)]

    asyncio.run(fill())


def test_those_that_gave_up_are_not_worked_on(batcher: Batcher) -> None:
    async def run() -> list[list[Any]]:
        work = Worked()
        first = asyncio.create_task(batcher.ask("a", work, 1, SMALL))
        await asyncio.to_thread(work.began.wait, 60)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await batcher.ask("a", work, 2, SMALL)
        work.held.set()
        await first
        assert await batcher.ask("a", work, 3, SMALL) == 6
        return work.batches

    assert asyncio.run(run()) == [[1], [3]]


def test_those_that_gave_up_leave_the_queue() -> None:
    """While a call still runs: they keep no memory, no place in the queue and no other request."""
    batcher, held = Batcher(waiting=2, calls=2), Worked()

    async def run() -> int:
        first = asyncio.create_task(batcher.ask("a", held, 1, SMALL, "a", concurrent=True))
        await asyncio.to_thread(held.began.wait, 60)
        left = []
        for _ in range(2):  # as many as may wait, and none may run at the same time as the first
            payload = Worked()
            left.append(weakref.ref(payload))
            task = asyncio.create_task(batcher.ask("b", held, payload, SMALL))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            del payload, task
        gc.collect()
        assert [one() for one in left] == [None, None]
        with batcher.arriving():
            assert len(batcher) == 0
        before = asyncio.create_task(batcher.ask("b", held, 0, SMALL))
        await asyncio.sleep(0)
        behind = asyncio.create_task(
            batcher.ask("a", lambda many: many, 2, SMALL, "c", concurrent=True)
        )
        await asyncio.sleep(0.1)  # the free thread has seen that it may not begin
        before.cancel()
        async with asyncio.timeout(60):
            second = await behind
        held.held.set()
        return second + await first

    assert asyncio.run(run()) == 4
    batcher.close()


def test_a_thread_that_waits_keeps_no_payload(batcher: Batcher) -> None:
    payload = Worked()
    left = weakref.ref(payload)
    assert asyncio.run(batcher.ask("a", lambda many: [1 for _ in many], payload, SMALL)) == 1
    del payload
    until = time.monotonic() + 60
    while left() is not None and time.monotonic() < until:
        time.sleep(0.01)
        gc.collect()
    assert left() is None


def test_closing_answers_what_waits() -> None:
    batcher, work = Batcher(waiting=40), Worked()

    async def run() -> list[Any]:
        tasks = [asyncio.create_task(batcher.ask("a", work, n, SMALL)) for n in range(5)]
        await asyncio.to_thread(work.began.wait, 60)
        work.held.set()
        await asyncio.to_thread(batcher.close)
        return await asyncio.gather(*tasks)

    assert asyncio.run(run()) == [0, 2, 4, 6, 8]


class Overlapping:
    """Keeps which calls ran at the same time. met: set once two of them do."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.seen: set[tuple[str, ...]] = set()
        self.met = threading.Event()
        self._lock = threading.Lock()

    def of(self, name: str, seconds: float) -> Any:
        def work(payloads: list[Any]) -> list[Any]:
            with self._lock:
                self.running.append(name)
                self.seen.add(tuple(sorted(self.running)))
                if len(self.running) > 1:
                    self.met.set()
            self.met.wait(seconds)
            with self._lock:
                self.running.remove(name)
            return payloads

        return work


def test_concurrent_calls_run_at_the_same_time_and_others_alone() -> None:
    two = Batcher(waiting=40, calls=2)

    async def asked(*jobs: tuple[str, bool, float]) -> Overlapping:
        work = Overlapping()
        tasks = [
            asyncio.create_task(
                two.ask(name, work.of(name, seconds), n, SMALL, name, concurrent=concurrent)
            )
            for n, (name, concurrent, seconds) in enumerate(jobs)
        ]
        assert await asyncio.gather(*tasks) == list(range(len(jobs)))
        return work

    both = asyncio.run(asked(("a", True, 60), ("b", True, 60)))
    assert ("a", "b") in both.seen
    alone = asyncio.run(asked(("a", True, 0.05), ("b", False, 0.05), ("c", True, 0.05)))
    assert {names for names in alone.seen if "b" in names} == {("b",)}
    two.close()


@pytest.mark.parametrize("own_weights", [True, False])
def test_backends_with_their_own_weights_run_at_the_same_time(
    loaded: dict[str, Run], own_weights: bool
) -> None:
    """Texts and pictures cannot share a call."""
    work = Overlapping()

    def backend(stream: str) -> Backend:
        calls = work.of(stream, 60 if own_weights else 0.05)
        return Backend(
            "own", "", lambda field: torch.ones(len(calls([0] * len(field))), 4), own_weights
        )

    backends = {stream: backend(stream) for stream in ("text", "image")}
    served = Service([Served("scenes", loaded["scenes"], backends=backends)], Limits(rate=0))

    async def both() -> list[Any]:
        values: list[dict[str, Any]] = [{"text": "a star"}, {"image": media(png())}]
        local = gate(served)
        return await asyncio.gather(
            *(ask(local, "POST", "/embed", {"values": value}) for value in values)
        )

    assert [found.status for found in asyncio.run(both())] == [200, 200]
    assert (("image", "text") in work.seen) == own_weights
    served.close()


def test_32_callers_get_what_they_get_alone(service: Service, loaded: dict[str, Run]) -> None:
    texts = [f"a {color} square" + " and a star" * n for n in range(4) for color in ("red", "blue")]
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("/embed", {"run": "scenes", "values": {"text": text}}) for text in texts
    ]
    bodies += [("/embed", {"run": "scenes", "values": {"image": media(png(n))}}) for n in range(8)]
    questions = ("is it plain?", "what color is it?")
    bodies += [
        ("/predict", {"run": "dialog", "values": {"question": q, "image": media(png(n, 10 + n))}})
        for n in range(7)
        for q in questions
    ]
    bodies += [("/predict", {"run": "dialog", "values": {"question": questions[0]}})]
    bodies += [("/embed", {"run": "scenes", "values": {"image": media(png(1)[:150])}})]
    assert len(bodies) == 32
    local = gate(service)

    async def all_at_once() -> list[Any]:
        found = await asyncio.gather(*(ask(local, "POST", path, body) for path, body in bodies))
        return [(one.status, one.json) for one in found]

    async def one_by_one() -> list[Any]:
        found = [await ask(local, "POST", path, body) for path, body in bodies]
        return [(one.status, one.json) for one in found]

    together, alone = asyncio.run(all_at_once()), asyncio.run(one_by_one())
    for (status, found), (other, wanted) in zip(together, alone, strict=True):
        assert status == other
        if "embeddings" in found:
            for stream, vectors in wanted["embeddings"].items():
                got = torch.tensor(found["embeddings"][stream])
                assert torch.allclose(got, torch.tensor(vectors), atol=1e-5)
        else:
            assert found == wanted
    assert [status for status, _ in together] == [200] * 31 + [400]
    counted = service.metrics.text().decode()
    sizes = [line for line in counted.splitlines() if line.startswith("weft_batch_requests_count")]
    calls = sum(float(line.split()[-1]) for line in sizes)
    assert calls < 31 + 31  # together fewer calls than requests


def test_an_answer_that_comes_too_late(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.Event()
    run = service.runs["scenes"].run
    embed = run.embed_rows

    def slow(*given: Any) -> Any:
        assert held.wait(60)
        return embed(*given)

    monkeypatch.setattr(run, "embed_rows", slow, raising=False)
    object.__setattr__(service.limits, "answer_seconds", 0.1)
    local = gate(service)
    found = asyncio.run(ask(local, "POST", "/embed", {"values": {"text": "a dog"}}))
    assert (found.status, "0.1 s" in found.error) == (504, True)
    held.set()
    object.__setattr__(service.limits, "answer_seconds", 60.0)
    found = asyncio.run(ask(local, "POST", "/embed", {"values": {"text": "a dog"}}))
    assert found.status == 200
