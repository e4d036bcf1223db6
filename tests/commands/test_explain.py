"""Explanations from the command line."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_runs import weft

from weft.commands._explaining import said_of
from weft.core.display import Axis, Display, Picture, Word
from weft.core.language import speaking
from weft.evaluation.comparison import compare
from weft.explain.deletion import Deletion
from weft.heads.numbers import NumberOutput
from weft.report.displays import DRAWN_SIDE, LINE, drawn, figures, originals
from weft.report.displays import words as words_html
from weft.report.explanations import Explained, Weighed


def test_rows_and_own_input(scenes_copy: Path, tmp_path: Path) -> None:
    run = scenes_copy
    done = weft("explain", run, "--rows", "2", "--deletion", "4")
    assert done.code == 0, done.err
    assert "image, occlusion: deleting the marked parts lowers the score by" in done.out
    assert "text, relevance: deleting the marked parts lowers the score by" in done.out
    page = (run / "explanations.html").read_text()
    assert page.count("<img") >= 2
    picture = tmp_path / "p.png"
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(picture)
    words = ("--image", picture, "--text", "a red circle")
    done = weft("explain", run, *words)
    assert done.code == 0, done.err
    assert "similarity" in done.out
    assert "text (relevance): " in done.out
    done = weft("--language", "zh", "explain", run, *words)
    assert done.out.startswith("相似度  ")
    assert re.search(r"图片 \(遮挡\): 第 \d 行（共 8 行），第 \d 列（共 8 列） \d\.\d\d", done.out)
    assert weft("explain", run, *words).code == 0
    assert "red" in (run / "explanation.html").read_text()
    assert (run / "explanations.html").read_text() == page


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            "text, relevance: deleting the marked parts raises the score by 0.5 %, deleting random parts lowers the "
            "score by 0.0 %; difference -0.5 (-0.8 – -0.2; 2 groups: interval too narrow), 2 rows",
        ),
        (
            "zh",
            "文本，梯度 × 注意力：删除被标出的部分使得分上升 0.5 %，随机删除使得分下降 0.0 %；差值 -0.5（-0.8 – -0.2；2 组：过窄），2 行",
        ),
    ],
)
def test_a_score_that_rises_is_said_to_rise(language: str, said: str) -> None:
    marked, random = np.array([-0.8, -0.2]), np.array([-0.02, 0.02])
    found = Deletion("text", "relevance", 2, compare(random, marked, np.arange(2)))
    with speaking(language):
        assert said_of(found) == said


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            "text, relevance: deleting the marked parts changes the number by 0.500 m, deleting random parts changes "
            "the number by 0.100 m; difference 0.400 (0.300 – 0.500; 2 groups: interval too narrow), 2 rows",
        ),
        (
            "zh",
            "文本，梯度 × 注意力：删除被标出的部分使数值改变 0.500 m，随机删除使数值改变 0.100 m；差值 0.400（0.300 – 0.500；2 组：过窄），2 行",
        ),
    ],
)
def test_a_number_changes_in_its_unit(language: str, said: str) -> None:
    marked, random = np.array([0.4, 0.6]), np.array([0.1, 0.1])
    number = NumberOutput(unit="m", digits=3)
    found = Deletion("text", "relevance", 2, compare(random, marked, np.arange(2)), number)
    with speaking(language):
        assert said_of(found) == said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--text", "a red circle"], "needs --image, for its stream 'image'"),
        (["--image", "none.png"], "needs --text, for its stream 'text'"),
        (["--image", "none.png", "--text", "x"], "none.png"),
        (["--method", "guess"], "--method"),
        (["--rows", "-1"], "expected 0 or more"),
    ],
)
def test_mistakes_are_one_line(scenes_run: Path, words: list[str], said: str) -> None:
    done = weft("explain", scenes_run, *words)
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1


def test_what_matters_keeps_its_colours_and_the_rest_is_dark() -> None:
    coloured = np.full((8, 8, 3), (90, 200, 30), np.uint8)
    values = np.zeros((2, 2))
    values[1, 0] = 1
    shown = drawn(Picture(coloured, values))
    assert isinstance(shown, np.ndarray)
    assert shown.shape == (DRAWN_SIDE, DRAWN_SIDE, 3)
    assert shown[-1, 0].tolist() == [90, 200, 30]
    assert shown[0, -1].tolist() == [27, 60, 9]  # 0.3 of it
    line = (shown == LINE.astype(np.uint8)).all(axis=2)
    assert line[DRAWN_SIDE // 2 :, : DRAWN_SIDE // 2 + 1].sum() == line.sum() > DRAWN_SIDE
    nothing = drawn(Picture(coloured, np.zeros((2, 2))))
    assert isinstance(nothing, np.ndarray)
    assert len(np.unique(nothing.reshape(-1, 3), axis=0)) == 1
    assert drawn(Picture(coloured)) is coloured
    assert Display((Picture(coloured, values),)).strongest(5) == [
        ("row 2 of 2, column 1 of 2", 1.0)
    ]


def test_captions_tell_the_axes_and_what_matters_most() -> None:
    weights = np.array([[0.0, 0.2], [1.0, 0.0]])
    axes = (Axis([0.0, 0.5, 1.0], "s", 2), Axis([8000, 800, 20], "Hz"))
    display = Display((Picture(np.zeros((4, 4, 3), np.uint8), weights, "frame 3", *axes),))
    assert display.strongest(1) == [("frame 3, 0.00–0.50 s, 20–800 Hz", 1.0)]
    known = "sound; frame 3; 0.00–1.00 s from left to right; 20–8000 Hz from bottom to top"
    assert f"{known}</figcaption>" in originals(display, "sound", 160)
    most = "most at 0.00–0.50 s, 20–800 Hz"
    assert f"{known}; {most}</figcaption>" in figures(display, "sound", 160)


def test_an_explanation_is_printed_in_the_readers_language() -> None:
    weights = np.array([[0.0, 0.2], [1.0, 0.0]])
    cells = tuple(Picture(np.zeros((4, 4, 3), np.uint8), weights, name) for name in ("", "frame 3"))
    words = Display(words=(Word("picture", 1.0),))  # the user's word, not ours
    parts = [Weighed("image", "occlusion", Display(cells)), Weighed("text", "relevance", words)]
    found = Explained("similarity", "0.532", parts, named=True)
    assert repr(found).splitlines() == [
        "similarity (0.532)",
        "image (occlusion): row 2 of 2, column 1 of 2 1.00, frame 3, row 2 of 2, column 1 of 2 1.00",
        "text (relevance): picture 1.00",
    ]
    with speaking("zh"):
        cell = "第 2 行（共 2 行），第 1 列（共 2 列） 1.00"
        assert repr(found).splitlines() == [
            "相似度 (0.532)",
            f"图片 (遮挡): {cell}, 第 3 帧，{cell}",
            "文本 (梯度 × 注意力): picture 1.00",
        ]
        assert Explained("similarity").title == "similarity"  # a class of the user's


def test_words_are_escaped_and_marked() -> None:
    display = Display(words=(Word("<b>", 1.0), Word("dog", 0.0), Word("<i>")))
    shown = words_html(display)
    assert "&lt;b&gt;" in shown
    assert 'style="--w:0.75"' in shown
    assert shown.count("<span") == 2
    assert display.strongest(1) == [("<b>", 1.0)]
    assert display.text == "<b> dog <i>"
