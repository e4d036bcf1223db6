"""From the first line that a server prints to its last answer."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from asking import Process, png, until
from limits import LIMIT_S

from weft.cli import main
from weft.runs import run


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
        ended = process.begin("/embed", {"values": {"text": "a red square"}})
        until(lambda: counts[200] > 30)
        process.stop(signal.SIGTERM)
        until(lambda: counts[503] > 0)
        status = ended()
        with lock:
            counts[status] += 1
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
        assert any("'text' always get results" in line for line in process.said)
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
        ended = process.begin("/embed", {"values": {"text": "x"}}, **mine)
        process.get("/runs", **mine)  # asked after it, so it is inside
        process.stop(signal.SIGINT)
        until(lambda: process.get("/health").status == 503)
        found = process.get("/health")
        assert (found.status, found.error) == (503, "the server is stopping")
        assert found.headers["retry-after"]
        assert ended() == 200
        assert process.process.wait(LIMIT_S) == 0


def test_a_server_that_still_loads_ends_too(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container, whose first process gets only the signals that it handles."""

    def stopped_while_it_loads(*_: object, **__: object) -> None:
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(run, "load", stopped_while_it_loads)
    monkeypatch.setattr(os, "_exit", sys.exit)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        main(["serve", str(runs / "scenes"), "--port", "0"])
    assert ended.value.code == 0
    assert signal.getsignal(signal.SIGTERM) is before


EARLY = """
import atexit, os, signal, sys
atexit.register(os.abort)
class Stop:
    def find_spec(self, name, *_):
        if name == "torch":
            signal.raise_signal(signal.SIGTERM)
sys.meta_path.insert(0, Stop())
from weft.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_server_that_still_imports_ends_too(runs: Path) -> None:
    """The imports take seconds; a container that ignored the signal would wait for the end of its grace period. A
    runtime that crashes when the interpreter is taken down changes nothing."""
    words = [sys.executable, "-c", EARLY, "serve", str(runs / "scenes"), "--port", "0"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


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
