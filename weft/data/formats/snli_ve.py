"""SNLI-VE (Xie et al. 2019, arXiv:1901.06706): does a sentence follow from a picture of Flickr30k?

snli_ve_train.jsonl, snli_ve_dev.jsonl, snli_ve_test.jsonl, with the pictures in flickr30k_images/ or
flickr30k-images/ beside them.
"""

import fnmatch
from pathlib import Path
from typing import Any

from weft.core.errors import DataError
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.formats._captions import column, pictures_of
from weft.data.formats._files import json_objects, named
from weft.data.formats._rows import OnError, UniqueIds, known_split, split_name

NAME = "snli_ve"
DESCRIPTION = (
    "SNLI-VE: snli_ve_train.jsonl (Flickr30K_ID, sentence2, gold_label), flickr30k_images/"
)
_STEM = "snli_ve_"
_FILES = f"{_STEM}*.jsonl"


def detect(path: Path) -> bool:
    return bool(_files(path))


def read(path: Path, on_error: OnError) -> list[Sample]:
    """One sample a sentence: text is the hypothesis, label entailment, neutral or contradiction.

    premise is the caption that SNLI used instead of the picture. The group is the picture.
    """
    ids = UniqueIds()
    return [s for file in _files(path) for s in _read_file(file, ids, on_error)]


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if fnmatch.fnmatchcase(path.name.lower(), _FILES) else []
    return named(path, _FILES)


def _read_file(file: Path, ids: UniqueIds, on_error: OnError) -> list[Sample]:
    split = known_split(file.stem[len(_STEM) :])
    rows = list(json_objects(file, on_error))
    names = [f"{row.get('Flickr30K_ID')}.jpg" for _, row in rows]
    folder = pictures_of(file.parent, names)
    samples: list[Sample] = []
    for source, row in rows:
        try:
            sample = _sample(row, folder, split, source)
            ids.claim(sample.id, source)
            samples.append(sample)
        except DataError as error:
            on_error(error)
    return samples


def _sample(row: dict[str, Any], folder: Path, split: str | None, source: str) -> Sample:
    picture = f"{column(row, 'Flickr30K_ID', object, source)}.jpg"
    hypothesis = column(row, "sentence2", str, source).strip()
    if not hypothesis:
        raise DataError("the sentence is empty", source=source)
    items = {
        "image": Media.file(folder / picture, "image", folder=folder),
        "text": hypothesis,
        "label": column(row, "gold_label", str, source),
    }
    if isinstance(row.get("sentence1"), str):
        items["premise"] = row["sentence1"].strip()
    if split is not None:
        items["split"] = split_name(split)
    return Sample(str(column(row, "pairID", object, source)), picture, items, source)
