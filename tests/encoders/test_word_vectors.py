from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from weft.core.errors import WeftError
from weft.core.records import Field
from weft.encoders.word_vectors import WordVectorsConfig


def test_mean_of_words_only() -> None:
    encoder = WordVectorsConfig(vocab_size=9, dim=4, ignored_ids=(0, 1)).build()
    ids = torch.tensor([[0, 5, 7, 1, 8], [0, 1, 9999, 9999, 9999]])
    mask = torch.tensor([[True, True, True, True, False], [True, True, False, False, False]])
    features = encoder(Field(ids, mask))
    table = encoder.embedding.weight
    torch.testing.assert_close(features.pooled[0], (table[5] + table[7]) / 2)
    assert not features.pooled[1].any()
    assert features.mask.tolist() == [[False, True, True, False, False], [False] * 5]
    whole = encoder(Field(torch.tensor([[2, 3]]))).pooled
    torch.testing.assert_close(whole[0], (table[2] + table[3]) / 2)


def test_table_from_a_file_frozen_or_not(tmp_path: Path) -> None:
    path = tmp_path / "vectors.safetensors"
    table = torch.randn(9, 4)
    save_file({"glove": table}, path)
    config = WordVectorsConfig(vocab_size=9, dim=4, weights=str(path), frozen=True)
    encoder = config.build()
    assert torch.equal(encoder.embedding.weight, table)
    assert not encoder.embedding.weight.requires_grad
    assert config.replace(frozen=False).build().embedding.weight.requires_grad
    with pytest.raises(
        WeftError, match=r"holds \{'glove': \(9, 4\)\}, expected one table of \(8, 4\)"
    ):
        config.replace(vocab_size=8).build()
