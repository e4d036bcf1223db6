"""Questions: every answer is right, and the words alone do not give it away."""

import pickle
import re
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from weft.worlds.scenes import ANSWERS, COLORS, QUESTION_TYPES, SHAPES, SPLITS, ScenesConfig
from weft.worlds.scenes.question_rows import SceneQuestions
from weft.worlds.scenes.source import GeneratedConfig

Thing = dict[str, Any]
Row = dict[str, str]
SINGULAR = {"crosses": "cross", "shapes": "shape"} | {f"{s}s": s for s in SHAPES if s != "cross"}
OUTER = {"leftmost": (0, min), "rightmost": (0, max), "topmost": (1, min), "bottommost": (1, max)}


def described(things: list[Thing], phrase: str) -> list[Thing]:
    """The things that a phrase such as "large red stars" or "leftmost object" fits."""
    for word in phrase.split():
        if word in OUTER:
            axis, extreme = OUTER[word]
            return [extreme(things, key=lambda t: middle(t)[axis])]
        name = SINGULAR.get(word, word)
        if name not in ("shape", "object"):
            known = [t for t in things if name in (t["size"], t["color"], t["shape"])]
            assert name in (*COLORS, *SHAPES, "small", "large"), name
            things = known
    return things


def middle(thing: Thing) -> tuple[float, float]:
    x0, y0, x1, y1 = thing["box"]
    return (x0 + x1) / 2, (y0 + y1) / 2


def the(things: list[Thing], phrase: str) -> Thing:
    found = described(things, phrase)
    assert len(found) == 1, phrase
    return found[0]


def direction(a: Thing, b: Thing) -> str:
    (ax, ay), (bx, by) = middle(a), middle(b)
    assert max(abs(ax - bx), abs(ay - by)) > 0.14
    if abs(ax - bx) > abs(ay - by):
        return "left" if ax < bx else "right"
    return "above" if ay < by else "below"


def yes(truth: bool) -> str:
    return "yes" if truth else "no"


def answer(things: list[Thing], question: str) -> str:
    """The answer worked out from the words of the question and the row's objects."""
    forms = {
        r"Is there an? (.+)\?": lambda a: yes(bool(described(things, a))),
        r"Does the picture show an? (.+)\?": lambda a: yes(bool(described(things, a))),
        r"Are there any (.+)\?": lambda a: yes(bool(described(things, a))),
        r"How many (.+) are there\?": lambda a: str(len(described(things, a))),
        r"What is the number of (.+)\?": lambda a: str(len(described(things, a))),
        r"What (?:is the )?color (?:is|of) the (.+)\?": lambda a: the(things, a)["color"],
        r"What (?:is the )?shape (?:is|of) the (.+)\?": lambda a: the(things, a)["shape"],
        r"Is the (.+) the same size as the (.+)\?": lambda a, b: yes(
            the(things, a)["size"] == the(things, b)["size"]
        ),
        r"Is the (.+) larger than the (.+)\?": lambda a, b: yes(
            (the(things, a)["size"], the(things, b)["size"]) == ("large", "small")
        ),
        r"Is the (.+) smaller than the (.+)\?": lambda a, b: yes(
            (the(things, a)["size"], the(things, b)["size"]) == ("small", "large")
        ),
        r"Are there more (.+) than (.+)\?": lambda a, b: yes(
            len(described(things, a)) > len(described(things, b))
        ),
        r"Are there fewer (.+) than (.+)\?": lambda a, b: yes(
            len(described(things, a)) < len(described(things, b))
        ),
        r"Where is the (.+) relative to the (.+)\?": lambda a, b: direction(
            the(things, a), the(things, b)
        ),
        r"Is the (.+?) (?:to the )?(left of|right of|above|below) the (.+)\?": lambda a, how, b: (
            yes(direction(the(things, a), the(things, b)) == how.removesuffix(" of"))
        ),
    }
    for form, work_out in forms.items():
        if found := re.fullmatch(form, question):
            return work_out(*found.groups())
    raise AssertionError(f"no form fits {question!r}")


def chance(row: Row) -> float:
    """The best that words alone can do: one over the number of answers that the question allows."""
    kind, question = row["type"], row["question"]
    if kind in ("color", "shape"):
        # Of a named shape two colours are held out of training, and the other way round.
        free = re.search("most (shape|object)|the (small|large) (shape|object)\\?", question)
        return 1 / (len(COLORS) if free else len(COLORS) - 2)
    if kind == "spatial" and question.startswith("Where"):
        return 1 / 4
    return {"count": 1 / 4}.get(kind, 1 / 2)


def asked(split: str, count: int, seed: int = 0) -> list[Row]:
    data = ScenesConfig(count=count, split=split, seed=seed).build()
    return [row for index in range(count) for row in data.questions(data.scene(index), index)]


@pytest.fixture(scope="module")
def train() -> dict[str, list[Row]]:
    return by_type(asked("train", 5000))


def by_type(rows: list[Row]) -> dict[str, list[Row]]:
    found = defaultdict(list)
    for row in rows:
        found[row["type"]].append(row)
    return found


@pytest.mark.parametrize("split", SPLITS)
def test_answers_are_right_and_referents_unique(split: str) -> None:
    seen, kinds = set(), Counter()
    for row in ScenesConfig(count=500, split=split, size=16).build():
        for question in row.items["questions"]:
            expected = answer(row.items["objects"], question["question"])
            assert question["answer"] == expected, (question, row.items["objects"])
            seen.add(expected)
            kinds[question["type"]] += 1
    assert seen == set(ANSWERS)
    assert set(kinds) == set(QUESTION_TYPES)
    assert min(kinds.values()) > 0.9 * 500


@pytest.mark.parametrize("split", ["test", "test_heldout"])
def test_a_guesser_that_sees_only_the_question_stays_near_chance(
    split: str, train: dict[str, list[Row]]
) -> None:
    test = by_type(asked(split, 3000))
    for kind in QUESTION_TYPES:
        expected = sum(map(chance, test[kind])) / len(test[kind])
        for accuracy in guesses(train[kind], test[kind]):
            # Three standard errors of a test of this size, and one point of true advantage.
            margin = 3 * (expected * (1 - expected) / len(test[kind])) ** 0.5 + 0.01
            assert accuracy < expected + margin, (split, kind, accuracy, expected)


def guesses(train: list[Row], test: list[Row]) -> tuple[float, float]:
    """Accuracies of the commonest answer to the same words, and of a linear model of the words."""
    answers = defaultdict(Counter)
    for row in train:
        answers[row["question"]][row["answer"]] += 1
    overall = Counter(row["answer"] for row in train)
    right = [
        (answers.get(row["question"]) or overall).most_common(1)[0][0] == row["answer"]
        for row in test
    ]
    words = CountVectorizer(ngram_range=(1, 2))
    inputs = words.fit_transform([row["question"] for row in train])
    model = LogisticRegression(C=0.1, max_iter=300)
    model.fit(inputs, [row["answer"] for row in train])
    score = model.score(
        words.transform([row["question"] for row in test]), [row["answer"] for row in test]
    )
    return sum(right) / len(right), float(score)


def test_the_guesser_finds_a_leak_where_there_is_one(train: dict[str, list[Row]]) -> None:
    """Were "no" the answer whenever hearts are asked for, the guesser would tell."""
    leaky = [
        row | {"answer": "no"} if "heart" in row["question"] or "star" in row["question"] else row
        for row in train["existence"]
    ]
    half = len(leaky) // 2
    assert min(guesses(leaky[:half], leaky[half:])) > 0.54


def test_answers_are_balanced_within_each_type(train: dict[str, list[Row]]) -> None:
    for kind, rows in train.items():
        forms = defaultdict(Counter)
        for row in rows:
            where = row["question"].startswith("Where")
            forms[where][row["answer"]] += 1
        for counts in forms.values():
            even = sum(counts.values()) / len(counts)
            assert max(counts.values()) < even + 5 * even**0.5, (kind, counts)
            assert min(counts.values()) > even - 5 * even**0.5, (kind, counts)


def test_one_row_a_question() -> None:
    config = ScenesConfig(count=5, split="validation", captions=1)
    rows, scenes = SceneQuestions(config), config.build()
    asked = [(n, q) for n, scene in enumerate(scenes) for q in scene.items["questions"]]
    assert len(rows) == len(asked)
    assert len({row.id for row in rows}) == len(rows)
    for row, (number, question) in zip(rows, asked, strict=True):
        scene = scenes[number]
        assert row.group == scene.group
        assert {name: row.items[name] for name in question} == question
        assert row.items["split"] == "validation"
        assert np.array_equal(row.items["image"].array(), scene.items["image"].array())
        assert "text" not in row.items
        assert row.items["objects"] == scene.items["objects"]
        assert row.items["regions"] == scene.items["regions"]
    assert rows[0].items["image"] is rows[1].items["image"]
    again = pickle.loads(pickle.dumps(rows))
    assert [row.id for row in again] == [row.id for row in rows]


def test_some_types_of_questions() -> None:
    config = ScenesConfig(count=30, questions=("color", "count"))
    kinds = [[q["type"] for q in row.items["questions"]] for row in config.build()]
    assert all(set(types) <= {"color", "count"} for types in kinds)
    assert sum("count" in types for types in kinds) == 30
    assert any("color" in types for types in kinds)


def test_questions_that_ask_about_no_outermost_shape() -> None:
    for outermost in (True, False):
        config = ScenesConfig(count=40, questions=("color", "shape"), outermost=outermost)
        asked = [q["question"] for row in config.build() for q in row.items["questions"]]
        assert any(word in text for text in asked for word in OUTER) == outermost


def test_a_column_is_read_as_another_stream() -> None:
    source = GeneratedConfig(train=4, rows="questions", columns={"text": "question"})
    for row in source.open("train"):
        assert row.items["text"] == row.items["question"]


def test_a_source_of_questions() -> None:
    source = GeneratedConfig(train=4, validation=2, test=3, rows="questions")
    assert isinstance(source.open("train"), SceneQuestions)
    groups = {row.group for row in source.open("test_heldout")}
    assert groups == {f"test_heldout-00000{n}" for n in range(3)}
    assert source.open("val")[0].items["split"] == "validation"
