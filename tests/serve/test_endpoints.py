"""Every endpoint of a real server, asked over HTTP."""

import base64
import contextlib
import http.client
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asking import Process, form, media, png
from limits import LIMIT_S
from made_media import RATE, sound_file, tone
from made_runs import NAMES
from PIL import Image

from weft.index import Index
from weft.runs.dialogs import converse
from weft.runs.run import Run
from weft.runs.transcribing import transcribe


def values_of(answer: Any) -> Any:
    assert answer.status == 200, answer.body
    return answer.json


def test_it_lives_and_says_what_it_can(answering: Process) -> None:
    assert values_of(answering.get("/health")) == {"status": "ok"}
    head = answering.ask("HEAD", "/health")
    assert (head.status, head.body) == (200, b"")
    found = {one["name"]: one for one in values_of(answering.get("/runs"))}
    assert list(found) == list(NAMES)
    assert found["scenes"]["can"] == ["embed", "explain", "search"]
    assert {s["name"]: s["kind"] for s in found["scenes"]["streams"]} == {
        "image": "image",
        "text": "text",
    }
    assert found["dialog"]["can"] == ["predict", "ask", "caption", "explain"]
    assert found["ranking"]["can"] == ["embed", "ask", "explain"]
    assert found["ranking"]["dialog"]["history"] == "history"
    assert {"generate", "caption"} <= set(found["both"]["can"])
    assert "ask" not in found["both"]["can"]
    assert found["flow"]["can"] == ["predict", "generate"]
    (picture,) = found["flow"]["heads"]
    assert {"seed", "steps", "guidance"} <= set(picture["settings"])
    of_head = {head["name"]: head["settings"] for head in found["both"]["heads"]}
    assert of_head == {"image": ["latent", "seed"], "text": []}
    assert "transcribe" in found["speech"]["can"]
    index = found["scenes"]["index"]
    assert index["items"] == 12
    assert index["writable"]
    assert found["dialog"]["index"] is None
    assert "weft_requests_total" in answering.get("/metrics").body.decode()


def test_the_page_and_its_headers(answering: Process) -> None:
    found = answering.get("/")
    assert found.status == 200
    assert found.headers["content-type"] == "text/html; charset=utf-8"
    assert "'unsafe-inline'" not in found.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in found.headers["content-security-policy"]
    other = answering.get("/health").headers
    assert other["x-content-type-options"] == "nosniff"
    assert other["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in other
    assert "server" not in other


def test_embeddings_are_those_of_the_library(answering: Process, loaded: dict[str, Run]) -> None:
    texts, picture = ["a red square", "two blue stars"], png(1)
    found = values_of(
        answering.post("/embed", {"values": {"text": texts, "image": media(picture)}})
    )
    wanted = loaded["scenes"].embed(text=texts)
    assert isinstance(wanted, torch.Tensor)
    assert torch.allclose(torch.tensor(found["embeddings"]["text"]), wanted, atol=1e-5)
    body, headers = form({"run": "scenes"}, image=picture)
    again = values_of(answering.ask("POST", "/embed", body, headers=headers))
    assert again["embeddings"]["image"] == found["embeddings"]["image"]


def test_search_with_filters_and_examples(answering: Process) -> None:
    query = {"query": [{"stream": "text", "value": "a red square"}], "k": 5, "cutoff": -1}
    found = values_of(answering.post("/search", query))
    hits = found["hits"]
    assert len(hits) == 5
    assert found["found"]
    scores = [hit["score"] for hit in hits]
    assert scores == sorted(scores, reverse=True)
    liked = values_of(
        answering.post("/search", {"like": [{"id": hits[2]["id"]}], "k": 1, "cutoff": -1})
    )
    assert liked["hits"][0]["id"] == hits[2]["id"]
    assert liked["hits"][0]["score"] == pytest.approx(1, abs=1e-5)
    less = {**query, "like": [{"id": hits[0]["id"], "weight": -3}]}
    assert values_of(answering.post("/search", less))["hits"][0]["id"] != hits[0]["id"]
    body, headers = form({"query": [{"stream": "image"}], "k": 2, "cutoff": -1}, image=png(2))
    assert len(values_of(answering.ask("POST", "/search", body, headers=headers))["hits"]) == 2
    nothing = values_of(answering.post("/search", {**query, "cutoff": 1.0}))
    assert (nothing["hits"], nothing["found"]) == ([], False)


def test_a_query_of_one_text_has_the_calibrated_cut_off(
    answering: Process, runs: Path, loaded: dict[str, Run]
) -> None:
    text = [{"stream": "text", "value": "a red square"}]
    found = values_of(answering.post("/search", {"query": text, "k": 100}))
    query = loaded["scenes"].embed(text=["a red square"])
    assert isinstance(query, torch.Tensor)
    with Index.open(runs / "scenes" / "index") as index:
        cutoff = index.cutoff("text")
        assert cutoff is not None
        expected = float(cutoff.of(query)[0])
        scores = [hit.score for hit in index.search(query, 100)[0]]
    assert found["calibrated"] == found["cutoff"] == pytest.approx(expected, abs=1e-5)
    assert len(found["hits"]) == sum(score >= expected for score in scores)
    everything = values_of(answering.post("/search", {"query": text, "k": 100, "cutoff": -1}))
    assert everything["calibrated"] == found["calibrated"]
    assert len(everything["hits"]) == len(scores)
    combined = values_of(answering.post("/search", {"query": [*text, *text], "k": 3}))
    assert (combined["calibrated"], combined["cutoff"]) == (None, None)
    (run,) = [one for one in values_of(answering.get("/runs")) if one["name"] == "scenes"]
    assert run["index"]["cutoffs"] == ["text"]


def test_items_are_added_shown_found_and_removed(answering: Process) -> None:
    items = [
        {"id": "new/1 ü?", "value": media(png(3, 400)), "metadata": {"year": 2020, "who": "me"}},
        {"id": "new/2", "value": media(png(4)), "metadata": {"year": 2021}},
    ]
    assert values_of(answering.post("/items", {"items": items}))["added"] == 2
    assert values_of(answering.post("/items", {"items": items[:1]}))["replaced"] == 1
    where = {"year": {"max": 2020}}
    query = [{"stream": "image", "value": items[0]["value"]}]
    (hit,) = values_of(answering.post("/search", {"query": query, "where": where}))["hits"]
    assert (hit["id"], hit["metadata"]) == ("new/1 ü?", {"year": 2020, "who": "me"})
    shown = answering.get(hit["preview"])
    assert shown.headers["content-type"] == "image/jpeg"
    assert max(Image.open(io.BytesIO(shown.body)).size) <= 320
    item = values_of(answering.get("/items/new%2F2?run=scenes"))
    assert item["metadata"] == {"year": 2021}
    index = values_of(answering.get("/runs"))[0]["index"]
    (year,) = (column for column in index["columns"] if column["name"] == "year")
    assert (year["type"], year["min"], year["max"]) == ("number", 2020, 2021)
    removed = answering.ask("DELETE", "/items", {"ids": ["new/1 ü?", "new/2", "none"]})
    assert values_of(removed)["removed"] == 2
    assert answering.get("/items/new%2F2").status == 404


def test_an_id_may_end_like_an_address(answering: Process) -> None:
    name = "new/preview"
    values_of(answering.post("/items", {"items": [{"id": name, "value": media(png(5))}]}))
    item = values_of(answering.get("/items/new%2Fpreview?run=scenes"))
    assert item["id"] == name
    assert answering.get(item["preview"]).headers["content-type"] == "image/png"
    assert values_of(answering.ask("DELETE", "/items", {"ids": [name]}))["removed"] == 1


def test_a_question_after_another(answering: Process, runs: Path, loaded: dict[str, Run]) -> None:
    picture = (runs / "rows" / "0.png").read_bytes()
    for name in ("dialog", "ranking"):
        asked = {"run": name, "values": {"image": media(picture)}, "question": "is it plain?"}
        first = values_of(answering.post("/ask", asked))
        asked |= {"question": "what color is it?", "history": first["history"], "k": 2}
        second = values_of(answering.post("/ask", asked))
        assert len(second["history"]) == 2
        values = {"image": runs / "rows" / "0.png", "question": "is it plain?"}
        wanted = list(converse(loaded[name], values, ["what color is it?"], None, 2))
        assert [one["said"] for one in second["answers"]] == [said for said, _ in wanted[1]]


def test_predictions_captions_and_transcripts(answering: Process, loaded: dict[str, Run]) -> None:
    asked = {"run": "dialog", "values": {"image": media(png()), "question": "is it plain?"}}
    found = values_of(answering.post("/predict", {**asked, "k": 3}))
    assert found["missing"] == ["history"]
    assert found["rows"][0]["said"] == found["rows"][0]["answers"][0]["said"]
    assert values_of(answering.post("/caption", asked))["texts"] == [found["rows"][0]["said"]]
    sound = sound_file(tone(1.0, 200.0))
    asked = {"run": "speech", "values": {"audio": [media(sound), media(sound)]}}
    texts = values_of(answering.post("/transcribe", asked))["texts"]
    assert texts == loaded["speech"].predict(audio=[sound, sound]).said


def test_long_recordings_are_transcribed_in_parts(
    answering: Process, loaded: dict[str, Run], tmp_path: Path
) -> None:
    """As `weft transcribe` does; a row of several parts is one text, between those of other rows."""
    samples = tone(5.0, 200.0)
    for second in (1.7, 3.3):
        samples[round(second * RATE) : round((second + 0.2) * RATE)] = 0
    contents = [sound_file(tone(1.0, 200.0)), sound_file(samples), sound_file(tone(1.0, 400.0))]
    files = [tmp_path / f"{n}.wav" for n in range(3)]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    asked = {"run": "speech", "values": {"audio": [media(one) for one in contents]}}
    texts = values_of(answering.post("/transcribe", {**asked, "window": 2}))["texts"]
    wanted = transcribe(loaded["speech"], loaded["speech"].head(), files, 2.0)
    assert texts == [one.text for one in wanted]
    assert texts[1] != values_of(answering.post("/transcribe", asked))["texts"][1]
    assert answering.post("/transcribe", {**asked, "window": 0.5}).status == 422


def test_an_autoencoder_does_with_any_of_its_streams(
    answering: Process, loaded: dict[str, Run]
) -> None:
    """Though its rows of training had all of them."""
    both = {"image": media(png()), "text": "a red circle"}
    (run,) = [one for one in values_of(answering.get("/runs")) if one["name"] == "both"]
    assert set(run["optional"]) == set(both)
    for stream, other in (("image", "text"), ("text", "image")):
        asked = {"run": "both", "values": {stream: both[stream]}}
        found = values_of(answering.post("/caption", asked))
        value = png() if stream == "image" else both[stream]
        assert found["texts"] == loaded["both"].predict(head="text", **{stream: value}).said
        assert (found["found"], found["missing"]) == ([stream], [other])
        assert values_of(answering.post("/generate", asked))["media_type"] == "image/png"
    nothing = answering.post("/caption", {"run": "both", "values": {}})
    said = "got nothing, expected one or more of image, text"
    assert (nothing.status, nothing.json["error"]) == (400, said)


def test_pictures_are_drawn(answering: Process) -> None:
    asked = {"run": "flow", "values": {"text": "a red circle"}, "n": 2, "steps": 2, "seed": 3}
    found = values_of(answering.post("/generate", asked))
    assert found["media_type"] == "image/png"
    drawn = [Image.open(io.BytesIO(base64.b64decode(one))) for one in found["files"]]
    assert len(drawn) == 2
    assert not np.array_equal(np.asarray(drawn[0]), np.asarray(drawn[1]))
    assert values_of(answering.post("/generate", asked))["files"] == found["files"]


def test_explanations_have_pictures_and_words(answering: Process) -> None:
    values = {"image": media(png()), "text": "a red square"}
    found = values_of(answering.post("/explain", {"run": "scenes", "values": values}))
    assert found["said"] == "similarity"
    picture = found["streams"]["image"]["pictures"][0]
    assert Image.open(io.BytesIO(base64.b64decode(picture["png"]))).size
    assert np.asarray(picture["weights"]).ndim == 2
    words = found["streams"]["text"]["words"]
    assert [word["text"] for word in words][:2] == ["a", "red"]
    assert all(0 <= word["weight"] <= 1 for word in words)


def test_a_similarity_is_explained_where_there_are_heads_too(answering: Process) -> None:
    asked = {"run": "both", "values": {"image": media(png()), "text": "a red circle"}}
    answer = values_of(answering.post("/explain", {**asked, "head": "text"}))
    assert answer["said"] != "similarity"
    found = values_of(answering.post("/explain", {**asked, "similarity": True}))
    assert found["said"] == "similarity"
    vectors = values_of(answering.post("/embed", asked))["embeddings"]
    cosine = float(np.dot(vectors["image"][0], vectors["text"][0]))
    assert float(found["score"]) == pytest.approx(cosine, abs=1e-3)
    assert set(found["streams"]) == {"image", "text"}


def test_the_description_names_every_route(answering: Process) -> None:
    found = values_of(answering.get("/openapi.json"))
    assert found["openapi"].startswith("3.1")
    body = found["paths"]["/embed"]["post"]["requestBody"]["content"]
    assert set(body) == {"application/json", "multipart/form-data"}
    assert {"/search", "/items", "/items/{id}", "/previews/{id}", "/runs"} <= set(found["paths"])
    names = [one["operationId"] for path in found["paths"].values() for one in path.values()]
    assert len(set(names)) == len(names)


def test_who_sends_too_much_hears_why(answering: Process) -> None:
    found = answering.post("/embed", {"values": {"text": "x" * (33 << 20)}})
    assert (found.status, "the body has" in found.error) == (413, True)

    def parts() -> Iterator[bytes]:  # nothing says how much comes
        for _ in range(40):
            yield bytes(1 << 20)

    connection = http.client.HTTPConnection("127.0.0.1", answering.port, timeout=LIMIT_S)
    headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    connection.request("POST", "/embed", parts(), headers, encode_chunked=True)
    with contextlib.closing(connection), connection.getresponse() as answer:
        answer.read()
        assert answer.status == 413


def test_the_log_has_no_payload(answering: Process) -> None:
    secret = "a very private sentence"
    answering.post("/embed", {"values": {"text": secret}})
    answering.get(f"/items/{secret.replace(' ', '%20')}")
    log = Path(answering.words[answering.words.index("--log") + 1])
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines[0]["event"] == "started"
    assert any(line.get("route") == "/embed" and line["status"] == 200 for line in lines)
    assert "private" not in log.read_text()
