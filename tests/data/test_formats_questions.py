"""The layouts in which sets of questions about pictures are passed on, made in small."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layouts import errors_of, touch, write
from PIL import Image

from weft.core.errors import DataError, WeftError
from weft.core.media import Media
from weft.data.formats import missing_files, open_dataset
from weft.data.sources import FilesConfig


def vqa(root: Path, subset: str, questions: list[tuple[int, int, str]], answers: bool) -> Path:
    """(question_id, image_id, question) rows as the organisers write them."""
    head = {
        "info": {"description": "This is v2.0 of the VQA dataset.", "version": "2.0"},
        "data_type": "mscoco",
        "data_subtype": subset,
        "license": {"url": "http://creativecommons.org/licenses/by/4.0/"},
    }
    rows = [{"image_id": i, "question": q, "question_id": n} for n, i, q in questions]
    write(
        root / f"v2_OpenEnded_mscoco_{subset}_questions.json",
        {**head, "task_type": "Open-Ended", "questions": rows},
    )
    annotations = [
        {
            "question_type": "what is this",
            "multiple_choice_answer": "net",
            "answers": [
                {"answer": word, "answer_confidence": "maybe", "answer_id": k}
                for k, word in enumerate(["net"] * 7 + ["a net", "mesh", "Yes"], start=1)
            ],
            "image_id": i,
            "answer_type": "other",
            "question_id": n,
        }
        for n, i, _ in questions
    ]
    if answers:
        write(
            root / f"v2_mscoco_{subset}_annotations.json",
            {**head, "annotations": annotations[::-1]},
        )
    return root


def test_vqa_v2(tmp_path: Path) -> None:
    asked = [(458752000, 458752, "What is this photo taken looking through?"), (9001, 9, "Why?")]
    vqa(tmp_path, "train2014", asked, answers=True)
    vqa(tmp_path, "val2014", [(42000, 42, "Is it a dog?")], answers=True)
    vqa(tmp_path, "test-dev2015", [(1000, 1, "How many?")], answers=False)
    touch(tmp_path / "train2014", *(f"COCO_train2014_{n:012d}.jpg" for n in (9, 458752)))
    touch(tmp_path / "val2014", "COCO_val2014_000000000042.jpg")
    touch(tmp_path / "test2015", "COCO_test2015_000000000001.jpg")
    write(tmp_path / "captions_val2017.txt", "another file")
    dataset = list(open_dataset(tmp_path))
    assert list(missing_files(dataset)) == []
    splits = Counter(s.items["split"] for s in dataset)
    assert splits == {"train": 2, "validation": 1, "test-dev": 1}
    first = open_dataset(tmp_path, split="train")[0]
    assert first.id == "458752000"
    assert first.group == "COCO_train2014_000000458752.jpg"
    assert first.items == {
        "image": Media.file(tmp_path / "train2014" / "COCO_train2014_000000458752.jpg"),
        "question": "What is this photo taken looking through?",
        "answer": "net",
        "answers": ["net"] * 7 + ["a net", "mesh", "Yes"],
        "type": "other",
        "question_type": "what is this",
        "split": "train",
    }
    file = tmp_path / "v2_OpenEnded_mscoco_train2014_questions.json"
    assert first.source == f"{file}:questions[0]"
    assert len(open_dataset(file)) == 2
    (test,) = open_dataset(tmp_path, split="test-dev")
    assert set(test.items) == {"image", "question", "split"}


def test_vqa_v2_with_questions_annotations_and_pictures_in_folders(tmp_path: Path) -> None:
    vqa(tmp_path, "val2014", [(42000, 42, "Is it a dog?")], answers=True)
    for kind in ("Questions", "Annotations"):
        (tmp_path / kind).mkdir()
        for file in tmp_path.glob(f"*_{kind.lower()}.json"):
            file.rename(tmp_path / kind / file.name)
    touch(tmp_path / "images" / "val2014", "COCO_val2014_000000000042.jpg")
    (sample,) = open_dataset(tmp_path)
    assert sample.items["answer"] == "net"
    assert list(missing_files([sample])) == []


def test_vqa_errors_name_the_question(tmp_path: Path) -> None:
    vqa(tmp_path, "train2014", [(1, 5, " "), (2, 5, "Who?"), (2, 6, "Who?")], answers=True)
    file = tmp_path / "v2_OpenEnded_mscoco_train2014_questions.json"
    content = json.loads(file.read_text())
    content["questions"] += [{"image_id": 3, "question_id": 9}]
    content["questions"] += [{"image_id": 3, "question_id": 8, "question": "Where?"}]
    write(file, content)
    assert errors_of(tmp_path) == [
        f"{file}:questions[0]: the question is empty",
        f"{file}:questions[2]: id '2' is already used at {file}:questions[1]",
        f"{file}:questions[3]: has no 'question', it has: image_id, question_id",
        f"{file}:questions[4]: question 8 has no annotation",
    ]


def snli_ve(label: str, pair: str, hypothesis: str) -> dict[str, Any]:
    return {
        "annotator_labels": [label, "neutral", label],
        "captionID": "4705552913.jpg#2",
        "gold_label": label,
        "pairID": pair,
        "sentence1": "Two women are embracing while holding to go packages.",
        "sentence2": hypothesis,
        "Flickr30K_ID": "4705552913",
    }


def test_snli_ve(tmp_path: Path) -> None:
    labels = ("neutral", "entailment", "contradiction")
    for split in ("train", "dev", "test"):
        rows = [snli_ve(one, f"{split}{one}", f"It is {one}.") for one in labels]
        write(tmp_path / f"snli_ve_{split}.jsonl", "\n".join(map(json.dumps, rows)) + "\n")
    touch(tmp_path / "flickr30k_images", "4705552913.jpg")
    dataset = list(open_dataset(tmp_path))
    assert list(missing_files(dataset)) == []
    assert [s.items["split"] for s in dataset] == ["validation"] * 3 + ["test"] * 3 + ["train"] * 3
    first = open_dataset(tmp_path, split="dev")[0]
    assert first.id == "devneutral"
    assert first.group == "4705552913.jpg"
    assert first.source == f"{tmp_path}/snli_ve_dev.jsonl:1"
    assert first.items == {
        "image": Media.file(tmp_path / "flickr30k_images" / "4705552913.jpg"),
        "text": "It is neutral.",
        "label": "neutral",
        "premise": "Two women are embracing while holding to go packages.",
        "split": "validation",
    }
    assert len(open_dataset(tmp_path / "snli_ve_test.jsonl", format="snli_ve")) == 3


def test_snli_ve_errors_name_the_line(tmp_path: Path) -> None:
    rows = [snli_ve("neutral", "a", " "), snli_ve("neutral", "b", "x"), {"pairID": "c"}]
    file = write(tmp_path / "snli_ve_dev.jsonl", "\n".join(map(json.dumps, rows)) + "\n{\n")
    assert errors_of(tmp_path) == [
        f"{file}:4: is not JSON: Expecting property name enclosed in double quotes: '{{'",
        f"{file}:1: the sentence is empty",
        f"{file}:3: has no 'Flickr30K_ID', it has: pairID",
    ]


def easy_vqa(root: Path, questions: list[Any]) -> Path:
    for split, count in (("train", 3), ("test", 2)):
        np.savez(root / f"{split}_images.npz", images=np.full((count, 8, 8, 3), 7, np.uint8))
        lines = questions if split == "train" else questions[:1]
        write(root / f"{split}_questions.jsonl", "\n".join(map(json.dumps, lines)) + "\n")
    write(root / "answers.json", ["yes", "no"])
    return root


def row(image: int, question: str = "is there a circle?", answer: str = "yes") -> dict[str, Any]:
    return {"image": image, "question": question, "answer": answer}


def test_easy_vqa_as_arrays(tmp_path: Path) -> None:
    easy_vqa(tmp_path, [row(0), row(2, "what color is it?", "red"), row(2)])
    dataset = list(open_dataset(tmp_path))
    assert [s.id for s in dataset] == ["train-0", "train-1", "train-2", "test-0"]
    assert [s.group for s in dataset] == ["train-0", "train-2", "train-2", "test-0"]
    assert dataset[1].items["image"] is dataset[2].items["image"]
    assert dataset[1].items["image"].array().shape == (8, 8, 3)
    assert (dataset[1].items["answer"], dataset[1].items["split"]) == ("red", "train")
    assert dataset[1].source == f"{tmp_path}/train_questions.jsonl:2"


def test_easy_vqa_errors_name_the_line(tmp_path: Path) -> None:
    easy_vqa(tmp_path, [row(0), row(3), row(1, " "), {"image": 1, "question": "?"}, row(-1)])
    table = tmp_path / "train_questions.jsonl"
    assert sorted(errors_of(tmp_path)) == [
        f"{table}:2: asks about picture 3, but there are pictures 0 to 2",
        f"{table}:3: the question is empty",
        f"{table}:4: has no 'answer', it has: image, question",
        f"{table}:5: asks about picture -1, but there are pictures 0 to 2",
    ]
    (tmp_path / "train_images.npz").write_bytes(b"not an archive")
    with pytest.raises(WeftError, match=r"train_images.npz: cannot be read as arrays"):
        open_dataset(tmp_path)
    np.savez(tmp_path / "train_images.npz", images=np.zeros((3, 8, 8)))
    with pytest.raises(WeftError, match=r"images is float64 \(3, 8, 8\), expected uint8"):
        open_dataset(tmp_path)


def test_easy_vqa_as_the_package_has_it(tmp_path: Path) -> None:
    for split, count in (("train", 2), ("test", 1)):
        entries = [["what shape is it?", "circle", n] for n in range(count)]
        write(tmp_path / split / "questions.json", entries)
        (tmp_path / split / "images").mkdir()
        for n in range(count):
            pixels = np.full((8, 8, 3), n, np.uint8)
            Image.fromarray(pixels).save(tmp_path / split / "images" / f"{n}.png")
    dataset = list(open_dataset(tmp_path))
    assert [s.group for s in dataset] == ["train-0", "train-1", "test-0"]
    assert list(missing_files(dataset)) == []
    write(tmp_path / "test" / "questions.json", [["?", "yes"]])
    with pytest.raises(DataError, match=r"\[0\]: is \['\?', 'yes'\], expected \[question, answer"):
        open_dataset(tmp_path)


def test_the_real_easy_vqa_is_divided_by_picture(shared_data: Callable[[str], Path]) -> None:
    source = FilesConfig(shared_data("easy_vqa"))
    train, validation, test = (list(source.open(s)) for s in ("train", "val", "test"))
    assert len(train) + len(validation) == 38575
    assert len(test) == 9673
    groups = [{s.group for s in split} for split in (train, validation, test)]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 5000
    assert 300 < len(groups[1]) < 500
    assert {s.items["split"] for s in validation} == {"validation"}
