"""Answer classification against scikit-learn and numbers computed by hand."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from weft.architectures.model import Model
from weft.core.errors import DataError, WeftError
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.answers import normalised, soft_score
from weft.data.columns import ModalitySource
from weft.data.learned import Learned
from weft.data.targets.classes import ClassesConfig
from weft.decoders.classifier import ClassifierConfig
from weft.decoders.generation import GenerationConfig
from weft.decoders.text import TransformerDecoderConfig
from weft.fusion.late import LateConfig
from weft.heads.classes import ClassOutput
from weft.heads.head import Head
from weft.heads.texts import TextOutput
from weft.inference.config import InferenceConfig
from weft.inference.member import Entry, Member
from weft.inference.predict import predict
from weft.inference.rows import Reading, read_rows
from weft.modalities.text import TextConfig
from weft.objectives.captioning import CaptioningConfig
from weft.tasks._accuracy import Expected
from weft.tasks.classification import ClassificationTaskConfig
from weft.tasks.vqa import VQAConfig
from weft.training.streams import Streams

ANSWERS = ("blue", "no", "red", "yes")
WRITTEN = TextOutput("answer", GenerationConfig(max_length=10))
ROWS = InferenceConfig(batch_size=7, workers=0)


def questions(count: int, split: str = "test", seed: int = 0) -> list[Sample]:
    """Three questions a picture; an answer is what the picture's number and the words say."""
    random = np.random.default_rng(seed)
    pictures = random.integers(0, 256, (count, 2, 2, 3), dtype=np.uint8)
    rows = []
    for n in range(count):
        for k in range(3):
            answer = ANSWERS[(n + k) % 4] if n else "green"
            items = {
                "image": Media.array_of(pictures[n], "image"),
                "question": f"{k + 1} {n % 2}",
                "answer": answer,
                "type": "color" if answer in ("red", "blue", "green") else "truth",
                "split": split,
            }
            rows.append(
                Sample(f"{split}{n}-{k}", f"{split}{n}", items, f"made.jsonl:{3 * n + k + 1}")
            )
    return rows


class Counted(nn.Module):
    """How often it ran."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part, self.dim, self.calls = part, part.dim, 0

    def forward(self, field):
        self.calls += 1
        return self.part(field)


@pytest.fixture
def asked(world) -> SimpleNamespace:
    """A random model over pictures and questions."""
    w = world(images=4)
    torch.manual_seed(0)
    known = w.member()
    encoders = {
        "image": Counted(known.model.encoders["image"]),
        "question": Counted(known.model.encoders["text"]),
    }
    widths = {name: encoder.dim for name, encoder in encoders.items()}
    model = Model(
        encoders,
        fusion=LateConfig(widths, dim=8, combine="product").build(),
        heads={"answer": Head(ClassifierConfig(8, classes=6).build(), ClassOutput("answer"))},
    ).eval()
    target = ClassesConfig("answer").build()
    target.fit(ANSWERS)
    modalities = {"image": known.modalities["image"], "question": known.modalities["text"]}

    def member(rows, training=None, model=model) -> Member:
        sources = {s: ModalitySource(rows, s, m) for s, m in modalities.items()}
        return Member(model, sources, Learned(modalities, {"answer": target}), training)

    def logits(rows, partner=None) -> torch.Tensor:
        """Row by row; the picture is that of row partner(n) of its batch of seven."""
        found = []
        for n, row in enumerate(rows):
            picture = rows[n if partner is None else partner(n)].items["image"]
            image, text = modalities["image"], modalities["question"]
            fields = {
                "image": image.collate([image.decode(picture).contiguous()]),
                "question": text.collate(
                    [text.transform(row.items["question"], train=False, generator=None)]
                ),
            }
            fused = model.fuse({s: model.encode(s, f) for s, f in fields.items()})
            found.append(model.decode("answer", fused)[:, :4])
        return torch.cat(found).detach()

    return SimpleNamespace(member=member, logits=logits, model=model)


def test_numbers_are_those_of_scikit_learn(asked) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rows = questions(9)
    result = VQAConfig(resamples=100, inference=ROWS).build().evaluate([asked.member(rows)], rows)
    said = [ANSWERS[place] for place in asked.logits(rows).argmax(1).tolist()]
    right = [row.items["answer"] for row in rows]
    accuracy = result.metrics["accuracy"]
    assert accuracy.value == pytest.approx(100 * metrics.accuracy_score(right, said))
    assert accuracy.low < accuracy.value < accuracy.high
    assert result.metrics["macro_f1"].value == pytest.approx(
        100 * metrics.f1_score(right, said, average="macro", zero_division=0)
    )
    for kind in ("color", "truth"):
        of = [n for n, row in enumerate(rows) if row.items["type"] == kind]
        expected = 100 * np.mean([said[n] == right[n] for n in of])
        assert result.metrics[f"type/{kind}/accuracy"].value == pytest.approx(expected)
    values = result.values["accuracy"]
    assert values.values.tolist() == [100.0 * (a == b) for a, b in zip(said, right, strict=True)]
    assert len(values.groups.unique()) == 9
    assert result.protocol["questions"] == 27
    assert result.protocol["images"] == 9
    assert result.protocol["answers_not_known"] == 3  # green was never learned


def test_baselines_learn_from_the_training_rows(asked) -> None:
    rows, training = questions(9), questions(40, "train", seed=1)
    rows.append(
        dataclasses.replace(rows[-1], id="new", items={**rows[-1].items, "question": "3 3 3"})
    )
    result = (
        VQAConfig(resamples=20, inference=ROWS)
        .build()
        .evaluate([asked.member(rows, training)], rows)
    )
    answers = [row.items["answer"] for row in training]
    best = min(set(answers), key=lambda answer: (-answers.count(answer), answer))
    right = [row.items["answer"] for row in rows]
    expected = 100 * np.mean([one == best for one in right])
    assert result.baselines["majority"]["accuracy"] == pytest.approx(expected)
    guesses = []
    for row in rows:
        same = [t.items["answer"] for t in training if t.items["question"] == row.items["question"]]
        guesses.append(min(set(same), key=lambda a: (-same.count(a), a)) if same else best)
    expected = 100 * np.mean([a == b for a, b in zip(guesses, right, strict=True)])
    assert result.baselines["question alone"]["accuracy"] == pytest.approx(expected)
    assert result.protocol["questions_not_in_training"] == 1
    assert (
        "question alone"
        not in VQAConfig(resamples=20, inference=ROWS)
        .build()
        .evaluate([asked.member(rows)], rows)
        .baselines
    )


def test_the_picture_of_another_row_by_one_encoding_of_each(asked) -> None:
    rows = questions(7)
    result = VQAConfig(resamples=20, inference=ROWS).build().evaluate([asked.member(rows)], rows)

    def partner(n: int) -> int:
        return n - n % 7 + (n % 7 + 3) % 7

    said = [ANSWERS[place] for place in asked.logits(rows, partner).argmax(1).tolist()]
    expected = 100 * np.mean([a == r.items["answer"] for a, r in zip(said, rows, strict=True)])
    assert result.baselines["image of another"]["accuracy"] == pytest.approx(expected)
    assert set(result.baselines) == {"majority", "image of another", "question of another"}
    assert asked.model.encoders["image"].calls == asked.model.encoders["question"].calls == 3 + 21


def test_ten_answers_give_the_soft_accuracy(asked) -> None:
    rows = [
        dataclasses.replace(
            row, items={**row.items, "answers": ["Yes."] * (n % 5) + ["No"] * 3 + ["?"] * 7}
        )
        for n, row in enumerate(questions(8))
    ]
    result = VQAConfig(resamples=20, inference=ROWS).build().evaluate([asked.member(rows)], rows)
    said = [ANSWERS[place] for place in asked.logits(rows).argmax(1).tolist()]
    scores = [soft_score(a, row.items["answers"]) for a, row in zip(said, rows, strict=True)]
    assert result.metrics["soft_accuracy"].value == pytest.approx(100 * np.mean(scores))
    assert next(iter(result.metrics)) == "soft_accuracy"
    assert "accuracy" in result.metrics
    assert "type/color/soft_accuracy" in result.metrics


def test_some_right_and_some_wrong_are_shown(asked) -> None:
    rows = questions(9)
    config = VQAConfig(resamples=20, inference=ROWS, examples=6)
    result = config.build().evaluate([asked.member(rows)], rows)
    shown = result.predictions
    assert [one.right for one in shown] == [True] * 3 + [False] * 3
    logits = asked.logits(rows)
    for one in shown:
        assert [item.stream for item in one.inputs] == ["image", "question"]
        row = one.inputs[0].row
        assert one.inputs[1] == Entry("question", row)
        assert one.expected == (rows[row].items["answer"],)
        assert one.predicted == ANSWERS[int(logits[row].argmax())]
        assert one.right == (one.predicted == one.expected[0])
        assert one.score == pytest.approx(float(logits[row].softmax(0).max()), abs=1e-5)
        assert len(one.others) == 3
    sure = [one.score for one in result.worst]
    assert sure == sorted(sure, reverse=True)
    assert sure[0] >= max(one.score for one in shown if not one.right)
    assert all(one.predicted != one.expected[0] for one in result.worst)


def test_an_ensemble_averages_probabilities(asked) -> None:
    rows = questions(6)
    alone = VQAConfig(resamples=20, inference=ROWS).build().evaluate([asked.member(rows)], rows)
    twice = VQAConfig(resamples=20, inference=ROWS).build().evaluate([asked.member(rows)] * 2, rows)
    assert twice.protocol["models"] == 2
    assert twice.metrics == alone.metrics
    other = asked.member(rows)
    other.targets["answer"].restore({"classes": ["x"]})
    strange = ClassesConfig("answer").build()
    strange.restore({"classes": ["y", "z"]})
    known = asked.member(rows)
    third = dataclasses.replace(known, learned=Learned(known.modalities, {"answer": strange}))
    with pytest.raises(WeftError, match="have 1 and 2 classes of 'answer', expected the same"):
        VQAConfig(inference=ROWS).build().evaluate([other, third], rows)


def test_a_row_without_what_is_needed(asked) -> None:
    rows = questions(3)
    del rows[4].items["answer"]
    with pytest.raises(DataError, match=r"made.jsonl:5: has no 'answer'"):
        VQAConfig(inference=ROWS).build().evaluate([asked.member(rows)], rows)
    with pytest.raises(WeftError, match="unknown head of the model 'reply'"):
        VQAConfig(head="reply").build().evaluate([asked.member(rows)], rows)


def test_labels_of_any_kind(asked) -> None:
    rows = questions(9)[3:]
    config = ClassificationTaskConfig("answer", resamples=20, inference=ROWS)
    result = config.build().evaluate([asked.member(rows)], rows)
    assert result.task == "classification"
    said = [ANSWERS[place] for place in asked.logits(rows).argmax(1).tolist()]
    right = [row.items["answer"] for row in rows]
    same = [a == b for a, b in zip(said, right, strict=True)]
    assert result.metrics["accuracy"].value == pytest.approx(100 * np.mean(same))
    of = [n for n, one in enumerate(right) if one == "red"]
    expected = 100 * np.mean([same[n] for n in of])
    assert result.metrics["class/red/accuracy"].value == pytest.approx(expected)
    assert result.baselines["chance"] == {"accuracy": 25}
    assert result.baselines["majority"]["accuracy"] == pytest.approx(
        100 * max(map(right.count, right)) / len(right)
    )


def test_written_answers_are_compared_in_one_spelling(asked) -> None:
    """A decoder that has learned to write the answers by heart, and one that has not."""
    rows = [
        dataclasses.replace(
            row, items={**row.items, "answer": f"The {row.items['answer'].upper()}."}
        )
        for row in questions(4)
    ]
    text = TextConfig(vocab_size=300, max_length=8).build()
    text.fit([" ".join(("the", answer)) for answer in (*ANSWERS, "green")] * 3)
    torch.manual_seed(0)
    decoder = TransformerDecoderConfig(300, 8, dim=16, depth=1, heads=2, max_length=8).build()
    model = Model(
        dict(asked.model.encoders), asked.model.fusion, heads={"answer": Head(decoder, WRITTEN)}
    )
    member = asked.member(rows, questions(5, "train"), model=model)
    member = dataclasses.replace(
        member, learned=Learned({**member.modalities, "answer": text}, member.targets)
    )
    task = VQAConfig(resamples=20, inference=ROWS).build()
    untrained = task.evaluate([member], rows)
    assert untrained.metrics["accuracy"].value < 60
    assert untrained.baselines["question alone"].keys() == untrained.metrics.keys()
    said = predict([member], rows, "answer", ROWS).said
    assert len(said) == len(rows)
    right = [normalised(said[n]) == normalised(row.items["answer"]) for n, row in enumerate(rows)]
    assert untrained.values["accuracy"].values.tolist() == [100.0 * one for one in right]
    calibrated = untrained.diagnostics.reliability
    assert calibrated is not None
    assert calibrated.of == "the whole answer"
    assert sum(one.count for one in calibrated.bins) == len(rows)
    assert all(0 < one.confidence <= 1 for one in calibrated.bins)
    sure = [one.score or 0 for one in untrained.worst]
    assert sure == sorted(sure, reverse=True)
    assert not any(one.right for one in untrained.worst)
    together = task.evaluate([member, member], rows)  # of two equal models each says the same
    assert together.values["accuracy"].values.tolist() == [100.0 * one for one in right]
    classifier = Model(
        dict(asked.model.encoders),
        asked.model.fusion,
        heads={"answer": Head(ClassifierConfig(8, classes=6).build(), WRITTEN)},
    )
    with pytest.raises(WeftError, match="is a Classifier, expected one that writes text"):
        task.evaluate([dataclasses.replace(member, model=classifier)], rows)


def test_a_decoder_learns_to_write_answers(asked) -> None:
    rows = questions(4)
    text = TextConfig(vocab_size=300, max_length=6).build()
    text.fit([row.items["answer"] for row in rows] * 3)
    torch.manual_seed(0)
    decoder = TransformerDecoderConfig(300, 8, dim=32, depth=1, heads=2, max_length=6).build()
    model = Model(
        dict(asked.model.encoders), asked.model.fusion, heads={"answer": Head(decoder, WRITTEN)}
    )
    member = asked.member(rows, model=model)
    member = dataclasses.replace(
        member, learned=Learned({**member.modalities, "answer": text}, member.targets)
    )
    sources = {
        **{name: member.sources[name] for name in ("image", "question")},
        "answer": ModalitySource(rows, "answer", text),
    }
    (read,) = read_rows([Reading(sources)], rows, InferenceConfig(workers=0))
    batch = read.batches[0]
    objective = CaptioningConfig("answer").build()
    optimizer = torch.optim.Adam([*decoder.parameters(), *model.fusion.parameters()], lr=0.01)
    for _ in range(150):
        loss = objective(model, batch, Streams(model, batch)).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    result = VQAConfig(resamples=20, inference=ROWS).build().evaluate([member], rows)
    assert result.metrics["accuracy"].value == 100
    assert result.predictions[0].predicted == result.predictions[0].expected[0]


def test_names_of_classes_stay_as_they_are() -> None:
    """Also those that hold a slash, or the word that kinds of questions have."""
    names = ["prototype/a", "type/b", "n/a"]
    expected = Expected(answers=["yes", "no", "yes"], kinds=names, kind="class")
    found = expected.means(["yes", "yes", "yes"])
    assert {k: round(v) for k, v in found.items()} == {
        "accuracy": 67,
        "class/prototype/a/accuracy": 100,
        "class/type/b/accuracy": 0,
        "class/n/a/accuracy": 100,
    }
