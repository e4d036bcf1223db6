"""The servers that benchmarks.serving_speed compares, each in a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def served(folder: Path, threads: int | None) -> Iterator[int]:
    """`weft serve`, which says its port when it listens. threads: see its option."""
    words = ["-m", "weft.cli", "serve", str(folder / "run"), "--port", "0", "--rate", "0"]
    with process(words + (["--threads", str(threads)] if threads else [])) as port:
        yield port


@contextmanager
def peer(folder: Path) -> Iterator[int]:
    """sentence-transformers behind FastAPI."""
    with process(["-m", "benchmarks.serving_processes", str(folder / "peer")]) as port:
        yield port


@contextmanager
def process(words: list[str]) -> Iterator[int]:
    """Python with these words, a server; the line with its address gives the port."""
    with subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            for line in running.stdout:
                if "http://" in line:
                    yield int(line.partition("http://")[2].split()[0].rpartition(":")[2])
                    return
            raise RuntimeError(f"{' '.join(words)} ended before it listened")
        finally:
            running.terminate()


def serve_peer(folder: Path) -> None:
    """What a team writes in ten lines: each request is encoded by itself, in a thread of the pool."""
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel
    from sentence_transformers import SentenceTransformer

    class Asked(BaseModel):
        values: dict[str, str]

    model = SentenceTransformer(str(folder), device="cpu")
    app = FastAPI()

    @app.post("/embed")
    def embed(asked: Asked) -> dict[str, list[float]]:
        return {"embedding": model.encode(asked.values["text"], show_progress_bar=False).tolist()}

    config = uvicorn.Config(app, port=0, log_level="warning", access_log=False)
    at = config.bind_socket()
    print(f"http://127.0.0.1:{at.getsockname()[1]}", flush=True)
    uvicorn.Server(config).run(sockets=[at])


if __name__ == "__main__":
    serve_peer(Path(sys.argv[1]))
