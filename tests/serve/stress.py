"""Long trials of the server; each prints what it found and fails where a request was lost or failed.

python tests/serve/stress.py memory [--requests 10000]    mixed requests: memory, errors
python tests/serve/stress.py hostile [--requests 1000]    uploads that mean no good: crashes
python tests/serve/stress.py schema [--requests 2000]     requests made from the description: answers 5xx
python tests/serve/stress.py kills [--kills 50]           killed while it is written to: acknowledged writes that are lost
"""

import argparse
import collections
import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "commands"))
sys.path.insert(0, str(Path(__file__).parents[1] / "generation"))

from asking import Process, form, media, png, until
from hostile import sound, uploads
from made_runs import NAMES, make_runs
from tiny_runs import done, scenes_flags

from weft.index import Index

CALLERS = 4


def memory(folder: Path, requests: int) -> None:
    """The resident memory after each tenth of the requests; the first one is the warm-up."""
    counts: collections.Counter[int] = collections.Counter()
    bodies = list(_mixed())
    with _server(folder) as process:
        sizes = []
        for _ in range(10):
            _ask_all(process, bodies, requests // 10, counts)
            sizes.append(_resident(process.process.pid))
            print(f"{sum(counts.values()):,} requests, {sizes[-1]:.1f} MiB", flush=True)
    growth = 100 * (max(sizes[1:]) / sizes[1] - 1)
    print(f"statuses {dict(counts)}; memory from {sizes[1]:.1f} MiB at most {growth:+.1f} %")
    assert not any(status >= 500 for status in counts)
    assert growth <= 5, "memory grows by more than 5 %"


def hostile(folder: Path, requests: int) -> None:
    """Each upload to a stream of pictures, of sounds, or a search."""
    counts: collections.Counter[int] = collections.Counter()
    with _server(folder) as process:
        for number, (_, content) in enumerate(uploads(requests, seed=7)):
            run, stream, path = (
                ("speech", "audio", "/transcribe")
                if number % 3 == 1
                else ("scenes", "image", "/embed")
            )
            body, headers = form({"run": run}, **{stream: content})
            if number % 2:
                found = process.post(path, {"run": run, "values": {stream: media(content)}})
            else:
                found = process.ask("POST", path, body, headers=headers)
            counts[found.status] += 1
        assert process.get("/health").status == 200
        print(f"{requests:,} uploads: statuses {dict(sorted(counts.items()))}; it lives")
        assert process.errors() == "", process.errors()
    assert not any(status >= 500 for status in counts)


def schema(folder: Path, requests: int) -> None:
    """Until so many requests were made, each time with another seed."""
    made, seed = 0, 1
    command = str(Path(sys.executable).with_name("schemathesis"))
    with _server(folder) as process, tempfile.TemporaryDirectory() as work:
        while made < requests:
            address = f"http://127.0.0.1:{process.port}/openapi.json"
            words = ["--checks", "not_a_server_error", "--phases", "examples,coverage,fuzzing"]
            words += ["--max-examples", "60", "--seed", str(seed), "--no-color"]
            found = subprocess.run(
                [command, "run", address, *words],
                capture_output=True,
                text=True,
                cwd=work,
                check=False,
            )
            (count,) = re.findall(r"([\d,]+) generated", found.stdout)
            made, seed = made + int(count.replace(",", "")), seed + 1
            print(f"{made:,} requests, exit code {found.returncode}", flush=True)
            assert found.returncode == 0, found.stdout[-4000:]
        counted = process.get("/metrics").body.decode()
        statuses: collections.Counter[str] = collections.Counter()
        for status, count in re.findall(
            r'weft_requests_total\{.*status="(\d+)"\} ([\d.]+)', counted
        ):
            statuses[status] += int(float(count))
    print(f"statuses {dict(sorted(statuses.items()))}")
    assert not any(status.startswith("5") for status in statuses)


def kills(folder: Path, count: int) -> None:
    """Every write that was answered is there after each kill, and the index is whole."""
    generator = random.Random(0)
    acknowledged: dict[str, bool] = {}
    lock = threading.Lock()
    for kill in range(count):
        with _server(folder, "scenes") as process:
            threads = [
                threading.Thread(target=_write, args=(process, f"{kill}-{n}", acknowledged, lock))
                for n in range(CALLERS)
            ]
            before = len(acknowledged)
            for thread in threads:
                thread.start()
            until(lambda before=before: len(acknowledged) > before)
            time.sleep(generator.random())
            process.stop(signal.SIGKILL)
            process.process.wait()
            for thread in threads:
                thread.join()
        with Index.open(folder / "scenes" / "index") as index:
            there, findings = set(index.ids()), index.verify()
        assert findings.whole, findings
        lost = [name for name, kept in acknowledged.items() if kept != (name in there)]
        print(f"kill {kill + 1}: {len(acknowledged):,} acknowledged, {len(lost)} lost", flush=True)
        assert not lost, lost[:5]


def _write(process: Process, prefix: str, acknowledged: dict[str, bool], lock: Any) -> None:
    """Adds items two at a time, and removes every fifth again, until the server is gone."""
    number = 0
    with contextlib.suppress(OSError, ValueError):
        while True:
            names = [f"{prefix}-{number}", f"{prefix}-{number + 1}"]
            items = [{"id": name, "value": media(png(number, 16))} for name in names]
            if process.post("/items", {"run": "scenes", "items": items}).status == 200:
                with lock:
                    acknowledged.update(dict.fromkeys(names, True))
            if number % 5 == 0:
                with lock:
                    acknowledged.pop(names[0], None)  # until it is answered either may be true
                answer = process.ask("DELETE", "/items", {"run": "scenes", "ids": names[:1]})
                if answer.status == 200:
                    with lock:
                        acknowledged[names[0]] = False
            number += 2


def _mixed() -> Any:
    """Requests of every kind, some of them bad."""
    for n in range(24):
        picture = media(png(n, 16 + 8 * n))
        text = " ".join(["a red square and a blue star"] * (1 + n % 5))
        yield "/embed", {"run": "scenes", "values": {"text": text}}
        yield "/embed", {"run": "scenes", "values": {"image": picture}}
        yield "/search", {"query": [{"stream": "text", "value": text}], "k": 5, "cutoff": -1}
        yield "/search", {"query": [{"stream": "image", "value": picture}], "k": 5}
        yield "/items", {"items": [{"id": f"mixed {n}", "value": picture, "metadata": {"n": n}}]}
        question = {"image": picture, "question": "is it plain?"}
        yield "/predict", {"run": "dialog", "values": question}
        yield "/ask", {"run": "ranking", "values": {"image": picture}, "question": "is it plain?"}
        yield "/caption", {"run": "dialog", "values": question}
        yield "/embed", {"values": {"image": "/etc/passwd"}}
        yield "/embed", {"values": {"image": media(png(n)[:200])}}
        if n % 4 == 0:
            yield "/transcribe", {"run": "speech", "values": {"audio": media(sound())}}
            yield "/generate", {"run": "flow", "values": {"text": "a red circle"}, "steps": 2}
            yield "/explain", {"run": "scenes", "values": {"image": picture, "text": text}}


def _ask_all(
    process: Process, bodies: list[Any], count: int, counts: collections.Counter[int]
) -> None:
    places = iter(range(count))
    lock = threading.Lock()

    def ask() -> None:
        while True:
            with lock:
                place = next(places, None)
            if place is None:
                return
            path, body = bodies[place % len(bodies)]
            found = process.post(path, body)
            with lock:
                counts[found.status] += 1

    threads = [threading.Thread(target=ask) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _server(folder: Path, *names: str) -> Process:
    words = [folder / name for name in names or NAMES]
    return Process(*words, "--writable", "--rate", 0)


def _resident(process: int) -> float:
    """MiB."""
    status = Path(f"/proc/{process}/status").read_text()
    (kilobytes,) = re.findall(r"VmRSS:\s+(\d+) kB", status)
    return int(kilobytes) / 1024


def main() -> None:
    """Makes tiny runs, and tries the server with them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trial", choices=("memory", "hostile", "schema", "kills"))
    parser.add_argument("--requests", type=int)
    parser.add_argument("--kills", type=int, default=50)
    said = parser.parse_args()
    os.environ["WEFT_LANGUAGE"] = "en"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        done("train", "scenes", *scenes_flags(), "--out", folder / "scenes")
        make_runs(folder)
        if said.trial == "kills":
            kills(folder, said.kills)
        else:
            most = {"memory": 10_000, "hostile": 1000, "schema": 2000}
            trial = {"memory": memory, "hostile": hostile, "schema": schema}[said.trial]
            trial(folder, said.requests or most[said.trial])


if __name__ == "__main__":
    main()
