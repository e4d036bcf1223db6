"""Shared by the published sets of questions about pictures: makes one sample a question."""

from typing import Any

from weft.core.errors import DataError
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.formats._rows import split_name


def question_sample(
    identity: str,
    group: str,
    image: Media,
    question: str,
    split: str | None,
    source: str,
    **others: Any,
) -> Sample:
    """Makes the sample of one question about the picture `group`, with those of `others` (answer, answers, type, ...)
    that are not None. Raises DataError for an empty question."""
    if not question.strip():
        raise DataError("the question is empty", source=source)
    items: dict[str, Any] = {"image": image, "question": question.strip()}
    items |= {name: value for name, value in others.items() if value is not None}
    if split is not None:
        items["split"] = split_name(split)
    return Sample(identity, group, items, source)
