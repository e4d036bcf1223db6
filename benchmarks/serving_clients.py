"""The clients of benchmarks.serving_speed: HTTP over connections that stay open."""

import asyncio
import json
import random
import sys
import time

CONNECTIONS = 32
WARM_SECONDS = 3.0
LENGTH = b"content-length:"


class Client:
    """One connection: a request, then its answer."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._path = path

    async def __aenter__(self) -> "Client":
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def ask(self, text: str) -> None:
        """Raises RuntimeError for an answer that is none."""
        content = body(self._path, text)
        head = (
            f"POST {self._path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        self._writer.write(head.encode() + content)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        lines = answer.lower().split(b"\r\n")
        (length,) = (int(line[len(LENGTH) :]) for line in lines if line.startswith(LENGTH))
        found = await self._reader.readexactly(length)
        if b" 200 " not in lines[0]:
            raise RuntimeError(f"{lines[0].decode()}: {found[:200].decode()}")


def body(path: str, text: str) -> bytes:
    asked: dict[str, object] = {"values": {"text": text}}
    if path == "/search":
        asked = {"query": [{"stream": "text", "value": text}], "k": 10, "cutoff": -1}
    return json.dumps(asked).encode()


async def closed(
    port: int, path: str, texts: list[str], seconds: float
) -> tuple[list[float], float]:
    """As many requests as are answered, from clients that each wait for their answer. Latencies, and the time."""
    took: list[float] = []
    waiting = iter(texts)
    begins = time.perf_counter() + WARM_SECONDS

    async def one() -> None:
        async with Client(port, path) as client:
            while time.perf_counter() < begins + seconds:
                before = time.perf_counter()
                await client.ask(next(waiting))
                if begins < time.perf_counter() < begins + seconds:
                    took.append(time.perf_counter() - before)

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return took, seconds


async def opened(
    port: int, path: str, texts: list[str], rate: float, seconds: float
) -> tuple[list[float], float]:
    """Requests at random times, whatever the server does; a latency begins when the request was due."""
    chance = random.Random(0)
    took: list[float] = []
    free: asyncio.Queue[Client] = asyncio.Queue()
    begins = time.perf_counter() + WARM_SECONDS

    async def one(text: str, due: float) -> None:
        client = await free.get()
        await client.ask(text)
        free.put_nowait(client)
        if due > begins:
            took.append(time.perf_counter() - due)

    clients = [await Client(port, path).__aenter__() for _ in range(4 * CONNECTIONS)]
    for client in clients:
        free.put_nowait(client)
    asked = []
    due = time.perf_counter()
    for text in texts:
        due += chance.expovariate(rate)
        if due > begins + seconds:
            break
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        asked.append(asyncio.create_task(one(text, due)))
    await asyncio.gather(*asked)
    for client in clients:
        await client.__aexit__()
    return took, seconds


def main() -> None:
    """Reads [closed or opened, port, path, rate, seconds, texts] and prints the latencies' p50, p99 and the rate."""
    what, port, path, rate, seconds, texts = json.load(sys.stdin)
    if what == "closed":
        took, time_s = asyncio.run(closed(port, path, texts, seconds))
    else:
        took, time_s = asyncio.run(opened(port, path, texts, rate, seconds))
    took.sort()
    print(json.dumps([took[len(took) // 2], took[int(0.99 * len(took))], len(took) / time_s]))
