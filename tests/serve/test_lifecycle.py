"""From the command line to the last answer: what is refused before it serves, and how it ends."""

import contextlib
import http.client
import importlib.util
import json
import shutil
import signal
import socket
import threading
from collections import Counter
from pathlib import Path

import pytest
from asking import Process, png, until
from limits import LIMIT_S
from tiny_runs import refused, weft


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "serve"),
        (("--prot", "1"), "did you mean --port"),
        (("--port", "x"), "--port"),
        (("--port", "-1"), "--port is -1, expected 0 to 65535"),
        (("--port", "65536"), "--port is 65536"),
        (("--hots", "x"), "did you mean --host"),
        (("--host", "no host", "--token-file", "TOKEN"), "expected an address of this machine"),
        (("--host", "0.0.0.0"), "there is no token"),
        (("--host", "192.0.2.1", "--token-file", "TOKEN"), "192.0.2.1:0 cannot be used"),
        (("--token-fil", "x"), "did you mean --token-file"),
        (("--token-file", "none"), "none: the token cannot be read"),
        (("--indx", "x"), "did you mean --index"),
        (("--index", "none"), "has no embeddings"),
        (("--dta", "x"), "did you mean --data"),
        (("--writeable",), "did you mean --writable"),
        (("--lgo", "x"), "--log"),
        (("--log", "/dev/null/x"), "cannot be written"),
        (("--devise", "cpu"), "did you mean --device"),
        (("--device", "gpu"), "--device"),
        (("--backedn", "fp32"), "did you mean --backend"),
        (("--backend", "int4"), "--backend"),
        (("--theads", "1"), "did you mean --threads"),
        (("--threads", "0"), "--threads is 0, expected a number above 0"),
        (("--threads", "100000"), "--threads is 100000, expected 1 to 1024"),
        (("--data", "rows.csv"), "--data is rows.csv, expected no --data"),
        (("--megabyte", "1"), "did you mean --megabytes"),
        (("--megabytes", "0"), "--megabytes is 0, expected a number above 0"),
        (("--second", "1"), "did you mean --seconds"),
        (("--seconds", "nan"), "--seconds is nan, expected a number above 0"),
        (("--wating", "1"), "did you mean --waiting"),
        (("--waiting", "-3"), "--waiting is -3, expected a number above 0"),
        (("--rte", "1"), "did you mean --rate"),
        (("--rate", "-1"), "--rate is -1, expected 0 or more"),
        (("--trsut", "x"), "did you mean --trust"),
        (("--trust", "no_such_module"), "there is no module 'no_such_module'"),
    ],
)
def test_words_that_cannot_be(
    runs: Path, tmp_path: Path, words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WEFT_TOKEN", raising=False)
    (tmp_path / "token").write_text("a-token-of-some-length")
    given = [tmp_path / "token" if word == "TOKEN" else word for word in words]
    if "--port" not in words and "--prot" not in words:
        given += ["--port", "0"]
    line = refused("serve", *([runs / "flow"] if words else []), *given)
    assert said in line


def test_folders_that_cannot_be_served(runs: Path, tmp_path: Path) -> None:
    free = ("--port", 0)
    assert "is not a trained run" in refused("serve", tmp_path, *free)
    assert "is not a trained run" in refused("serve", tmp_path / "none", *free)
    again = Path(shutil.copytree(runs / "flow", tmp_path / "flow"))
    assert "another run named 'flow'" in refused("serve", runs / "flow", again, *free)
    index = runs / "scenes" / "index"
    line = refused("serve", runs / "flow", "--index", index, *free)
    assert "has no embeddings, so nothing can be searched" in line
    line = refused("serve", runs / "scenes", "--index", tmp_path, *free)
    assert line.startswith(f"{tmp_path}: holds no index")
    line = refused("serve", runs / "both", "--index", index, *free)
    assert "was embedded with other weights" in line
    line = refused("serve", runs / "both", runs / "scenes", "--index", index, *free)
    assert line == "--index is given for 2 runs, expected one run"
    (tmp_path / "flow" / "model.safetensors").write_bytes(b"x")
    assert "model.safetensors" in refused("serve", tmp_path / "flow", *free)


def test_a_package_that_is_missing(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: None if name == "uvicorn" else found(name, *more),
    )
    line = refused("serve", runs / "flow", "--port", 0)
    assert line == (
        "weft serve needs the package uvicorn, which is not installed: pip install 'weft[serve]'"
    )


def test_a_port_in_use(runs: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refused("serve", runs / "flow", "--port", port)
        assert line.startswith(f"127.0.0.1:{port} cannot be used: Address already in use")
        assert line.endswith("; --port 0 takes a free one")


def test_the_help_names_its_options() -> None:
    said = weft("serve", "--help")
    assert said.code == 0
    assert "--writable" in said.out


def test_no_accepted_request_is_lost(runs: Path, tmp_path: Path) -> None:
    counts: Counter[object] = Counter()
    lock, ends = threading.Lock(), threading.Event()
    body = json.dumps({"values": {"text": "a red square"}})
    headers = {"Content-Type": "application/json"}
    with Process(
        runs / "scenes", "--rate", 0, "--backend", "fp32", "--log", tmp_path / "log"
    ) as process:

        def answered_on(connection: http.client.HTTPConnection) -> object:
            try:
                connection.request("POST", "/embed", body, headers)
                found = connection.getresponse()
            except ConnectionError:  # it stood in the queue of the system when the server ended
                return "refused"
            json.loads(found.read())  # the whole answer is there
            return found.status

        def ask() -> None:
            while not ends.is_set():
                connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=LIMIT_S)
                try:
                    connection.connect()
                except OSError:
                    outcome: object = "refused"
                else:
                    outcome = answered_on(connection)
                connection.close()
                with lock:
                    counts[outcome] += 1
                if outcome == "refused":
                    return

        errors: list[BaseException] = []

        def kept() -> None:
            try:
                ask()
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=kept) for _ in range(6)]
        for thread in threads:
            thread.start()
        until(lambda: counts[200] > 30)
        process.stop(signal.SIGTERM)
        assert process.process.wait(LIMIT_S) == 0
        ends.set()
        for thread in threads:
            thread.join()
        assert process.errors() == ""
    assert errors == []
    assert set(counts) <= {200, 503, "refused"}
    assert counts[503] > 0
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line["event"] for line in lines if line["event"] != "request"] == [
        "started",
        "stopping",
        "stopped",
    ]
    logged = Counter(line["status"] for line in lines if line["event"] == "request")
    assert logged == {200: counts[200], 503: counts[503]}


def test_a_token_lets_others_in_and_health_says_when_it_stops(runs: Path, tmp_path: Path) -> None:
    token = "a-token-of-some-length"
    own = Path(shutil.copytree(runs / "scenes", tmp_path / "own"))
    shutil.rmtree(own / "index")
    rows = tmp_path / "rows"
    rows.mkdir()
    for number in range(3):
        (rows / f"{number}.png").write_bytes(png(number))
        (rows / f"{number}.txt").write_text(f"a red square {number}\n")
    with Process(own, "--data", rows, environment={"WEFT_TOKEN": token}) as process:
        assert process.get("/").status == 200
        assert process.post("/embed", {"values": {"text": "x"}}).status == 401
        assert any("cut-off for 'text': " in line for line in process.said)
        mine = {"Authorization": f"Bearer {token}"}
        asked = {"query": [{"stream": "text", "value": "a red square"}], "cutoff": -1}
        hits = process.post("/search", asked, **mine).json["hits"]
        assert {hit["source"] for hit in hits} == {"0.png", "1.png", "2.png"}  # without folders
        item = process.get(f"/items/{hits[0]['id']}", **mine).json
        assert item["source"] == hits[0]["source"]
        found = process.get("/runs", **mine)
        assert found.status == 200
        index = found.json[0]["index"]  # made of the rows of --data, since there was none
        assert (index["items"], index["writable"]) == (3, False)
        backend = found.json[0]["backend"]
        assert set(backend["name"].split(", ")) <= {
            "fp32",
            "bf16",
            "onnx",
            "openvino",
            "openvino bf16",
        }
        assert "text: " in backend["why"]
        process.stop(signal.SIGINT)
        found = process.get("/health")
        assert (found.status, found.error) == (503, "the server is stopping")
        assert found.headers["retry-after"]
        assert process.process.wait(LIMIT_S) == 0


STUCK = """
import sys, threading
from weft.runs.run import Run
def stuck(*_):
    print("stuck", flush=True)
    threading.Event().wait()
Run.embed_rows = stuck
from weft.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_second_signal_ends_at_once(runs: Path) -> None:
    """Also a server whose model never comes back."""
    process = Process(runs / "scenes", "--backend", "fp32")
    process.words[1:3] = ["-c", STUCK]
    with process:

        def ask() -> None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                process.post("/embed", {"values": {"text": "x"}})

        asking = threading.Thread(target=ask)
        asking.start()
        assert process.process.stdout is not None
        assert process.process.stdout.readline() == "stuck\n"
        process.stop(signal.SIGTERM)
        until(lambda: process.get("/health").status == 503)
        assert process.process.poll() is None
        process.stop(signal.SIGTERM)
        assert process.process.wait(20) == 1
        asking.join()


def test_a_run_that_is_served_from_its_own_folder(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`.` is part of many words, and is not to be taken for its folder in what callers are told."""
    monkeypatch.chdir(runs / "scenes")
    with Process(".", "--index", "index", "--backend", "fp32") as process:
        found = process.get("/items/none")
        assert found.error == "the index holds no item 'none'"
        found = process.post("/search", {"like": [{"id": "0.5"}]})
        assert found.error == "the index of scenes: holds no entry '0.5'"
