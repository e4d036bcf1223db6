"""What `weft serve` refuses before it serves, each in one line."""

import importlib.util
import shutil
import socket
from pathlib import Path

import pytest
from tiny_runs import refused, weft

from weft.commands import serve
from weft.core.errors import WeftError


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
    assert "is not a trained run" in refused("serve", runs / "none")


def test_a_missing_decoder_is_named_at_the_start(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: None if name == "soundfile" else found(name, *more),
    )
    with pytest.raises(WeftError, match="has no embeddings"):
        serve.main([str(runs / "speech"), "--port", "0", "--index", str(runs)])
    told = capsys.readouterr().out
    assert "speech, audio: files are refused: reading audio needs the package soundfile" in told


def test_data_beside_an_index_is_said_not_to_be_read(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, data = runs / "scenes", tmp_path / "none"  # which is not even opened
    words = serve.Arguments(runs=(folder,), data=data, backend="fp32")
    served = serve._served(words, "scenes", folder)
    assert served.index is not None
    served.index.close()
    assert capsys.readouterr().out == (
        f"scenes: --data {data} was not read, because there is an index: {folder / 'index'}; add its rows with: "
        f"weft index add {folder} --data {data}\n"
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
