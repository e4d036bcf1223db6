"""Tensors in files: any whole file reads, whatever its first bytes happen to be."""

from pathlib import Path

import pytest
import torch

from weft.core.tensors import read_tensors, write_tensors


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
