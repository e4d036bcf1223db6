"""The harness, without the peers and without a clock."""

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import page
from benchmarks.measure import Comparison, Measured, alternate, faster, smaller, value


def test_sides_take_turns_and_neither_is_always_first() -> None:
    order: list[str] = []

    def clock(work) -> float:
        work()
        return 1.0

    times = alternate(
        lambda: order.append("ours"),
        lambda: order.append("theirs"),
        rounds=2,
        warmup=0,
        clock=clock,
    )
    assert order == ["ours", "theirs", "theirs", "ours"]
    assert times == ([1.0, 1.0], [1.0, 1.0])


def test_the_ratio_is_the_median_of_the_rounds_ratios() -> None:
    found = faster("x", [1.0, 2.0, 4.0], [3.0, 4.0, 40.0], at_least=2.5)
    assert (found.ratio, found.ours, found.theirs) == (3.0, 2.0, 4.0)
    assert (found.low, found.high) == (2.5, 6.5)
    assert found.reached is True
    assert faster("x", [1.0], [2.0], at_least=2.5).reached is False
    assert faster("x", [1.0], [2.0]).reached is None
    few = faster("x", [1.0, 1.0], [2.0, 4.0])
    assert (few.low, few.high) == (2.5, 3.5)  # never outside the ratios that were seen


def test_less_is_better_where_memory_is_compared() -> None:
    found = smaller("m", [50.0, 60.0], [100.0, 100.0], at_most=0.5)
    assert found.ratio == pytest.approx(0.55)
    assert found.reached is False


def test_the_page_keeps_what_was_not_measured_again(tmp_path: Path) -> None:
    first = [
        Measured("a", 1, faster("step", [1.0], [2.0], at_least=1.5)),
        Measured("b", 1, Comparison("bf16 step", note="no instructions")),
    ]
    page.write(first, tmp_path)
    page.write([Measured("a", 1, faster("step", [1.0], [1.2], at_least=1.5))], tmp_path)
    said = (tmp_path / "benchmarks.md").read_text()
    assert "| `a` | 1 | step | 1.2 | at least 1.5, **not reached** |" in said
    assert "| `b` | 1 | bf16 step | not measured | | | | no instructions |" in said
    assert len(json.loads((tmp_path / "benchmarks.json").read_text())) == 2
    assert (tmp_path / "benchmarks.svg").read_text().count("<circle") == 1
    assert "NOT REACHED" in page.printed(Measured("a", 1, smaller("m", [2.0], [1.0], at_most=1)))


def test_an_unknown_line_is_one_message(monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", "stepp"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    assert "no line 'stepp', expected some of clip_step" in capsys.readouterr().err.replace(
        "\n", " "
    )


def test_a_value_is_no_ratio(tmp_path: Path) -> None:
    measured = Measured("a", 1, value("likeness", 41.0, [45.0], at_least=40, unit="dB"))
    assert "41 dB (41-45) (asked >= 40) reached" in page.printed(measured)
    page.write([measured], tmp_path)
    assert (tmp_path / "benchmarks.svg").read_text().count("<circle") == 0
    said = (tmp_path / "benchmarks.md").read_text()
    assert "| likeness | 41 dB (41–45) | at least 40, reached | | |" in " ".join(said.split())
