"""Tensors in files: any whole file reads, and no damaged one."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from weft.core.documents import CHECKSUM
from weft.core.errors import WeftError
from weft.core.tensors import load_built, read_tensors, save_model, write_tensors


@pytest.mark.parametrize("start", [b"\x80", b"P"])
def test_a_header_may_have_any_size(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "x.safetensors"
    seen = set()
    for length in range(0, 400, 4):
        write_tensors(path, {"a": torch.arange(3)}, {"note": "x" * length})
        seen.add(path.read_bytes()[:1])
        tensors, state = read_tensors(path)
        assert torch.equal(tensors["a"], torch.arange(3))
        assert len(state["note"]) == length
    assert start in seen


def test_every_changed_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    tensors = {"a": torch.arange(5.0), "b": torch.tensor(True), "c": torch.zeros(2, 3).half()}
    write_tensors(path, tensors, {"note": [1, {"x": 0.5}]})
    whole = path.read_bytes()
    name = whole.index(CHECKSUM.encode())
    for place in range(len(whole)):
        if place in range(name, name + len(CHECKSUM)):  # renamed, it is not there
            continue
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x11]) + whole[place + 1 :])
        with pytest.raises(WeftError, match="x.safetensors"):
            read_tensors(path)
    path.write_bytes(whole)
    assert read_tensors(path)[1] == {"note": [1, {"x": 0.5}]}


def test_a_file_without_a_checksum_is_read_as_before(tmp_path: Path) -> None:
    """As runs were written at first."""
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.ones(2)}, path, {"weft": '{"aliases": {"b": "a"}}'})
    tensors, state = read_tensors(path)
    assert torch.equal(tensors["b"], torch.ones(2))
    assert state == {}


def test_a_module_larger_than_its_weights_takes_no_memory(tmp_path: Path) -> None:
    path, config = tmp_path / "x.safetensors", tmp_path / "x.json"
    save_model(path, nn.Linear(4, 4))
    with pytest.raises(WeftError, match=r"x\.json: .* many times larger"):
        load_built(path, lambda: nn.Linear(2**27, 2**27), config)
    with pytest.raises(WeftError, match=r"x\.json: .* many more parameters"):
        load_built(path, lambda: nn.ModuleList(nn.Linear(4, 4) for _ in range(2**40)), config)
    with pytest.raises(WeftError, match=r"x\.json: describes no model: "):
        load_built(path, lambda: nn.Linear(-4, 4), config)
    found = load_built(path, lambda: nn.Linear(4, 4), config)
    assert torch.equal(found.weight, read_tensors(path)[0]["weight"])


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.safetensors")
    with pytest.raises(WeftError, match="expected a file"):
        read_tensors(tmp_path / "x.safetensors")
