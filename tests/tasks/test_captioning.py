"""Captioning: a decoder whose captions are known, against the metrics of those captions."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from weft.architectures.model import Model
from weft.core.errors import WeftError
from weft.core.media import Alternatives
from weft.core.records import Features, Field
from weft.core.samples import Sample
from weft.data.columns import ModalitySource
from weft.data.learned import Learned
from weft.data.policy import ErrorPolicy
from weft.decoders.classifier import ClassifierConfig
from weft.decoders.generation import GenerationConfig
from weft.evaluation.caption_tokens import characters
from weft.evaluation.captions import evaluate, leave_one_out, score
from weft.heads.head import Head, HeadConfig
from weft.heads.texts import TextOutput
from weft.inference.config import InferenceConfig
from weft.inference.member import Member
from weft.modalities.text import TextConfig
from weft.tasks.captioning import METRICS, CaptioningTaskConfig

SAID = ["a dog runs", "two dogs run fast .", "a cat sits on a mat", "the sun"]
OTHERS = ["a black dog runs", "two brown dogs run", "one cat on the mat", "the sun shines"]
GREEDY = GenerationConfig(max_length=9)
SETTINGS = CaptioningTaskConfig(resamples=50, meteor=False)
OUTPUT = TextOutput(generation=GREEDY)


class Number(nn.Module):
    """A picture's first pixel is its number."""

    dim = 1

    def forward(self, field: Field) -> Features:
        pooled = field.values[:, :1, 0, 0].float()
        return Features(pooled[:, None], torch.ones(len(pooled), 1, dtype=torch.bool), pooled)


class Reciting(nn.Module):
    """Says text number n of picture number n with probability `sure` a token."""

    max_length = 9

    def __init__(self, texts: list[list[int]], vocabulary: int, sure: float = 1.0) -> None:
        super().__init__()
        self.texts, self.vocabulary, self.sure = texts, vocabulary, sure

    def forward(self, context, prefix=None):
        raise NotImplementedError

    hidden = logits = forward

    def start(self, context, texts, longest):
        numbers = context.pooled[:, 0].long().repeat_interleave(texts)
        return Place(numbers, 0)

    def step(self, ids_R, state):
        state.place += 1
        rest = (1 - self.sure) / (self.vocabulary - 1)
        logits = torch.full((len(state.numbers), self.vocabulary), rest)
        for row, number in enumerate(state.numbers.tolist()):
            text = self.texts[number]
            logits[row, text[min(state.place, len(text) - 1)]] = self.sure
        return (logits + 1e-6).log()


class Place:
    def __init__(self, numbers, place):
        self.numbers, self.place = numbers, place

    def take(self, rows):
        return Place(self.numbers[rows], self.place)


class Pictures:
    """View 1 shows the picture with the next number."""

    views = 2

    def decode(self, raw):
        if not isinstance(raw, int):
            raise WeftError("is not a picture")
        return torch.full((1, 1, 1), raw)

    def transform(self, item, *, train, generator, view=0):
        return (item + view) % len(SAID)

    def collate(self, items):
        return Field(torch.stack(list(items)))


def rows(**changes) -> list[Sample]:
    return [
        Sample(
            id=f"row{n}",
            group=f"group{n}",
            items={
                "image": n,
                "text": Alternatives([SAID[n], OTHERS[n]]),
                "split": "test",
                **changes,
            },
            source=f"made.jsonl:{n + 1}",
        )
        for n in range(len(SAID))
    ]


def vocabulary():
    text = TextConfig(kind="word", min_frequency=1).build()
    text.fit([Alternatives([*SAID, *OTHERS])])
    return text


def head(decoder, **changes) -> Head:
    return Head(decoder, **{"output": OUTPUT, "context": "image", **changes})


def member(dataset, texts=SAID, sure: float = 1.0, **changes) -> Member:
    text = vocabulary()
    decoder = Reciting([text.encode(one) for one in texts], text.vocab_size, sure)
    modalities = {"image": Pictures(), "text": text}
    sources = {name: ModalitySource(dataset, name, part) for name, part in modalities.items()}
    model = Model({"image": Number()}, heads={"caption": head(decoder, **changes)})
    return Member(model, sources, Learned(modalities))


def percent(found: dict[str, float]) -> dict[str, float]:
    return {METRICS[name].name: pytest.approx(100 * value) for name, value in found.items()}


def test_metrics_are_those_of_what_is_said() -> None:
    dataset = rows()
    result = SETTINGS.build().evaluate([member(dataset, OTHERS)], dataset)
    references = {f"group{n}": [SAID[n], OTHERS[n]] for n in range(4)}
    candidates = {f"group{n}": OTHERS[n] for n in range(4)}
    assert {n: e.value for n, e in result.metrics.items()} == percent(score(candidates, references))
    assert all(
        e.low <= e.value + 1e-9 and e.value <= e.high + 1e-9 for e in result.metrics.values()
    )
    assert result.baselines["person"] == percent(leave_one_out(references))
    assert "one sentence" not in result.baselines
    assert "not available" in result.protocol["one sentence"]
    each = evaluate(candidates, references).cider
    np.testing.assert_allclose(result.values["CIDEr-D"].values, 100 * each)
    assert result.protocol["split"] == "test"
    assert (result.protocol["captions"], result.protocol["references"]) == (4, 8)


def test_the_one_sentence_is_the_commonest_of_training() -> None:
    """Chosen among the captions that are measured it would know the answers."""
    dataset, trained = rows(), ["a cat sits", "A cat, sits.", SAID[0], 3, None]
    training = [
        Sample(f"t{n}", f"t{n}", {"image": n, "text": text}, f"made:{n}")
        for n, text in enumerate([*trained, ["a cat sits", "a cat"]])
    ]
    known = replace(member(dataset), training=training)
    result = SETTINGS.build().evaluate([known], dataset)
    references = {f"group{n}": [SAID[n], OTHERS[n]] for n in range(4)}
    sentence = dict.fromkeys(references, "a cat sits")
    assert result.baselines["one sentence"] == percent(score(sentence, references))
    assert "training rows" in result.protocol["one sentence"]


def test_predictions_show_the_picture_what_was_said_and_what_people_said() -> None:
    dataset = rows()
    result = SETTINGS.replace(examples=3).build().evaluate([member(dataset)], dataset)
    assert len(result.predictions) == 3
    scores = [one.score for one in result.worst]
    assert len(scores) == 4
    assert scores == sorted(scores)
    for prediction in result.predictions:
        (item,) = prediction.inputs
        assert (item.stream, prediction.right) == ("image", None)
        assert prediction.predicted == SAID[item.row]
        assert prediction.expected == (SAID[item.row], OTHERS[item.row])
        assert prediction.score > 0


def test_rows_of_one_group_share_their_references_and_one_caption() -> None:
    pairs = [
        Sample(f"{n}-{k}", f"group{n}", {"image": n, "text": text}, f"made:{n}")
        for n in range(4)
        for k, text in enumerate((SAID[n], OTHERS[n]))
    ]
    together = SETTINGS.build().evaluate([member(pairs)], pairs)
    lists = SETTINGS.build().evaluate([member(rows())], rows())
    assert together.metrics == lists.metrics
    assert together.protocol["captions"] == 4


def test_pictures_of_one_group_have_references_of_their_own() -> None:
    """The reports of one patient describe different pictures; her pictures are not independent."""
    patients = [
        replace(row, group=f"patient{n // 2}", match=row.group) for n, row in enumerate(rows())
    ]
    together = SETTINGS.build().evaluate([member(patients)], patients)
    alone = SETTINGS.build().evaluate([member(rows())], rows())
    assert together.protocol["captions"] == 4
    assert {k: m.value for k, m in together.metrics.items()} == {
        k: m.value for k, m in alone.metrics.items()
    }
    assert len(together.values["CIDEr-D"].groups.unique()) == 2


def test_only_the_first_rows_where_a_limit_says_so() -> None:
    dataset = rows()
    result = SETTINGS.replace(limit=2).build().evaluate([member(dataset)], dataset)
    assert result.protocol["captions"] == 2


def test_views_and_models_write_together() -> None:
    dataset = rows()
    task = SETTINGS.replace(examples=4)

    def said(members) -> list[str]:
        found = task.build().evaluate(members, dataset).predictions
        return [p.predicted for p in sorted(found, key=lambda p: p.inputs[0].row)]

    # The surer of two decides.
    assert said([member(dataset, OTHERS, 0.6), member(dataset, SAID, 0.9)]) == SAID
    assert said([member(dataset, OTHERS, 0.9), member(dataset, SAID, 0.6)]) == OTHERS
    # Both views are equally sure; only where they agree is there no choice.
    turned = SAID[1:] + SAID[:1]
    for one, first, second in zip(said([member(dataset, views=2)]), SAID, turned, strict=True):
        assert one.split()[0] in (first.split()[0], second.split()[0])


def test_characters_of_chinese() -> None:
    dataset = [
        Sample("a", "a", {"image": 0, "text": Alternatives(["两 只 狗", "两只狗打架"])}, "made:1"),
        Sample("b", "b", {"image": 1, "text": Alternatives(["猫", "一只猫"])}, "made:2"),
    ]
    text = TextConfig(vocab_size=300).build()
    text.fit([Alternatives(["两只狗打架", "一只猫"])])
    decoder = Reciting([text.encode("两只狗"), text.encode("猫")], text.vocab_size)
    modalities = {"image": Pictures(), "text": text}
    sources = {name: ModalitySource(dataset, name, part) for name, part in modalities.items()}
    model = Model({"image": Number()}, heads={"caption": head(decoder)})
    task = SETTINGS.replace(unit="character").build()
    result = task.evaluate([Member(model, sources, Learned(modalities))], dataset)
    references = {row.id: row.items["text"] for row in dataset}
    expected = score({"a": "两只狗", "b": "猫"}, references, characters)
    assert {n: e.value for n, e in result.metrics.items()} == percent(expected)


def test_an_unreadable_picture_is_counted_or_stops() -> None:
    dataset = rows()
    dataset[1] = Sample("row1", "group1", {**dataset[1].items, "image": "broken"}, "made.jsonl:2")
    with pytest.raises(WeftError, match="made.jsonl:2: is not a picture"):
        SETTINGS.build().evaluate([member(dataset)], dataset)
    task = SETTINGS.replace(inference=InferenceConfig(errors=ErrorPolicy("skip", limit=1.0)))
    result = task.build().evaluate([member(dataset)], dataset)
    assert (result.protocol["captions"], result.protocol["left_out_unreadable"]) == (3, 1)


def test_what_cannot_be_measured_is_said() -> None:
    dataset = rows()
    task = SETTINGS.build()
    with pytest.raises(WeftError, match="no row has 'text'"):
        task.evaluate([member(dataset)], rows(text=None))
    with pytest.raises(WeftError, match="no stream of texts 'words', the run has: image, text"):
        task.evaluate([member(dataset, output=TextOutput("words"))], dataset)
    with pytest.raises(WeftError, match="unknown context of head 'caption' 'joint'"):
        task.evaluate([member(dataset, context="joint")], dataset)
    with pytest.raises(WeftError, match="unknown head of the model 'poem': known: caption"):
        SETTINGS.replace(head="poem").build().evaluate([member(dataset)], dataset)
    other = member(dataset)
    other.model.heads["caption"] = head(ClassifierConfig(1, 2).build())
    with pytest.raises(WeftError, match="the decoder is a Classifier, expected one that writes"):
        task.evaluate([other], dataset)
    stranger = member(dataset)
    stranger.modalities["text"].fit(["other words"])
    with pytest.raises(WeftError, match="different vocabularies"):
        task.evaluate([member(dataset), stranger], dataset)
    with pytest.raises(ValueError, match="no members"):
        task.evaluate([], dataset)
    with pytest.raises(ValueError, match="views is 0"):
        HeadConfig(ClassifierConfig(1, 2), OUTPUT, views=0)
    for change in ({"resamples": 0}, {"limit": 0}, {"examples": -1}):
        with pytest.raises(ValueError, match="expected at least"):
            SETTINGS.replace(**change)
