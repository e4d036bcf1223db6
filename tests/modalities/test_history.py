"""What was said before a question: turns as one text, the newest first."""

import pytest

from weft.core.errors import WeftError
from weft.modalities.history import HistoryConfig

TURNS = [{"question": "a star?", "answer": "yes"}, {"question": "its color?", "answer": "red"}]


def test_the_newest_turn_is_read_first() -> None:
    history = HistoryConfig(vocab_size=300, max_length=6).build()
    assert history.decode(["a caption", *TURNS]) == "its color? red | a star? yes | a caption"
    assert history.decode("said  before") == "said before"
    history.fit([TURNS])
    assert history.decode_ids(history.encode("its color? red | a star? yes"))[:3] == "its"


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        ([], "the history has no turns"),
        ([{"question": "a star?"}], "turn 1 of the history is"),
        ([3], "turn 1 of the history is 3"),
    ],
)
def test_says_what_is_wrong(turns: list[object], message: str) -> None:
    with pytest.raises(WeftError, match=message):
        HistoryConfig(vocab_size=300).build().decode(turns)  # type: ignore[arg-type]
