"""auto is decided by the machine; the two others mean themselves."""

import pytest
import torch

from weft.core import precision
from weft.core.precision import autocast, bf16_is_faster, resolved


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    bf16_is_faster.cache_clear()


@pytest.mark.parametrize(("half_takes", "chosen"), [(0.5, "bf16"), (0.9, "fp32"), (30.0, "fp32")])
def test_auto_takes_what_is_faster_here(half_takes: float, chosen: str, monkeypatch) -> None:
    cost = {torch.float32: 1.0, torch.bfloat16: half_takes}
    monkeypatch.setattr(precision, "_product_seconds", cost.__getitem__)
    assert resolved("auto", "cpu") == chosen
    with autocast("auto", "cpu"):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == {"bf16": torch.bfloat16, "fp32": torch.float32}[chosen]
    bf16_is_faster.cache_clear()


def test_what_is_asked_for_is_not_measured(monkeypatch) -> None:
    def never(dtype: torch.dtype) -> float:
        raise AssertionError(dtype)

    monkeypatch.setattr(precision, "_product_seconds", never)
    assert resolved("bf16", "cpu") == "bf16"
    assert resolved("fp32", "cpu") == "fp32"


def test_both_products_can_be_timed() -> None:
    assert precision._product_seconds(torch.float32) > 0
    assert precision._product_seconds(torch.bfloat16) > 0
