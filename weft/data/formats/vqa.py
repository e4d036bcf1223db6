"""VQA v2 (Goyal et al. 2017) as distributed: questions, annotations, and COCO's pictures beside them.

v2_OpenEnded_mscoco_train2014_questions.json, v2_mscoco_train2014_annotations.json (absent for the test splits) and
train2014/COCO_train2014_000000000009.jpg. VQA v1 has the same files without "v2_".
"""

import re
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.formats._captions import column
from weft.data.formats._files import named, read_json
from weft.data.formats._questions import question_sample
from weft.data.formats._rows import OnError, UniqueIds, picture_folder

NAME = "vqa"
DESCRIPTION = (
    "VQA v2: v2_OpenEnded_mscoco_train2014_questions.json, ..._annotations.json, train2014/"
)
_QUESTIONS = re.compile(
    r"(?P<version>(?:v2_)?)OpenEnded_mscoco_(?P<subset>[\w-]+)_questions\.json", re.IGNORECASE
)
_BASES = (Path(), Path("Questions"), Path("questions"))
_ANNOTATIONS = (Path(), Path("../Annotations"), Path("../annotations"))


def detect(path: Path) -> bool:
    return bool(_files(path))


def read(path: Path, on_error: OnError) -> list[Sample]:
    """One sample a question: answer is the annotators' most frequent one, answers are all ten.

    type is the kind of answer (yes/no, number, other), question_type the first words of the question. Questions of a
    test split have no answers. test-dev is a split of its own.
    """
    ids = UniqueIds()
    return [s for file in _files(path) for s in _read_file(file, ids, on_error)]


def _files(path: Path) -> list[Path]:
    """Returns the question files at `path`."""
    if path.is_file():
        return [path] if _QUESTIONS.fullmatch(path.name) else []
    if not path.is_dir():
        return []
    found = (p for base in _BASES if (path / base).is_dir() for p in (path / base).iterdir())
    return sorted({p.resolve(): p for p in found if _QUESTIONS.fullmatch(p.name)}.values())


def _read_file(file: Path, ids: UniqueIds, on_error: OnError) -> list[Sample]:
    parts = _QUESTIONS.fullmatch(file.name)
    assert parts is not None
    subset = parts["subset"]
    pictures = "test2015" if subset == "test-dev2015" else subset
    questions = column(read_json(file), "questions", list, str(file))
    annotations = _annotations(
        file, f"{parts['version']}mscoco_{subset}_annotations.json", on_error
    )
    names = [_picture(row.get("image_id"), pictures) for row in questions if isinstance(row, dict)]
    folders = [b / n for b in (file.parent, file.parent.parent) for n in (pictures, "images")]
    folders += [base / "images" / pictures for base in (file.parent, file.parent.parent)]
    folder = picture_folder([*folders, file.parent], names)
    samples: list[Sample] = []
    for number, row in enumerate(questions):
        source = f"{file}:questions[{number}]"
        try:
            question_id = column(row, "question_id", int, source)
            image = _picture(column(row, "image_id", int, source), pictures)
            question = column(row, "question", str, source)
            ids.claim(str(question_id), source)
            answered = {} if annotations is None else annotations.get(question_id)
            if answered is None:
                raise DataError(f"question {question_id} has no annotation", source=source)
            split = re.sub(r"\d+$", "", subset)
            picture = Media.file(folder / image, "image", folder=folder)
            identity = str(question_id)
            samples.append(
                question_sample(identity, image, picture, question, split, source, **answered)
            )
        except DataError as error:
            on_error(error)
    return samples


def _annotations(questions: Path, name: str, on_error: OnError) -> dict[int, dict[str, Any]] | None:
    """Maps question_id to its items; None if there is no such file, as for the test splits."""
    found_files = (f for b in _ANNOTATIONS for f in named(questions.parent / b, name))
    file = next(found_files, None)
    if file is None:
        return None
    found: dict[int, dict[str, Any]] = {}
    for number, row in enumerate(column(read_json(file), "annotations", list, str(file))):
        source = f"{file}:annotations[{number}]"
        try:
            answers = column(row, "answers", list, source)
            found[column(row, "question_id", int, source)] = {
                "answer": column(row, "multiple_choice_answer", str, source),
                "answers": [column(answer, "answer", str, source) for answer in answers],
                "type": row.get("answer_type"),
                "question_type": row.get("question_type"),
            }
        except DataError as error:
            on_error(error)
    return found


def _picture(image_id: Any, subset: str) -> str:
    number = f"{image_id:012d}" if isinstance(image_id, int) else str(image_id)
    return f"COCO_{subset}_{number}.jpg"
