"""Visual Dialog v1.0 (Das et al. 2017): ten questions and answers about each picture of COCO.

visdial_1.0_train.json and the like; visdial_1.0_val_dense_annotations.json beside them; pictures in
train2014/, val2014/ (COCO_train2014_000000378466.jpg), VisualDialog_val2018/ or images/.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.records import Sample
from weft.data.formats._captions import column
from weft.data.formats._files import read_json
from weft.data.formats._rows import OnError, select, split_name

NAME = "visdial"
DESCRIPTION = "Visual Dialog: visdial_1.0_train.json, dense annotations, pictures of COCO beside it"
SEPARATOR = " | "
"""Between what was said before and what is asked now."""
_DENSE = ("_dense_annotations", "_dense_sample")
Relevances = Mapping[tuple[object, object], tuple[str, list[Any]]]
"""(picture, round) -> where it stands, and the relevance of each candidate."""


def detect(path: Path) -> bool:
    return bool(_files(path))


def read(path: Path, split: str | None, on_error: OnError) -> list[Sample]:
    """One sample a question that has an answer; the group is the dialog.

    Items: image; text, what was said before and the question (of the first question the caption and the
    question, or the question alone); history, the turns before, each a dict of question and answer;
    question; answer; candidates; right, the number of the answer among them; relevance of each
    candidate where people judged it; round, from 1; split. A turn that cannot be used makes its whole
    dialog an error, since later ones tell of it.
    """
    samples = [sample for file in _files(path) for sample in _read_file(file, on_error)]
    return select(samples, split, path)


def context(said: Sequence[tuple[str, str]], question: str, caption: str | None = None) -> str:
    """The turns before, each a question with its answer, and the question, in one text."""
    before = [] if caption is None else [caption.strip()]
    before += [f"{asked.strip()} {answer.strip()}" for asked, answer in said]
    return SEPARATOR.join([*before, question.strip()])


def _files(path: Path) -> list[Path]:
    found = [path] if path.is_file() else sorted(path.glob("visdial_*.json"))
    return [f for f in found if f.name.startswith("visdial_") and not f.stem.endswith(_DENSE)]


def _read_file(file: Path, on_error: OnError) -> Iterator[Sample]:
    content = read_json(file)
    data = column(content, "data", dict, str(file))
    questions = column(data, "questions", list, str(file))
    answers = column(data, "answers", list, str(file))
    split = split_name(str(content.get("split", file.stem.rpartition("_")[2])).rstrip("0123456789"))
    relevances = _relevances(file, on_error)
    for number, dialog in enumerate(column(data, "dialogs", list, str(file))):
        source = f"{file}:dialogs[{number}]"
        try:
            yield from _turns(file, dialog, (questions, answers), split, relevances, source)
        except DataError as error:
            on_error(error)


def _turns(
    file: Path,
    dialog: Any,
    texts: tuple[list[Any], list[Any]],
    split: str,
    relevances: Relevances,
    source: str,
) -> list[Sample]:
    questions, answers = texts
    image_id = column(dialog, "image_id", int, source)
    caption = dialog.get("caption")
    picture = _picture(file.parent, image_id)
    said: list[tuple[str, str]] = []
    samples: list[Sample] = []
    for number, turn in enumerate(column(dialog, "dialog", list, source), start=1):
        where = f"{source}.dialog[{number - 1}]"
        question = _text(questions, column(turn, "question", int, where), "question", where)
        items: dict[str, Any] = {
            "image": picture,
            "text": context(said, question, caption),
            "history": [{"question": asked, "answer": answer} for asked, answer in said],
            "question": question.strip(),
            "round": number,
            "split": split,
        }
        if "answer" in turn and turn["answer"] is not None:
            answer = _text(answers, column(turn, "answer", int, where), "answer", where)
            said.append((question, answer))
            items["answer"] = answer
        if "answer_options" in turn:
            options = column(turn, "answer_options", list, where)
            items["candidates"] = [_text(answers, option, "answer", where) for option in options]
        if "gt_index" in turn:
            items["right"] = _right(turn, items, where)
        if (image_id, number) in relevances:
            items["relevance"] = _relevance(*relevances[image_id, number], items)
        if "right" in items or "answer" in items:
            samples.append(Sample(f"{image_id}-{number}", str(image_id), items, where))
    return samples


def _right(turn: Any, items: Mapping[str, Any], source: str) -> int:
    """gt_index. Raises DataError where that is no candidate, or another answer than the one given."""
    right: int = column(turn, "gt_index", int, source)
    candidates = items.get("candidates", [])
    if not candidates:
        raise DataError("the list of candidate answers is empty", source=source)
    if not 0 <= right < len(candidates):
        raise DataError(f"gt_index is {right}, expected 0 to {len(candidates) - 1}", source=source)
    answer = items.get("answer", candidates[right])
    if candidates[right] != answer:
        reason = f"the answer is '{answer}', but candidate {right} (gt_index) '{candidates[right]}'"
        raise DataError(reason, source=source)
    return right


def _text(texts: list[Any], number: Any, what: str, source: str) -> str:
    if not isinstance(number, int) or not 0 <= number < len(texts):
        reason = f"names {what} {number!r}, expected a number from 0 to {len(texts) - 1}"
        raise DataError(reason, source=source)
    return str(texts[number])


def _relevances(file: Path, on_error: OnError) -> Relevances:
    """The dense annotations beside `file`, which have other names for the sample of the training."""
    found: dict[tuple[object, object], tuple[str, list[Any]]] = {}
    for dense in (file.with_name(f"{file.stem}{end}.json") for end in _DENSE):
        for number, row in enumerate(read_json(dense) if dense.is_file() else ()):
            source = f"{dense}:[{number}]"
            try:
                given = isinstance(row, dict) and "gt_relevance" in row
                values = column(row, "gt_relevance" if given else "relevance", list, source)
                key = column(row, "image_id", int, source), column(row, "round_id", int, source)
                found[key] = source, values
            except DataError as error:
                on_error(error)
    return found


def _relevance(source: str, values: list[Any], items: Mapping[str, Any]) -> list[float]:
    """One number a candidate. Raises DataError where there are more or fewer, or others than 0 to 1."""
    count = len(items.get("candidates", []))
    if len(values) != count:
        raise DataError(
            f"has {len(values)} relevances, expected {count}, one a candidate", source=source
        )
    if not all(type(value) in (int, float) and 0 <= value <= 1 for value in values):
        raise DataError("has a relevance that is not a number from 0 to 1", source=source)
    return [float(value) for value in values]


def _picture(folder: Path, image_id: int) -> Path:
    """The picture's path, the first one that exists of those that it has in the data as distributed."""
    places = [
        *(f"{part}2014/COCO_{part}2014_{image_id:012d}.jpg" for part in ("train", "val")),
        *(
            f"VisualDialog_{s}2018/VisualDialog_{s}2018_{image_id:012d}.jpg"
            for s in ("val", "test")
        ),
        f"images/{image_id:012d}.jpg",
    ]
    return next((folder / p for p in places if (folder / p).is_file()), folder / places[0])
