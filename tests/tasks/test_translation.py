"""Translation and its contrastive evaluation, in the small world of the tasks' contract."""

from dataclasses import replace

import pytest
from every_task import CASES, ROWS, dataset, member

from weft.core.errors import DataError, WeftError
from weft.data.formats import spread_rows
from weft.data.formats._rows import KnownColumns, TableRows
from weft.evaluation.translation import bleu, bleu_counts
from weft.inference.predict import predict
from weft.runs.against import held_against
from weft.tasks.contrastive_translation import balanced, contrast
from weft.tasks.translation import texts_of

TRANSLATION = CASES["translation"].replace(references=None)
CONTRASTIVE = CASES["contrastive_translation"].replace(references=None)


def translated(rows, **changes):
    return TRANSLATION.replace(**changes).build().evaluate([member(rows)], rows)


def test_the_numbers_are_those_of_what_is_said() -> None:
    rows = dataset()
    found = translated(rows)
    said = predict([member(rows)], rows, "caption", TRANSLATION.inference).said
    counts = bleu_counts(said, [[row.items["text"]] for row in rows], "13a")
    assert found.metrics["BLEU"].value == pytest.approx(100 * float(bleu(counts.sum(0))))
    assert found.protocol["references"] == "text"
    assert set(found.baselines) == {"image of another"}
    assert [one.predicted for one in found.predictions] == [
        said[one.inputs[0].row] for one in found.predictions
    ]


def test_other_references_show_what_the_head_learned_from() -> None:
    """As machine translations that a model learned from, held against those of people."""
    rows = [replace(r, items={**r.items, "human": f"{r.items['text']} here"}) for r in dataset()]
    found = translated(rows, references="human", swap=())
    assert found.protocol["references"] == "human"
    assert set(found.baselines) == {"text"}
    assert 50 < found.baselines["text"]["BLEU"] < 100
    # Where no row has them, the texts that the head learned to write are the references.
    assert translated(dataset(), references="human").protocol["references"] == "text"


def test_bad_references_are_one_line() -> None:
    rows = [replace(r, items={**r.items, "human": "a thing"}) for r in dataset()]
    for value in ("", " ", None, 3):
        rows[2] = replace(rows[2], items={**rows[2].items, "human": value})
        with pytest.raises(
            DataError, match="^made:3: has no text in 'human', it has: image"
        ) as bad:
            translated(rows, references="human")
        assert "\n" not in str(bad.value)
    with pytest.raises(WeftError, match="no row has 'text', with which translations"):
        translated([replace(r, items={"image": r.items["image"]}) for r in dataset()])
    assert texts_of(dataset()[0], "text") == [dataset()[0].items["text"]]


def test_a_misspelt_column_of_references_is_told() -> None:
    """The texts that the head learned to write stand in for a column that the data have in other rows alone."""
    known = KnownColumns(("image", "text", "human"))
    rows = TableRows(dataset(), known)
    assert translated(rows, references="human").protocol["references"] == "text"
    with pytest.raises(WeftError, match=r"^unknown column of references 'humam'.*human") as bad:
        translated(rows, references="humam")
    assert "\n" not in str(bad.value)


def test_some_rows_are_spread_over_all() -> None:
    assert spread_rows(10, 3) == [0, 3, 6]
    assert spread_rows(2, 5) == spread_rows(2, None) == [0, 1]
    assert translated(dataset(), limit=4).protocol["translations"] == 4


def test_two_runs_are_compared_by_their_counts() -> None:
    rows = dataset()
    one = TRANSLATION.build().evaluate([member(rows)], rows)
    other = TRANSLATION.build().evaluate([member(rows, seed=3)], rows)
    found = held_against(one, other, "other").differences
    assert set(found) == {"BLEU", "chrF"}
    for name, difference in found.items():
        expected = one.metrics[name].value - other.metrics[name].value
        assert difference.compared.difference.value == pytest.approx(expected)


def test_each_pair_of_words_is_balanced() -> None:
    """So that a model which knows only that red is frequent is right in half of the contrasts."""
    texts = {n: f"a {'red' if n < 40 else 'blue'} thing" for n in range(50)}
    texts |= {50: "a red and blue thing", 51: "a thing", 52: "a Red one"}
    words = ["red", "blue", "green"]

    def drawn():
        found = (contrast(n, f"r{n}", text, "colours", words, 0) for n, text in texts.items())
        return [one for one in found if one is not None]

    assert {50, 51}.isdisjoint(one.row for one in drawn())
    found = [drawn()[place] for place in balanced(drawn())]
    pairs = [tuple(word.lower() for word in one.words) for one in found]
    assert set(pairs) == {("red", "blue"), ("blue", "red")}
    assert 2 * pairs.count(("blue", "red")) == len(pairs)
    for one in found:
        assert one.right == texts[one.row]
        assert one.wrong == one.right.replace(*one.words)
    assert contrast(0, "r0", "red", "colours", ["red"], 0) is None


def test_the_likelier_text_is_chosen() -> None:
    rows = dataset()
    found = CONTRASTIVE.build().evaluate([member(rows)], rows)
    assert found.protocol["contrasts"] == ROWS  # of two words each is the other's wrong one
    assert set(found.metrics) == {"accuracy", "kind/colours/accuracy"}
    assert set(found.baselines) == {"chance", "image of another", "text of another"}
    for one in found.predictions:
        assert one.right == (one.predicted == one.expected[0]) == (one.score > 0)
    with pytest.raises(WeftError, match="no two texts in 'text' .* the kinds are: x: green"):
        CONTRASTIVE.replace(words={"x": "green|red"}).build().evaluate([member(rows)], rows)
