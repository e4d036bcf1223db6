"""Recognised words on a page: their times, and the weights of the streams where a gate weighs them."""

from weft.inference.results import Prediction, RecognisedWord
from weft.report.recognised_words import recognised_words, words_legend


def prediction(*words: RecognisedWord) -> Prediction:
    return Prediction((), " ".join(word.word for word in words), (), words=words)


def test_times_and_how_late_a_word_is() -> None:
    words = (
        RecognisedWord("bin", {}, (0.67, 0.9), -0.022),
        RecognisedWord("<blue>", {}, (0.9, 1.25)),
    )
    shown = recognised_words(words)
    assert "<b>bin</b><small>0.67–0.90 (-22 ms)</small>" in shown
    assert "<b>&lt;blue&gt;</b><small>0.90–1.25</small>" in shown
    assert "bar" not in shown
    legend = words_legend([prediction(*words)])
    assert "times of a word" in legend
    assert "weight" not in legend


def test_weights_without_times() -> None:
    word = RecognisedWord("bin", {"audio": 0.75, "video": 0.25})
    shown = recognised_words([word])
    assert 'title="' in shown
    assert "<small>75 · 25</small>" in shown
    assert "–" not in shown
    assert "times of a word" not in words_legend([prediction(word)])
    assert words_legend([prediction()]) == ""
