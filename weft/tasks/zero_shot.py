"""Zero-shot classification: a picture gets the class whose description is nearest."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.core.errors import DataError, WeftError, unknown_name
from weft.core.media import Alternatives
from weft.core.needs import Needs
from weft.core.samples import Sample
from weft.core.text import normalised, plural_of
from weft.data.columns import ModalitySource
from weft.data.formats import Dataset
from weft.evaluation.baselines import classification_baselines
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import Metric, Score, by_name
from weft.evaluation.ranking import (
    Ranks,
    Similarity,
    averaged,
    dot_product,
    rank_queries,
    right_and_wrong,
    top_k,
    worst_first,
)
from weft.inference.embedding import Embedded, embed_entries
from weft.inference.entries import list_entries
from weft.inference.member import Entry, Member, check_members
from weft.inference.results import Answer, Example, Queries, TaskResult
from weft.tasks._accuracy import ACCURACY, as_values
from weft.tasks._kinds import by_kind
from weft.tasks.base import WORST, TaskConfig, check_measures

EXAMPLE_ANSWERS = 5
WAY = "classification"

MACRO_ACCURACY = Metric("macro_accuracy")

TEMPLATES = (
    "a photo of a {}.",
    "a picture of a {}.",
    "a photo of one {}.",
    "a close view of a {}.",
    "a {} in the scene.",
    "there is a {}.",
)
SOUND_TEMPLATES = ("this is a sound of {}.", "a sound of {}.", "the sound of a {}.")


def accuracy_at(k: int) -> Metric:
    """The share of rows with the right class among the first k."""
    return Metric(f"accuracy@{k}", headline=k == 1, row_mean=True)


@dataclass(frozen=True)
class ZeroShotConfig(TaskConfig):
    """Classification by descriptions of the classes, without training on labels.

    image, text: streams. label: the column with the class name. classes: names in the order of the
    classifier; empty takes all labels of the data set. templates: sentences with {} for the name.
    ks: right if among the first k. examples: kept to be shown, half right and half wrong.
    """

    renamed_settings: ClassVar[Mapping[str, str]] = {"embedding": "inference"}

    image: str = "image"
    text: str = "text"
    label: str = "label"
    classes: tuple[str, ...] = ()
    templates: tuple[str, ...] = TEMPLATES
    ks: tuple[int, ...] = (1, 5)
    examples: int = field(default=8, kw_only=True)

    def __post_init__(self) -> None:
        wrong = [template for template in self.templates if "{}" not in template]
        if wrong or not self.templates:
            found = f"'{wrong[0]}'" if wrong else "no template"
            raise ValueError(f"templates has {found}, expected sentences with {{}} for the name")
        check_measures(self)

    @property
    def needs(self) -> Needs:
        return Needs(embeddings=(self.image, self.text))

    @property
    def embedded(self) -> tuple[str, ...]:
        return (self.image,)

    def build(self) -> "ZeroShot":
        return ZeroShot(self)


class ZeroShot:
    """accuracy@k, its mean over classes (macro), and each class's own.

    A class's weight vector is the normalised mean of its normalised sentence embeddings, one for
    each template (A. Radford et al., 2021, section 3.1.4).
    """

    name = "zero_shot"

    def __init__(self, config: ZeroShotConfig) -> None:
        self.config = config

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (*map(accuracy_at, self.config.ks), MACRO_ACCURACY, by_kind(ACCURACY, "class"))

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        """Evaluates one model, or the ensemble of several by the average of their similarities."""
        check_members(members)
        config = self.config
        bad = config.inference.errors.build(len(dataset))
        listed = list_entries(dataset, (config.image, config.label), bad).partnered()
        images = listed.entries[config.image]
        embedded = embed_entries(members, images, dataset, config.inference, bad, device)
        read = embedded.entries
        labels_of = {entry.row: _label(dataset[entry.row], config.label) for entry in read}
        classes = tuple(map(normalised, config.classes)) or tuple(sorted(set(labels_of.values())))
        labels = _places(read, labels_of, classes, dataset)
        similarity = self._similarity(members, embedded, classes, device)
        ranks = rank_queries(similarity, labels, torch.arange(len(classes)))
        groups = torch.tensor([listed.groups[entry.row] for entry in read])
        shown = functools.partial(self._examples, ranks, similarity, read, labels, classes)
        return TaskResult(
            task=self.name,
            protocol={
                **listed.protocol,
                plural_of(config.image): len(read),
                "classes": len(classes),
                "templates": len(config.templates),
                "models": len(members),
                "left_out_unreadable": len(images) - len(read),
                "interval": f"95% bootstrap over groups, {config.resamples} resamples",
            },
            metrics=self._scores(ranks, labels, groups, classes),
            baselines=self._baselines(labels, classes),
            leakage=leakage,
            queries={WAY: Queries(ranks.rank, groups)},
            values=as_values({accuracy_at(k): ranks.hits(k).double() for k in config.ks}, groups),
            examples={
                WAY: shown(right_and_wrong(ranks.rank, config.examples, config.seed)),
            },
            worst_examples={WAY: shown(worst_first(ranks.rank - 1, WORST))},
        )

    def _similarity(
        self,
        members: Sequence[Member],
        embedded: Embedded,
        classes: Sequence[str],
        device: torch.device | str,
    ) -> Similarity:
        pairs = [
            (vectors.to(device), self.class_vectors(member, classes, device))
            for member, vectors in zip(members, embedded.vectors, strict=True)
        ]
        return dot_product(*averaged(pairs))

    def class_vectors(
        self, member: Member, classes: Sequence[str], device: torch.device | str = "cpu"
    ) -> Tensor:
        """(C, E) unit vectors, one a class."""
        config = self.config
        if config.text not in member.modalities:
            raise ValueError(f"zero-shot classification needs the modality of '{config.text}'")
        rows = [
            Sample(
                name,
                name,
                {config.text: Alternatives(t.replace("{}", name) for t in config.templates)},
                name,
            )
            for name in classes
        ]
        source = ModalitySource(rows, config.text, member.modalities[config.text])
        entries = [
            Entry(config.text, row, view)
            for row in range(len(rows))
            for view in range(len(config.templates))
        ]
        bad = config.inference.errors.build(len(rows))
        reader = Member(member.model, {config.text: source})
        found = embed_entries([reader], entries, rows, config.inference, bad, device)
        vectors_CSE = found.vectors[0].view(len(classes), len(config.templates), -1)
        return F.normalize(vectors_CSE.mean(1), dim=-1).to(device)

    def _scores(
        self, ranks: Ranks, labels: Tensor, groups: Tensor, classes: Sequence[str]
    ) -> dict[str, Score]:
        config = self.config
        bootstrap = config.bootstrap(groups)
        found = [
            accuracy_at(k).score(bootstrap.proportion(ranks.hits(k), groups)) for k in config.ks
        ]
        present = torch.tensor(sorted(set(labels.tolist())))
        member_NC = (labels[:, None] == present).double()
        hits_NC = member_NC * ranks.hits(1)[:, None]
        by_class = bootstrap.ratios(hits_NC, member_NC, groups)
        macro = by_class[0]
        for statistic in by_class[1:]:
            macro = macro + statistic
        found.append(MACRO_ACCURACY.score((macro * (1 / len(by_class))).estimate()))
        for label in present.tolist():
            of = labels == label
            estimate = bootstrap.proportion(ranks.hits(1)[of], groups[of])
            found.append(by_kind(ACCURACY, "class").member(classes[label]).score(estimate))
        return by_name(found)

    def _baselines(self, labels: Tensor, classes: Sequence[str]) -> dict[str, dict[str, float]]:
        guesses = classification_baselines(labels, len(classes), self.config.ks)
        by_kind = {"chance": guesses.chance, "majority": guesses.majority}
        named = {
            kind: {(at := accuracy_at(k)).name: at.scale * share for k, share in shares.items()}
            for kind, shares in by_kind.items()
        }
        macro = MACRO_ACCURACY
        named["chance"][macro.name] = macro.scale / len(classes)
        named["majority"][macro.name] = macro.scale / len(set(labels.tolist()))
        return named

    def _examples(
        self,
        ranks: Ranks,
        similarity: Similarity,
        entries: Sequence[Entry],
        labels: Tensor,
        classes: Sequence[str],
        chosen: Sequence[int],
    ) -> tuple[Example, ...]:
        if not chosen:
            return ()
        scores, places = top_k(similarity, chosen, min(EXAMPLE_ANSWERS, len(classes)))
        return tuple(
            Example(
                entries[query],
                int(ranks.rank[query]),
                tuple(
                    Answer(classes[c], s, c == int(labels[query]))
                    for c, s in zip(places[n].tolist(), scores[n].tolist(), strict=True)
                ),
            )
            for n, query in enumerate(chosen)
        )


def _label(sample: Sample, column: str) -> str:
    label = sample.items[column]
    if not isinstance(label, str):
        raise DataError(
            f"'{column}' is a {type(label).__name__}, expected the name of one class",
            source=sample.source,
        )
    return normalised(label)


def _places(
    entries: Sequence[Entry], labels: dict[int, str], classes: Sequence[str], dataset: Dataset
) -> Tensor:
    """(N,) the place of each entry's label among the classes."""
    place = {name: number for number, name in enumerate(classes)}
    if len(place) != len(classes):
        raise WeftError("a class is named twice, expected every name once")
    for row, label in labels.items():
        if label not in place:
            raise DataError(str(unknown_name("class", label, classes)), source=dataset[row].source)
    return torch.tensor([place[labels[entry.row]] for entry in entries])
