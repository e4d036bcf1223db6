"""Requests made from the description of the interface (schemathesis): no 5xx, and every answer as it is described."""

import os
import subprocess
import sys
from pathlib import Path

from asking import Process
from limits import LIMIT_S


def test_generated_requests_never_fail_the_server(answering: Process, tmp_path: Path) -> None:
    words = ["--max-examples", "4", "--seed", "1", "--no-color", "--generation-deterministic"]
    checks = "not_a_server_error,status_code_conformance,content_type_conformance"
    found = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"http://127.0.0.1:{answering.port}/openapi.json",
            "--checks",
            checks,
            "--phases",
            "fuzzing",
            *words,
        ],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        cwd=tmp_path,
        env={**os.environ, "NO_PROXY": "*"},
        check=False,
    )
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-1000:]
    assert answering.get("/health").status == 200
