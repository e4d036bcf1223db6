"""What cannot be answered: the status code, and one sentence that says why."""

import asyncio
import contextlib
import dataclasses
import io
import json
import re
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asking import Answer, ask, encoded, form, gate, media, png
from made_media import sound_file, tone
from pydantic import ValidationError

from weft.core.language import say, speaking
from weft.index import Preview
from weft.modalities.vectors import VectorsConfig
from weft.modalities.video import VideoConfig
from weft.runs.run import Run
from weft.runs.searching import open_index
from weft.serve import requests
from weft.serve.indexed import told
from weft.serve.log import Log
from weft.serve.reading import EXPECTED, OF_FIELDS, said_of
from weft.serve.refusals import RefusedError
from weft.serve.service import Served, Service
from weft.serve.settings import Limits
from weft.serve.values import ValueReader

TEXT = {"text": "a red square"}
TWO = {"image": [media(png()), media(png(1))]}


def post(service: Service, path: str, content: Any, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(ask(gate(service), "POST", path, content, named))


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


@pytest.mark.parametrize(
    ("path", "content", "status", "said"),
    [
        ("/embed", {}, 400, "got no values"),
        ("/embed", {"values": {"words": "x"}}, 400, "unknown stream 'words'"),
        ("/embed", {"values": {"text": 3}}, 400, "text: got 3, expected a text"),
        ("/embed", {"values": {"text": []}}, 400, "empty list"),
        ("/embed", {"values": {"text": " "}}, 400, "empty"),
        ("/embed", {"values": {"text": None}}, 400, "value 1 of 'text' is missing"),
        ("/embed", {"values": {"text": ["a", None]}}, 400, "value 2 of 'text' is missing"),
        ("/embed", {"values": {"text": media(b"x")}}, 400, "got a file, expected a text"),
        ("/embed", {"values": {"text": "x" * 20_001}}, 413, "20,001 characters"),
        ("/embed", {"values": {"text": ["x"] * 257}}, 413, "257 values"),
        ("/embed", {"values": {"image": "/etc/passwd"}}, 400, "paths and addresses are not opened"),
        ("/embed", {"values": {"image": "http://127.0.0.1/x"}}, 400, "addresses are not opened"),
        ("/embed", {"values": {"image": {"path": "/etc/passwd"}}}, 400, "expected a picture as"),
        ("/embed", {"values": {"image": {"base64": "%%%"}}}, 400, "not valid base64"),
        ("/embed", {"values": {"image": {"base64": ""}}}, 400, "is empty (0 bytes)"),
        ("/embed", {"values": {"image": media(b"<svg onload=alert(1)>")}}, 415, "an SVG drawing"),
        ("/embed", {"values": {"image": media(b"<html>")}}, 415, "is a web page"),
        ("/embed", {"values": {"image": media(b"GIF")}}, 415, "of no known format"),
        ("/embed", {"values": {"image": media(png()[:200])}}, 400, "picture is truncated"),
        ("/embed", {"run": "none", "values": TEXT}, 404, "unknown run 'none'"),
        ("/embed", {"run": "speech", "values": TEXT}, 400, "cannot embed, it can: predict"),
        ("/embed", {"valves": TEXT}, 422, "valves: there is no such field, known: run, values"),
        ("/embed", [1], 422, "expected an object"),
        ("/predict", {"run": "dialog", "values": {}}, 400, "got nothing, expected"),
        ("/predict", {"run": "dialog", "values": TEXT}, 400, "unknown stream 'text'"),
        ("/predict", {"run": "dialog", "head": "no", "values": TEXT}, 400, "unknown head"),
        ("/explain", {"run": "scenes", "values": TEXT}, 400, "got text, expected image too"),
        ("/predict", {"run": "dialog", "k": 0}, 422, "k: expected at least 1"),
        ("/predict", {"k": "x", "z": 1}, 422, "k: expected a whole number; 1 more error"),
        ("/explain", {"method": "x"}, 422, "method: expected one of 'auto', 'relevance',"),
        ("/predict", {"run": "dialog", "k": 1001}, 413, "k is 1,001"),
        ("/transcribe", {"run": "speech", "values": {"audio": media(png())}}, 415, "is a picture"),
        ("/transcribe", {"run": "speech", "values": {"audio": media(b"RIFF")}}, 415, "no known"),
        ("/generate", {"run": "flow", "values": TEXT, "n": 17}, 413, "n is 17"),
        ("/generate", {"run": "flow", "values": TEXT, "steps": 999}, 413, "steps is 999"),
        ("/generate", {"run": "flow", "values": {"text": ""}}, 400, "is empty"),
        ("/generate", {"run": "flow", "values": {"text": "a zebra"}}, 400, "never seen"),
        ("/generate", {"run": "flow", "values": TEXT, "guidance": -1}, 422, "guidance"),
        ("/explain", {"run": "scenes", "values": TEXT}, 400, "expected image too"),
        ("/explain", {"run": "scenes", "method": "magic"}, 422, "method"),
        (
            "/explain",
            {"run": "scenes", "values": TEXT, "similarity": True},
            400,
            "got text, expected 2",
        ),
        ("/explain", {"run": "both", "head": "a", "similarity": True}, 400, "and a head, expected"),
        ("/explain", {"run": "scenes", "values": {"text": ["a", "b"]}}, 400, "text: got 2 values"),
        ("/ask", {"run": "both", "question": "x"}, 400, "cannot ask"),
        ("/ask", {"run": "dialog", "question": "x", "values": TWO}, 400, "image: got 2 values"),
        ("/ask", {"run": "ranking", "question": "x", "values": TWO}, 400, "image: got 2 values"),
        ("/ask", {"run": "dialog", "values": {}}, 422, "question: is missing"),
        ("/ask", {"run": "dialog", "question": "x", "history": [{}]}, 422, "history.0.question"),
        ("/search", {}, 400, "got no query"),
        ("/search", {"query": [{"stream": "text"}]}, 400, "has no single value"),
        ("/search", {"query": [{"stream": "none", "value": "x"}]}, 400, "unknown stream"),
        ("/search", {"like": [{"id": "no such"}]}, 400, "holds no entry 'no such'"),
        ("/search", {"run": "speech"}, 400, "cannot search"),
        ("/search", {"run": "both"}, 400, "the run 'both' has no index; build one with: weft"),
        ("/items", {"items": [{"id": "a", "value": "x"}]}, 403, "--writable"),
        ("/items", {"items": []}, 422, "items: expected a length of at least 1"),
        ("/items", {"items": [{"id": ""}]}, 422, "items.0.id: expected a text of length 1 or more"),
        (
            "/items",
            {"items": [{"id": "a", "metadata": {"year": [1]}}]},
            422,
            "items.0.metadata.year: expected a text, a finite number, true, false or null",
        ),
        ("/search", {"where": {"year": None}}, 422, "where.year: expected a text, a finite number"),
        ("/search", {"where": {"year": {"mean": 1}}}, 422, "or an object with min, max or both"),
        ("/generate", {"seed": 2**63}, 422, "seed: expected less than 9,223,372,036,854,775,808"),
        ("/generate", {"n": "9" * 5000}, 422, "n: expected a whole number with fewer digits"),
        ("/login", {"token": "x"}, 400, "no token"),
    ],
)
def test_a_value_that_cannot_be(
    service: Service, path: str, content: Any, status: int, said: str
) -> None:
    found = post(service, path, content)
    assert said in found.error
    assert found.status == status


def test_expected_types_and_ranges_are_in_chinese() -> None:
    context = dict.fromkeys(("ge", "lt", "le", "min_length", "max_length"), 2)
    told = [
        *(f"expected {one.format(**context, expected='A or B')}" for one in EXPECTED.values()),
        *OF_FIELDS.values(),
    ]
    for model, body in (
        (requests.Search, {"where": {"a": None}}),
        (requests.AddItems, {"items": [{"id": "a", "metadata": {"a": []}}]}),
    ):
        with pytest.raises(ValidationError) as refused:
            model.model_validate(body)
        told.append(said_of(refused.value, model).rpartition(": ")[2])
    with speaking("zh"):
        for one in told:
            words = set(re.findall("[a-z]{2,}", say(f"k: {one}; 2 more errors")))
            assert words <= {"true", "false", "null", "min", "max"}


def test_filters_that_do_not_fit(service: Service) -> None:
    search = {"query": [{"stream": "text", "value": "a dog"}]}
    found = post(service, "/search", {**search, "where": {"no": 1}})
    assert (found.status, "unknown column 'no'" in found.error) == (400, True)
    found = post(service, "/search", {**search, "where": {"no": {"least": 1}}})
    assert found.status == 422
    opposite = {"stream": "text", "value": "a dog", "weight": -1}
    found = post(service, "/search", {"query": [*search["query"], opposite]})
    assert (found.status, "cancel out" in found.error) == (400, True)


def test_what_is_too_much_when_it_is_decoded(service: Service) -> None:
    limits = dataclasses.replace(service.limits, pixels=500, seconds=1.0)
    for run in service.runs.values():
        run._values._limits = limits
    found = post(service, "/embed", {"values": {"image": media(png())}})
    assert (found.status, "24 x 24 pixels" in found.error) == (413, True)
    sound = media(sound_file(tone(2.0, 200.0)))
    found = post(service, "/transcribe", {"values": {"audio": sound}})
    assert (found.status, "2 s long" in found.error) == (413, True)


def test_content_that_is_neither_json_nor_a_form(service: Service) -> None:
    body = encoded({"values": TEXT})[0]
    assert post(service, "/embed", body, content_type="text/plain").status == 415
    assert post(service, "/embed", body).status == 415
    json_type = {"content_type": "application/json"}
    for bad in (b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"values": {"text": NaN}}', b"nil"):
        assert post(service, "/embed", bad, **json_type).status in (400, 422)
    half = json.dumps({"values": {"text": "\ud800"}}).encode()
    assert post(service, "/embed", half, **json_type).status in (200, 400, 422)


def test_forms_that_cannot_be_read(service: Service) -> None:
    body, headers = form({}, image=png())
    found = post(service, "/embed", body[:-40], **headers)
    assert found.status in (400, 422)
    assert post(service, "/embed", body, content_type="multipart/form-data").status == 422
    both, headers = form({"values": {"image": media(png())}}, image=png())
    assert "a value and a file" in post(service, "/embed", both, **headers).error
    body, headers = form({"question": "what?"}, nothing=b"x")
    assert post(service, "/ask", body, **headers).status == 400


def test_routes_that_are_not_there(service: Service) -> None:
    local = gate(service)
    for method, path, status in (
        ("GET", "/none", 404),
        ("GET", "/docs", 404),
        ("GET", "/embed", 405),
        ("PUT", "/items", 405),
        ("TRACE", "/", 405),
        ("GET", "/../etc/passwd", 404),
        ("GET", "/items/%2e%2e%2fetc", 404),
    ):
        found = asyncio.run(ask(local, method, path))
        assert (found.status, bool(found.error)) == (status, True), path


def test_no_folder_of_the_server_is_told(service: Service, runs: Path) -> None:
    found = post(service, "/predict", {"run": "dialog", "head": "no", "values": TEXT})
    assert str(runs) not in found.error
    found = post(service, "/search", {"like": [{"id": "no such"}]})
    assert str(runs) not in found.error


@pytest.mark.parametrize(
    "source",
    [
        "/srv/mine/a.png",
        "mine/a.png",
        "../mine/a.png",
        r"C:\mine\a.png",
        "s3://mine/a.png",
        "a.png",
    ],
)
def test_sources_have_no_folders(source: str) -> None:
    assert told(source) == "a.png"
    assert told(f"{source}:12") == "a.png:12"


def test_a_fault_of_the_server_is_no_secret_told(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: Any) -> None:
        raise TypeError("a secret of the input")

    monkeypatch.setattr(service.runs["scenes"].run, "embed_rows", broken, raising=False)
    with contextlib.closing(Log(tmp_path / "log")) as log:
        found = asyncio.run(ask(gate(service, log=log), "POST", "/embed", {"values": TEXT}))
    assert found.status == 500
    assert "secret" not in found.body.decode() + (tmp_path / "log").read_text()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert lines[0]["event"] == "failed"
    assert lines[0]["error"] == "TypeError"


def test_a_name_as_long_as_the_body_is_cut(service: Service) -> None:
    search = {"query": [{"stream": "text", "value": "a dog"}]}
    found = post(service, "/search", {**search, "where": {"x" * 100_000: {"least": 1}}})
    assert found.status == 422
    assert len(found.body) < 1100


def test_a_damaged_index_is_a_fault_of_the_server(
    loaded: dict[str, Run], runs: Path, tmp_path: Path
) -> None:
    """Its callers cannot mend it: 500, in the log with its path, and without it to them."""
    shutil.copytree(runs / "scenes" / "index", tmp_path / "index")
    index = open_index(loaded["scenes"], tmp_path / "index")
    with contextlib.closing(sqlite3.connect(tmp_path / "index" / "index.db")) as file, file:
        file.execute("UPDATE vectors SET vector = x'00'")
    search = {"query": [{"stream": "text", "value": "a dog"}]}
    served = Service([Served("scenes", loaded["scenes"], index)], Limits(rate=0))
    with contextlib.closing(Log(tmp_path / "log")) as log, contextlib.closing(served):
        found = asyncio.run(ask(gate(served, log=log), "POST", "/search", search))
    assert found.status == 500
    assert found.error.startswith("the index of scenes/index.db: is damaged: row ")
    (failed, _) = map(json.loads, (tmp_path / "log").read_text().splitlines())
    assert failed["event"] == "failed"
    assert failed["error"].startswith(f"{tmp_path}/index/index.db: is damaged: row ")


def test_previews_of_other_types_are_none(service: Service) -> None:
    """Whoever made the index may have written anything."""
    index = service.indexes["scenes"].index
    name = index.ids()[0]
    assert asyncio.run(ask(gate(service), "GET", f"/previews/{name}")).status == 200
    made = Preview(b"<script>alert(1)</script>", "text/html\r\nx: y")
    index.preview = lambda _: made  # type: ignore[method-assign]
    found = asyncio.run(ask(gate(service), "GET", f"/previews/{name}"))
    assert (found.status, "no preview" in found.error) == (404, True)


def test_a_full_disk_of_the_log_loses_no_answer(service: Service) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    with contextlib.closing(Log(Path("/dev/full"))) as log:
        found = asyncio.run(ask(gate(service, log=log), "POST", "/embed", {"values": TEXT}))
    assert found.status == 200


def test_more_frames_or_numbers_that_are_none() -> None:
    modalities = {"clip": VideoConfig().build(), "numbers": VectorsConfig(2).build()}
    reader = ValueReader(modalities, Limits(values=3))
    frame = media(png())
    assert len(reader.of_stream("clip", [[frame] * 3])[0]) == 3
    with pytest.raises(RefusedError, match="clip: got 4 frames, expected at most 3"):
        reader.of_stream("clip", [[frame] * 4])
    for bad in ([1, float("nan")], [float("inf")], ["x"], [[1], [1, 2]], [10**400]):
        with pytest.raises(RefusedError, match="expected an array of finite numbers"):
            reader.of_stream("numbers", [bad])
    assert reader.of_stream("numbers", [[1, 2.5]])[0].tolist() == [1, 2.5]
