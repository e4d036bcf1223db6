"""Shards at addresses: a store in memory, an HTTP server, and a server that speaks S3."""

import json
import sys
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import fsspec
import numpy as np
import pytest
from written_shards import write_shards

from weft.cli import main
from weft.core.config import from_json, to_json
from weft.core.errors import DataError, MissingExtraError, WeftError
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.formats import _remote, _tar_index, address_of, open_dataset
from weft.data.sources import FilesConfig

BUCKET = "weft-test-bucket"


def samples(count: int) -> list[Sample]:
    rng = np.random.default_rng(0)
    return [
        Sample(
            f"id {n}",
            f"g{n}",
            {"image": Media.encoded(rng.bytes(700 + n), "image"), "text": f"t{n}"},
            f"s:{n}",
        )
        for n in range(count)
    ]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Seven samples in three shards with their indexes; a cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_shards(samples(7), tmp_path / "shards", prefix="train", samples_per_shard=3)
    return tmp_path / "shards"


@pytest.fixture
def store(folder: Path) -> Iterator[Any]:
    """The shards at memory://data/shards."""
    filesystem = fsspec.filesystem("memory")
    for path in folder.iterdir():
        filesystem.pipe_file(f"/data/shards/{path.name}", path.read_bytes())
    yield filesystem
    filesystem.rm("/data", recursive=True)


def content(dataset: Any) -> list[tuple[Any, ...]]:
    return [
        (s.id, s.group, {k: v.read() if isinstance(v, Media) else v for k, v in s.items.items()})
        for s in dataset
    ]


def requests_of(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    original = _remote.RemoteFile.read

    def read(self: _remote.RemoteFile, start: int, stop: int) -> bytes:
        found.append((start, stop))
        return original(self, start, stop)

    monkeypatch.setattr(_remote.RemoteFile, "read", read)
    return found


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("s3://bucket/a b/c", "s3://bucket/a b/c"),
        (Path("s3://bucket/c"), "s3://bucket/c"),
        ("abfs://container@account.net/a", "abfs://container@account.net/a"),
        ("http://127.0.0.1:80/a@b", "http://127.0.0.1:80/a@b"),
        (Path("memory://x.tar"), "memory://x.tar"),
        ("C:/data", None),
        ("data/s3:/x", None),
        ("/data", None),
        ("file:///data", None),
        ("s3:bucket", None),
    ],
)
def test_an_address_survives_a_path(path: Path | str, address: str | None) -> None:
    assert address_of(path) == address


@pytest.mark.parametrize(
    "address",
    [
        "https://anna:pass-word@host.org/shards",
        Path("https://anna:pass-word@host.org/shards"),
        "https://pass-word@host.org/shards",
        "https://anna:pass-wo/rd@host.org/shards",
        "https://anna:pass-word",
        "s3://key:pass-word@bucket/a",
        "abfs://anna:pass-word@account.net/a",
        "https://host.org/a.tar?sig=pass-word",
        "nosuch://anna:pass-word@host/a",
    ],
)
def test_credentials_in_an_address_are_refused_and_not_repeated(
    address: Path | str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for use in (address_of, open_dataset, lambda a: FilesConfig(Path(a))):
        with pytest.raises(WeftError, match="leave them out|give the address without it") as raised:
            use(address)  # type: ignore[operator]
        assert "pass-wo" not in str(raised.value)
    out = str(tmp_path / "out")
    assert main(["train", "clip", "--data", str(address), "--out", out, "--run.steps", "1"]) == 2
    assert main(["data", "check", str(address), "--out", out]) == 2
    said = "".join(capsys.readouterr())
    assert "pass-wo" not in said
    assert "Traceback" not in said
    assert not any(tmp_path.rglob("*.json"))


@pytest.mark.parametrize("place", ["memory://data/shards", "memory://data/shards/"])
def test_a_folder_is_read_as_from_the_disk_in_two_requests_a_sample(
    place: str, store: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = requests_of(monkeypatch)
    dataset = open_dataset(place, split="train")
    assert asked == []  # the indexes beside the shards say it all
    assert content(dataset) == content(open_dataset(folder, split="train"))
    assert len(asked) == 14  # texts with the sample, the picture when it is asked for
    assert all(0 <= stop - start < 6000 for start, stop in asked)
    assert dataset[4].source == "memory:///data/shards/train-000001.tar:train-000001-000001"


def test_one_shard_and_patterns(store: Any, folder: Path) -> None:
    assert len(open_dataset("memory://data/shards/train-000002.tar")) == 1
    both = open_dataset("memory://data/shards/train-{000001..000002}.tar", format="webdataset")
    assert [sample.id for sample in both] == [f"id {n}" for n in range(3, 7)]


def test_a_config_keeps_the_address(store: Any) -> None:
    written = json.dumps(to_json(FilesConfig(Path("memory://data/shards"))))
    config = from_json(json.loads(written), FilesConfig, "recipe.json")
    assert len(config.open("train")) == 7


def test_without_an_index_headers_are_read_once(
    store: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in store.glob("/data/shards/*.json"):
        store.rm(path)
    scans: list[str] = []
    original = _tar_index.scan
    monkeypatch.setattr(
        _tar_index,
        "scan",
        lambda s: scans.extend([str(s)] * isinstance(s, _remote.RemoteFile)) or original(s),
    )
    for _ in range(2):
        assert content(open_dataset("memory://data/shards")) == content(open_dataset(folder))
    assert len(scans) == 3
    assert not store.glob("/data/shards/*.json")
    changed = write_shards(samples(2), folder.parent / "other", prefix="train")[0]
    store.pipe_file("/data/shards/train-000000.tar", changed.read_bytes())
    assert len(open_dataset("memory://data/shards")) == 6
    assert len(scans) == 4


def test_a_shard_exchanged_under_its_index_is_noticed(store: Any, folder: Path) -> None:
    dataset = open_dataset("memory://data/shards")
    name = "/data/shards/train-000000.tar"
    data = bytearray(store.cat_file(name))
    store.pipe_file(name, bytes(data[512:]) + bytes(512))  # as long, but elsewhere
    with pytest.raises(DataError, match="train-000000-000000.*: the index is of another shard"):
        dataset[0]
    store.pipe_file(name, bytes(data[:1024]))
    with pytest.raises(DataError, match="holds 0 bytes, expected 2: the shard is cut off"):
        dataset[2]
    assert dataset[5].id == "id 5"


def test_what_fails_for_a_moment_is_asked_again(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_remote, "PAUSE", 0.001)
    dataset = open_dataset("memory://data/shards")
    original, calls = store.cat_file, []

    def broken(*given: Any, fails: int, **named: Any) -> bytes:
        calls.append(1)
        if len(calls) <= fails:
            raise TimeoutError("read timed\nout")
        return original(*given, **named)

    monkeypatch.setattr(store, "cat_file", lambda *g, **n: broken(*g, fails=3, **n))
    assert dataset[0].id == "id 0"
    calls.clear()
    monkeypatch.setattr(store, "cat_file", lambda *g, **n: broken(*g, fails=4, **n))
    with pytest.raises(
        WeftError, match=r"^memory://.*000.tar: cannot be read: read timed out$"
    ) as e:
        dataset[1]  # the row that was just read is kept
    assert not isinstance(e.value, DataError)  # no policy leaves rows out for it


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("memory://nothing", "memory://nothing: no such file, folder or bucket"),
        ("memory://data/shards/x.tar", "x.tar: no such file, folder or bucket"),
        ("nosuch://bucket", "s3a, http, https, gs, gcs, az, abfs, abfss, hf, memory"),
        ("simplecache::s3://b", "memory"),
        ("local://etc", "memory"),
        ("zip://a.tar", "memory"),
    ],
)
def test_a_wrong_address_is_one_line(address: str, message: str, store: Any) -> None:
    with pytest.raises(WeftError) as raised:
        open_dataset(address)
    assert str(raised.value).endswith(message)


def test_other_content_and_other_formats_are_refused(store: Any) -> None:
    store.pipe_file("/data/texts/a.jsonl", b"{}")
    with pytest.raises(WeftError, match="memory://data/texts: holds 1 files and no .tar shard"):
        open_dataset("memory://data/texts")
    with pytest.raises(WeftError, match="format is 'jsonl', expected webdataset"):
        open_dataset("memory://data/texts/a.jsonl", format="jsonl")


@pytest.mark.parametrize(
    ("module", "address", "package"),
    [("fsspec", "memory://x", "fsspec"), ("s3fs", "s3://bucket/x", "s3fs")],
)
def test_a_missing_extra_is_named(
    module: str, address: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)  # type: ignore[attr-defined]
    with pytest.raises(MissingExtraError, match=rf"needs the package {package}.*'weft\[remote\]'"):
        open_dataset(address)


class Ranges(SimpleHTTPRequestHandler):
    """Serves a folder; with ranges unless `whole`."""

    whole = False

    def log_message(self, *_: Any) -> None: ...

    def send_head(self) -> Any:
        path, given = Path(self.translate_path(self.path)), self.headers.get("Range")
        if given is None or self.whole or not path.is_file():
            return super().send_head()
        first, _, last = given.removeprefix("bytes=").partition("-")
        data = path.read_bytes()[int(first) : int(last) + 1]
        self.send_response(206)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Range", f"bytes {first}-{last}/{path.stat().st_size}")
        self.end_headers()
        self.wfile.write(data)
        return None


@pytest.fixture
def http(folder: Path) -> Iterator[str]:
    def handler(*given: Any) -> Ranges:
        return Ranges(*given, directory=str(folder))

    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_over_http(http: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aiohttp", reason="the extra 'remote' is not installed")
    assert content(open_dataset(http)) == content(open_dataset(folder))
    monkeypatch.setattr(Ranges, "whole", True)
    with pytest.raises(WeftError, match="sends whole files only"):
        open_dataset(f"{http}/train-000001.tar")[0]


def test_a_password_for_a_server_comes_from_netrc(
    http: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("aiohttp", reason="the extra 'remote' is not installed")
    original = Ranges.send_head

    def guarded(self: Ranges) -> Any:
        if self.headers.get("Authorization") != "Basic YW5uYTpwYXNzLXdvcmQ=":
            self.send_error(401)
            return None
        return original(self)

    monkeypatch.setattr(Ranges, "send_head", guarded)
    netrc = folder.parent / "netrc"
    netrc.write_text("machine 127.0.0.1 login anna password pass-word\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert len(open_dataset(http)) == 7


@pytest.fixture
def s3(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The shards in a bucket of a local server."""
    pytest.importorskip("s3fs", reason="the extra 'remote' is not installed")
    server_module = pytest.importorskip("moto.server", reason="moto is not installed")
    server = server_module.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    filesystem = fsspec.filesystem("s3", skip_instance_cache=True)
    filesystem.makedirs(BUCKET, exist_ok=True)
    for path in folder.iterdir():
        filesystem.pipe_file(f"{BUCKET}/a/{path.name}", path.read_bytes())
    filesystem.clear_instance_cache()
    yield filesystem
    filesystem.clear_instance_cache()
    server.stop()


def test_from_a_bucket(s3: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = requests_of(monkeypatch)
    dataset = open_dataset(Path(f"s3://{BUCKET}/a"), split="train")
    assert content(dataset) == content(open_dataset(folder))
    assert len(asked) == 14
    pattern = open_dataset(f"s3://{BUCKET}/a/train-{{000000..000001}}.tar")
    assert len(pattern) == 6
    with pytest.raises(WeftError, match="s3://no-such-bucket/a: no such file, folder or bucket"):
        open_dataset("s3://no-such-bucket/a")


def test_what_is_wrong_with_a_bucket_is_one_line_and_code_2(
    s3: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "clip", "--data", "s3://no-such-bucket/a", "--run.steps", "1"]) == 2
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    s3.clear_instance_cache()
    assert main(["data", "check", f"s3://{BUCKET}/a"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "weft: s3://no-such-bucket/a: no such file, folder or bucket",
        f"weft: s3://{BUCKET}/a: cannot be read: Unable to locate credentials",
    ]
