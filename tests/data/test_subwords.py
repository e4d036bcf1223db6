"""Transcripts of subwords: what is learned spells every text, also one with letters that no row has."""

from weft.data.targets.transcript import TranscriptConfig

TEXTS = ["bin blue at two", "lay blue by nine", "set white at two soon", "图像 blue"] * 5


def test_texts_come_back_and_frequent_words_are_one_unit() -> None:
    target = TranscriptConfig("text", "subword", most=290).build()
    target.fit(TEXTS)
    assert len(target.units) == 290
    for text in (*TEXTS, "zebra blue", "é"):
        ids = target.read(text)
        assert min(ids) >= 1
        assert target.join(ids) == text
    assert len(target.read("blue at two")) < len("blue at two") / 2
    other = TranscriptConfig("text", "subword", most=290).build()
    other.restore(target.state())
    assert other.read("bin blue") == target.read("bin blue")
    assert other.join(target.read("图")) == "图"
