"""The GPU line's own side and its arithmetic, with a tiny model on the CPU."""

import pytest
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.lines.gpu_step import TINY, breakdown, measure, our_step, useful_operations
from benchmarks.measure import Setting


def test_operations_are_those_that_torch_counts() -> None:
    step = our_step(TINY, "cpu", False)
    # The fused kernel's operations are not counted on a CPU.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        step()
    assert useful_operations(TINY) == pytest.approx(counter.get_total_flops(), rel=0.02)


def test_the_breakdown_is_whole() -> None:
    step = our_step(TINY, "cpu", False)
    step()
    shares = breakdown(step, "cpu")
    assert sum(shares.values()) == pytest.approx(1)
    assert min(shares.values()) > 0
    assert shares["the rest"] < 0.5


def test_without_a_gpu_nothing_is_claimed() -> None:
    rows = measure(Setting(1, "cpu"))
    assert len(rows) == 2
    assert all(row.ratio is None and "needs a GPU" in row.note for row in rows)
