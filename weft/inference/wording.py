"""Words for the short names in results: the protocol and the baselines."""

from weft.core.naming import plain

OF_ANOTHER = " of another"
"""Suffix of the name of a baseline: the model itself with a stream of another row."""
IN_RANDOM_ORDER = " in random order"
"""Suffix of the name of a baseline: the model itself with the frames of a video in random order."""
EMBEDDED = "embedded_"
"""Prefix of the name of the number of embedded entries of a stream, which ends with an s: `embedded_text_zhs`."""
PERSON, HALVES = "person", "half of the real ones"
REAL, ORIGINAL = "real ones", "real ones, original"
"""Real values in the form that the generating model reads and shows, at its size and through its vocoder; and as
they are stored.
"""
BIASED = " (biased: few rows)"
"""Suffix of an entry of a protocol: rows that are too few for an unbiased metric."""
HOPED = (PERSON, HALVES, REAL, ORIGINAL)
"""Baselines that are upper references, not numbers to exceed: a person, real values."""

PROTOCOL = {
    "answers_known": "answers the model can give",
    "answers_not_known": "rows whose answer the model cannot give",
    "labels_not_known": "rows whose label the model cannot give",
    "questions_not_in_training": "questions that no training row asks",
    "answers_not_among_candidates": "questions whose answer is none of the candidates",
    "questions_with_relevance": "questions with relevance judgments",
    "left_out_unreadable": "left out: cannot be read",
    "left_out_without_partner": "left out: nothing matches",
    "interval": "how intervals were computed",
    "constants": "constant guesses learned from",
    "averaged_over": "probabilities averaged over",
    "views": "views of each row",
    "threshold": "minimum probability of a predicted tag",
    "threshold_from": "split on which this threshold was chosen",
    "choices": "choices for each row",
    "generation": "how texts were written",
    "unit": "unit of a text",
}
BASELINES = {
    "majority": "always the most frequent answer",
    "question alone": "the question alone",
    "dual encoder": "before ranking again",
    "one sentence": "always the same sentence",
    "one transcript": "always the same transcript",
    "nothing": "an empty transcript",
    PERSON: "a person",
}
TASKS = {"vqa": "questions about pictures", "zero_shot": "zero-shot classification"}


def task_words(name: str) -> str:
    """The name of a task in words."""
    return TASKS.get(name, plain(name))


def protocol_words(name: str) -> str:
    """An entry of a result's protocol in words."""
    if name.startswith(EMBEDDED):
        return f"embedded {plain(name.removeprefix(EMBEDDED))}"
    return PROTOCOL.get(name, plain(name))


def baseline_words(name: str) -> str:
    """A baseline in words."""
    if name.endswith(OF_ANOTHER):
        return f"the model with the {plain(name.removesuffix(OF_ANOTHER))} of another row"
    if name.endswith(IN_RANDOM_ORDER):
        return f"the model with the frames of the {plain(name.removesuffix(IN_RANDOM_ORDER))} in random order"
    return BASELINES.get(name, plain(name))
