"""Visual Dialog v1.0 (Das et al. 2017): ten questions and answers about each picture of COCO.

visdial_1.0_train.json and the like; visdial_1.0_val_dense_annotations.json beside them; pictures in
train2014/, val2014/ (COCO_train2014_000000378466.jpg), VisualDialog_val2018/ or images/.
"""

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from weft.core.errors import DataError
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.formats._captions import column
from weft.data.formats._files import named, read_json
from weft.data.formats._rows import OnError, split_name

NAME = "visdial"
DESCRIPTION = "Visual Dialog: visdial_1.0_train.json, dense annotations, pictures of COCO beside it"
_FILES = "visdial_*.json"
_DENSE = ("_dense_annotations", "_dense_sample")
Relevances = Mapping[tuple[object, object], tuple[str, list[Any]]]
"""(picture, round) -> source, and the relevance of each candidate."""


def detect(path: Path) -> bool:
    return bool(_files(path))


def read(path: Path, on_error: OnError) -> "Turns":
    """One sample a question that has an answer; the group is the dialog.

    Items: image; history (the caption as text, then the turns before, each a dict of question and answer, missing if
    there is neither); question; answer; candidates; right, the index of the answer among them; relevance of each
    candidate, if people judged it; round, from 1; split. An unusable turn makes its whole dialog an error, since
    later turns refer to it.
    """
    return Turns([row for file in _files(path) for row in _read_file(file, on_error)])


@dataclass(frozen=True)
class _Turn:
    """options: numbers of answers. right: index of the right answer among them."""

    question: str
    answer: str | None
    options: np.ndarray | None
    right: int | None
    relevance: list[float] | None
    source: str


@dataclass(frozen=True)
class _Dialog:
    """A picture and its turns. answers: all answers of the file, to which the numbers in options refer."""

    image_id: int
    image: Path
    caption: str | None
    split: str
    turns: list[_Turn]
    answers: list[Any]

    def sample(self, place: int) -> Sample:
        """Makes the row of one turn."""
        turn = self.turns[place]
        history: list[Any] = [] if self.caption is None else [self.caption.strip()]
        history += [
            {"question": one.question.strip(), "answer": one.answer.strip()}
            for one in self.turns[:place]
            if one.answer is not None
        ]
        options = None if turn.options is None else [self.answers[n] for n in turn.options]
        given: dict[str, Any] = {
            "answer": turn.answer,
            "candidates": options,
            "right": turn.right,
            "relevance": turn.relevance,
        }
        items: dict[str, Any] = {
            "image": Media.file(self.image, "image"),
            **({"history": history} if history else {}),
            "question": turn.question.strip(),
            "round": place + 1,
            "split": self.split,
            **{name: value for name, value in given.items() if value is not None},
        }
        return Sample(f"{self.image_id}-{place + 1}", str(self.image_id), items, turn.source)


class Turns(Sequence[Sample]):
    """Rows that are made on request: a million rows name a hundred answers each."""

    def __init__(self, rows: Sequence[tuple[_Dialog, int]]) -> None:
        self._rows = rows
        self.splits = [dialog.split for dialog, _ in rows]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Sample]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, index: int, /) -> Sample:  # type: ignore[override]
        dialog, place = self._rows[index]
        return dialog.sample(place)


def _files(path: Path) -> list[Path]:
    found = [path] if path.is_file() else named(path, _FILES)
    names = ((file, file.name.lower()) for file in found)
    return [
        f for f, n in names if fnmatch.fnmatchcase(n, _FILES) and not Path(n).stem.endswith(_DENSE)
    ]


def _read_file(file: Path, on_error: OnError) -> Iterator[tuple[_Dialog, int]]:
    """Yields (dialog, index of a turn that has an answer) for every dialog."""
    content = read_json(file)
    data = column(content, "data", dict, str(file))
    texts = column(data, "questions", list, str(file)), column(data, "answers", list, str(file))
    split = split_name(str(content.get("split", file.stem.rpartition("_")[2])).rstrip("0123456789"))
    relevances = _relevances(file, on_error)
    for number, row in enumerate(column(data, "dialogs", list, str(file))):
        source = f"{file}:dialogs[{number}]"
        try:
            image_id = column(row, "image_id", int, source)
            turns = [
                _turn(one, texts, relevances.get((image_id, n + 1)), f"{source}.dialog[{n}]")
                for n, one in enumerate(column(row, "dialog", list, source))
            ]
            picture = _picture(file.parent, image_id)
            caption = None if row.get("caption") is None else column(row, "caption", str, source)
            dialog = _Dialog(image_id, picture, caption, split, turns, texts[1])
        except DataError as error:
            on_error(error)
            continue
        for place, turn in enumerate(turns):
            if turn.answer is not None or turn.right is not None:
                yield dialog, place


def _turn(
    row: Any,
    texts: tuple[list[Any], list[Any]],
    relevance: tuple[str, list[Any]] | None,
    source: str,
) -> _Turn:
    questions, answers = texts
    question = _text(questions, column(row, "question", int, source), "question", source)
    answer, options, right = None, None, None
    if row.get("answer") is not None:
        answer = _text(answers, column(row, "answer", int, source), "answer", source)
    if "answer_options" in row:
        options = column(row, "answer_options", list, source)
        candidates = [_text(answers, option, "answer", source) for option in options]
        if not candidates:
            raise DataError("the list of candidate answers is empty", source=source)
        if "gt_index" in row:
            right = _right(row, answer, candidates, source)
    judged = None if relevance is None else _relevance(*relevance, len(options or ()))
    numbers = None if options is None else np.array(options, dtype=np.int32)
    return _Turn(question, answer, numbers, right, judged, source)


def _right(row: Any, answer: str | None, candidates: list[str], source: str) -> int:
    """Returns gt_index. Raises DataError if it is out of range, or names another answer than the given one."""
    right: int = column(row, "gt_index", int, source)
    if not 0 <= right < len(candidates):
        raise DataError(f"gt_index is {right}, expected 0 to {len(candidates) - 1}", source=source)
    if answer is not None and candidates[right] != answer:
        reason = f"the answer is '{answer}', but candidate {right} (gt_index) '{candidates[right]}'"
        raise DataError(reason, source=source)
    return right


def _text(texts: list[Any], number: Any, what: str, source: str) -> str:
    if not isinstance(number, int) or not 0 <= number < len(texts):
        reason = f"names {what} {number!r}, expected a number from 0 to {len(texts) - 1}"
        raise DataError(reason, source=source)
    if not isinstance(texts[number], str):
        raise DataError(
            f"{what} {number} is {texts[number]!r:.30}, expected a string", source=source
        )
    text: str = texts[number]
    return text


def _relevances(file: Path, on_error: OnError) -> Relevances:
    """Returns the dense annotations beside `file`; those of the training sample have other names."""
    found: dict[tuple[object, object], tuple[str, list[Any]]] = {}
    for dense in named(file.parent, *(f"{file.stem}{end}.json" for end in _DENSE)):
        judged = read_json(dense)
        if not isinstance(judged, list):
            raise DataError(f"holds a {type(judged).__name__}, expected a list", source=str(dense))
        for number, row in enumerate(judged):
            source = f"{dense}:[{number}]"
            try:
                given = isinstance(row, dict) and "gt_relevance" in row
                values = column(row, "gt_relevance" if given else "relevance", list, source)
                key = column(row, "image_id", int, source), column(row, "round_id", int, source)
                found[key] = source, values
            except DataError as error:
                on_error(error)
    return found


def _relevance(source: str, values: list[Any], count: int) -> list[float]:
    """Returns one number for each candidate. Raises DataError for another count, or for values outside 0 to 1."""
    if len(values) != count:
        raise DataError(
            f"has {len(values)} relevances, expected {count}, one a candidate", source=source
        )
    if not all(type(value) in (int, float) and 0 <= value <= 1 for value in values):
        raise DataError("has a relevance that is not a number from 0 to 1", source=source)
    return [float(value) for value in values]


def _picture(folder: Path, image_id: int) -> Path:
    """Returns the picture's path: the first that exists of its paths in the distributed data."""
    places = [
        *(f"{part}2014/COCO_{part}2014_{image_id:012d}.jpg" for part in ("train", "val")),
        *(
            f"VisualDialog_{s}2018/VisualDialog_{s}2018_{image_id:012d}.jpg"
            for s in ("val", "test")
        ),
        f"images/{image_id:012d}.jpg",
    ]
    return next((folder / p for p in places if (folder / p).is_file()), folder / places[0])
