"""The operations of the interface: each maps a request to its answer as JSON."""

import base64
from collections.abc import Mapping
from typing import Any

from weft.explain.decision import decision_of
from weft.heads.drawn import DrawnOutput, DrawnValues
from weft.heads.output import Output
from weft.heads.texts import TextOutput
from weft.heads.transcripts import TranscriptOutput
from weft.inference.given import Given
from weft.runs.dialogs import answers, asked_after, ranks, streams_asked
from weft.runs.explaining import explain_rows
from weft.runs.generating import generate
from weft.serve import requests
from weft.serve.explained import explained_json
from weft.serve.refusals import RefusedError, checked
from weft.serve.served import ServedRun

Answer = dict[str, Any]
MEDIA_TYPES = {".png": "image/png", ".wav": "audio/wav"}


async def embed(run: ServedRun, asked: requests.Embed) -> Answer:
    """Returns the unit-length embedding of each value."""
    if not asked.values:
        raise RefusedError(
            400, f"got no values, expected one or more of {', '.join(run.run.streams)}"
        )
    found = {
        stream: (await run.embed(stream, value)).tolist() for stream, value in asked.values.items()
    }
    return {"run": run.name, "embeddings": found}


async def predict(run: ServedRun, asked: requests.Predict) -> Answer:
    """Returns a head's prediction for each row."""
    k = checked(asked.k, "k", run.limits.answers)
    found = await run.said("predict", asked.values, asked.head)
    rows = [
        {"said": found.values.said(row), "answers": found.answers(row, k)}
        for row in range(len(found.values))
    ]
    return {
        "run": run.name,
        "head": found.head,
        "rows": rows,
        "found": list(found.found),
        "missing": list(found.missing),
    }


async def ask(run: ServedRun, asked: requests.Ask) -> Answer:
    """Answers a question, given earlier questions and answers."""
    k = checked(asked.k, "k", run.limits.answers)
    check_one_row(asked.values)
    turns = [turn.model_dump() for turn in asked.history]
    values = asked_after(run.run, asked.values, asked.question, turns)
    if asked.head is None and ranks(run.run):
        values, _ = run.streams_read(values, streams_asked(run.run, None))

        def ranked(rows: Given) -> list[tuple[str, float | None]]:
            return answers(run.run, rows.samples[0].items, None, k)

        pairs = await run.alone("ask", values, ranked)
        found = [{"said": said, "probability": score} for said, score in pairs]
    else:
        said = await run.said("ask", values, asked.head)
        found = said.answers(0, k)
    turn = {"question": asked.question, "answer": found[0]["said"] if found else ""}
    return {"run": run.name, "answers": found, "history": [*turns, turn]}


async def caption(run: ServedRun, asked: requests.OfHead) -> Answer:
    """Returns a caption for each row."""
    return await _written(run, asked, TextOutput)


async def transcribe(run: ServedRun, asked: requests.Transcribe) -> Answer:
    """Returns the transcript of each recording."""
    return await _written(run, asked, TranscriptOutput, asked.window)


async def generate_values(run: ServedRun, asked: requests.Generate) -> Answer:
    """Returns files that are generated from each row."""
    n = checked(asked.n, "n", run.limits.drawn)
    if asked.steps is not None:
        checked(asked.steps, "steps", run.limits.steps)
    head = run.run.head(asked.head, DrawnOutput, asked.values)
    output = run.run.model.head(head).output
    assert isinstance(output, DrawnOutput)
    values, _ = run.streams_read(asked.values, run.run.model.streams_of(head))

    def draw(rows: Given) -> list[str]:
        checked(n * len(rows.samples), "number of outputs to generate", run.limits.drawn)
        drawn = generate(
            run.run,
            head,
            n=n,
            seed=asked.seed,
            guidance=asked.guidance,
            steps=asked.steps,
            **_columns(rows),
        ).values
        assert isinstance(drawn, DrawnValues)
        return [base64.b64encode(drawn.encoded(row)).decode() for row in range(len(drawn))]

    files = await run.alone("generate", values, draw)
    return {
        "run": run.name,
        "head": head,
        "media_type": MEDIA_TYPES.get(output.suffix, "application/octet-stream"),
        "files": files,
    }


async def explain(run: ServedRun, asked: requests.Explain) -> Answer:
    """Explains the answer for one row, or the similarity of its two streams."""
    check_one_row(asked.values)
    trained, pair = run.run, _compared(asked)
    if asked.head is None and pair is None and ranks(trained):
        reads = streams_asked(trained, None)
    else:
        reads = decision_of(trained.model, trained.learned, asked.head, pair, asked.values).reads
    values, _ = run.streams_read(asked.values, reads)

    def weigh(rows: Given) -> Answer:
        how = (asked.method, asked.head, pair, asked.values)
        (found,) = explain_rows([trained], rows.samples, *how)
        return explained_json(found)

    return {"run": run.name, **await run.alone("explain", values, weigh)}


def _compared(asked: requests.Explain) -> tuple[str, str] | None:
    """Returns the two streams whose similarity is explained; None for the answer of a head. Raises RefusedError."""
    if not asked.similarity:
        return None
    if asked.head is not None:
        raise RefusedError(400, "got similarity and a head, expected one of them")
    if len(asked.values) != 2:
        has = ", ".join(asked.values) or "nothing"
        raise RefusedError(400, f"got {has}, expected 2 streams to compare")
    first, second = asked.values
    return first, second


def check_one_row(values: Mapping[str, Any]) -> None:
    """Raises RefusedError for a list of several values, since only one row can be answered."""
    for stream, value in values.items():
        if isinstance(value, list) and len(value) != 1:
            raise RefusedError(400, f"{stream}: got {len(value)} values, expected 1")


async def _written(
    run: ServedRun, asked: requests.OfHead, kind: type[Output], window: float | None = None
) -> Answer:
    what = "caption" if kind is TextOutput else "transcribe"
    found = await run.said(what, asked.values, asked.head, kind, window)
    return {
        "run": run.name,
        "head": found.head,
        "texts": found.texts(),
        "found": list(found.found),
        "missing": list(found.missing),
    }


def _columns(rows: Given) -> Mapping[str, Any]:
    """stream -> the values of all rows."""
    return {stream: [sample.items[stream] for sample in rows.samples] for stream in rows.sources}
