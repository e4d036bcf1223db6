"""Captions and questions about clips: every sentence is true, and the words alone do not answer a question."""

import re
from collections import Counter, defaultdict
from typing import Any

import pytest

from weft.core.samples import Sample
from weft.worlds.clips import ANSWERS, QUESTION_TYPES, TIMES, ClipsConfig
from weft.worlds.clips.question_rows import ClipQuestions
from weft.worlds.clips.source import GeneratedClipsConfig
from weft.worlds.scenes import COLORS, SHAPES, SPLITS
from weft.worlds.scenes.chinese import COLOR_WORDS, SHAPE_WORDS

VERBS = {
    "moves": ("moves", "goes", "travels"),
    "hits": ("hits", "bumps into", "strikes"),
    "appears": ("appears", "shows up", "comes into view"),
    "disappears": ("disappears", "vanishes", "goes out of sight"),
}
WAYS = {"left": "left", "right": "right", "up": "up", "upwards": "up", "down": "down"}
CHINESE_VERBS = {
    "moves": ("移动", "走"),
    "hits": ("撞上", "碰到", "撞到"),
    "appears": ("出现了", "冒了出来"),
    "disappears": ("消失了", "不见了"),
}
CHINESE_WAYS = {"左": "left", "右": "right", "上": "up", "下": "down"}
Told = tuple[str, tuple[str, str, str], str | None, tuple[str, str, str] | None]


def look(words: str) -> tuple[str, str, str]:
    """Size, colour and shape."""
    size, color, shape = words.split()
    return {"little": "small", "big": "large"}.get(size, size), color, shape


def english(text: str) -> list[Told]:
    """The facts of an English caption, in their order."""
    verbs = "|".join(sorted((v for vs in VERBS.values() for v in vs), key=len, reverse=True))
    form = rf"the (\w+ \w+ \w+) ({verbs})(?: (?:to the )?(left|right|upwards|up|downwards|down))?(?: the (\w+ \w+ \w+))?"
    found = []
    for who, verb, way, whom in re.findall(form, text.lower()):
        kind = next(kind for kind, words in VERBS.items() if verb in words)
        found.append(
            (kind, look(who), (WAYS | {"downwards": "down"}).get(way), look(whom) if whom else None)
        )
    return found


def chinese(text: str) -> list[Told]:
    """The facts of a Chinese caption, in their order."""
    names = {v: k for k, v in (COLOR_WORDS | SHAPE_WORDS).items()}
    colors, shapes = "|".join(COLOR_WORDS.values()), "|".join(SHAPE_WORDS.values())
    thing = rf"((?:(?:{colors})|[大小]|的)+(?:{shapes}))"
    verbs = "|".join(v for vs in CHINESE_VERBS.values() for v in vs)
    found = []
    for who, way, verb, whom in re.findall(
        rf"{thing}(?:[向往]([左右上下]))?({verbs})(?:{thing})?", text
    ):
        kind = next(kind for kind, words in CHINESE_VERBS.items() if verb in words)

        def of(words: str) -> tuple[str, str, str]:
            (color,), (shape,) = re.findall(colors, words), re.findall(shapes, words)
            size = "large" if "大" in words else "small"
            return size, names[color], names[shape]

        found.append((kind, of(who), CHINESE_WAYS.get(way), of(whom) if whom else None))
    return found


def truth(row: Sample) -> list[Told]:
    looks = [(t["size"], t["color"], t["shape"]) for t in row.items["objects"]]
    return [
        (
            event["kind"],
            looks[event["object"]],
            event["direction"],
            None if event["target"] is None else looks[event["target"]],
        )
        for event in row.items["events"]
    ]


@pytest.mark.parametrize(("column", "read"), [("text", english), ("text_zh", chinese)])
def test_captions_say_all_events_in_their_order(column: str, read: Any) -> None:
    texts: set[str] = set()
    for row in ClipsConfig(count=150, languages=("en", "zh"), captions=3).build():
        for text in row.items[column]:
            assert read(text) == truth(row), text
            texts.add(text)
    assert len(texts) > 430


@pytest.mark.parametrize("told", [1, 2])
@pytest.mark.parametrize(("column", "read"), [("text", english), ("text_zh", chinese)])
def test_captions_leave_out_events_and_keep_their_order(told: int, column: str, read: Any) -> None:
    left_out: Counter[int] = Counter()
    for row in ClipsConfig(count=150, languages=("en", "zh"), captions=3, told=told).build():
        for text in row.items[column]:
            said, whole = read(text), truth(row)
            places = [whole.index(fact) for fact in said]
            assert len(places) == told
            assert places == sorted(set(places)), text
            left_out.update(set(range(3)) - set(places))
    assert min(left_out.values()) > 0.8 * 450 * (3 - told) / 3


def named(things: list[dict[str, Any]], words: str) -> int:
    """The number of the object of that colour and shape."""
    (found,) = [n for n, t in enumerate(things) if f"{t['color']} {t['shape']}" == words]
    return found


def answer(items: dict[str, Any], question: str) -> str:
    """The answer worked out from the words of the question and the row's events."""
    things, events = items["objects"], items["events"]
    of = {event["object"]: event for event in events}
    if found := re.fullmatch(r"What does the (\w+ \w+) do\?", question):
        return of[named(things, found[1])]["kind"]
    if found := re.fullmatch(r"Which way does the (\w+ \w+) move\?", question):
        return of[named(things, found[1])]["direction"]
    if found := re.fullmatch(
        r"(?:How many shapes|What is the number of shapes that) (\w+)( another shape)?\?", question
    ):
        kind = {"move": "moves", "hit": "hits", "appear": "appears", "disappear": "disappears"}[
            found[1]
        ]
        return str([event["kind"] for event in events].count(kind))
    order = r"Does the (\w+ \w+) (move|hit) (before|after) the (\w+ \w+) (moves|hits)\?"
    if found := re.fullmatch(order, question):
        one, other = (of[named(things, found[n])] for n in (1, 4))
        assert (one["kind"], other["kind"]) == (found[2] + "s", found[5])
        is_before = one["time"] < other["time"]
        return "yes" if is_before == (found[3] == "before") else "no"
    if found := re.fullmatch(r"When does the (\w+ \w+) (move|hit)\?", question):
        own = of[named(things, found[1])]
        assert own["kind"] == found[2] + "s"
        return TIMES[sum(event["time"] < own["time"] for event in events)]
    found = re.fullmatch(
        r"What (color|shape) is the (?:shape|object) that (\w+)(?: another shape)?(?: (left|right|up|down))?\?",
        question,
    )
    assert found, question
    (alone,) = [
        event["object"]
        for event in events
        if event["kind"] == found[2] and found[3] in (None, event["direction"])
    ]
    return things[alone][found[1]]


@pytest.mark.parametrize("split", SPLITS)
def test_answers_are_right(split: str) -> None:
    seen, kinds = set(), Counter()
    for row in ClipsConfig(count=300, split=split).build():
        for question in row.items["questions"]:
            assert question["answer"] == answer(row.items, question["question"]), question
            seen.add(question["answer"])
            kinds[question["type"]] += 1
    assert seen == set(ANSWERS)
    assert set(kinds) == set(QUESTION_TYPES)
    assert min(kinds.values()) > 120


def test_answers_are_balanced_within_each_type_and_the_words_do_not_tell_them() -> None:
    clips = ClipsConfig(count=1500).build()
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for number in range(1500):
        for row in clips.questions(clips.clip(number), number):
            counts[row["type"]][row["answer"]] += 1
            if row["type"] in ("action", "count", "order", "time"):
                # Without colours and shapes few sentences are left, and each has every answer equally often.
                form = re.sub("|".join((*COLORS, *SHAPES)), "_", row["question"])
                counts[form][row["answer"]] += 1
    for form, answers in counts.items():
        even = sum(answers.values()) / len(answers)
        assert max(answers.values()) < even + 4 * even**0.5 + 1, (form, answers)
        assert min(answers.values()) > even - 4 * even**0.5 - 1, (form, answers)


def test_one_row_a_question() -> None:
    config = ClipsConfig(count=5, split="validation", frames=4, size=16)
    rows, clips = ClipQuestions(config), config.build()
    asked = [(n, q) for n, clip in enumerate(clips) for q in clip.items["questions"]]
    assert len(rows) == len(asked)
    assert len({row.id for row in rows}) == len(rows)
    for row, (number, question) in zip(rows, asked, strict=True):
        assert row.group == clips[number].group
        assert {name: row.items[name] for name in question} == question
        assert "text" not in row.items
        assert row.items["video"].digest() == clips[number].items["video"].digest()


def test_a_type_that_is_named_several_times_has_several_different_questions() -> None:
    config = ClipsConfig(count=100, split="validation", frames=4, size=16)
    once, often = (
        ClipQuestions(config.replace(questions=types))
        for types in (QUESTION_TYPES, (*QUESTION_TYPES, "order", "order"))
    )
    asked = defaultdict(list)
    for row in often:
        asked[row.group, row.items["type"]].append(row.items["question"])
    assert {row.id: row.items["question"] for row in once}.items() <= {
        row.id: row.items["question"] for row in often
    }.items()
    assert len({row.id for row in often}) == len(often)
    assert all(len(set(questions)) == len(questions) for questions in asked.values())
    counts = Counter(len(questions) for (_, kind), questions in asked.items() if kind == "order")
    assert set(counts) == {1, 2, 3}
    assert counts[3] > counts[2] > counts[1]
    assert {len(questions) for (_, kind), questions in asked.items() if kind != "order"} == {1}


def test_a_source_of_clips_and_of_questions() -> None:
    source = GeneratedClipsConfig(train=4, validation=2, test=3)
    assert [len(source.open(split)) for split in SPLITS] == [4, 2, 3, 3]
    questions = source.replace(rows="questions").open("test_heldout")
    assert isinstance(questions, ClipQuestions)
    assert {row.items["split"] for row in questions} == {"test_heldout"}
