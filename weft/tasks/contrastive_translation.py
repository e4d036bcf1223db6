"""Contrastive evaluation of translation: is the right text more probable than the same text with one wrong word?

Whole texts are compared (Sennrich 2017, arXiv:1612.04629).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weft.core.errors import DataError, WeftError
from weft.core.needs import Needs
from weft.core.samples import group_key
from weft.data.formats import Dataset
from weft.data.hidden import words_pattern
from weft.data.sources import BETWEEN
from weft.evaluation.leakage import Leakage
from weft.evaluation.metric import Score, by_name
from weft.evaluation.ranking import right_and_wrong, worst_first
from weft.heads.texts import TextOutput
from weft.inference.candidates import OWN, ByLikelihood, fused_of, score_candidates
from weft.inference.entries import readable
from weft.inference.member import Entry, Member
from weft.inference.results import Prediction, TaskResult, Values
from weft.tasks._accuracy import ACCURACY
from weft.tasks._kinds import by_kind
from weft.tasks.base import WORST, TaskConfig
from weft.tasks.translation import references_of, text_output, texts_of

OF_KIND = by_kind(ACCURACY, "kind")


@dataclass(frozen=True)
class ContrastiveTranslationConfig(TaskConfig):
    """Contrastive translation: is the right text more likely to the model than one with a wrong word?"""

    head: str = "translation"
    """Head that writes the translations."""
    references: str | None = None
    """Column of the right translations, as in the task `translation`."""
    words: dict[str, str] = field(default_factory=dict)
    """Kind -> words of this kind in the language of the translations, separated by |, which are exchanged for each other:
    colours: red|blue|green."""
    swap: bool = True
    """Also with each stream of another row, where several are fused: a control."""

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: TextOutput})

    def build(self) -> "ContrastiveTranslation":
        return ContrastiveTranslation(self)


@dataclass(frozen=True)
class Contrast:
    """A row and its id, its right text and the wrong one, the word in each, and the kind of both words. drawn: a
    random number for the row.
    """

    row: int
    name: str
    kind: str
    right: str
    wrong: str
    words: tuple[str, str]
    drawn: int


@dataclass(frozen=True)
class _Scored:
    """N contrasts. groups: (N,). margins: OWN, or a stream of another row -> (N,) log-likelihood of the right text
    minus that of the wrong one.
    """

    contrasts: list[Contrast]
    groups: Tensor
    margins: dict[str, Tensor]

    def right(self, name: str) -> Tensor:
        """(N,) 1 if the right text is more probable."""
        return (self.margins[name] > 0).double()


class ContrastiveTranslation:
    """Accuracy of preferring the right text, over all kinds of words and for each; a tie is wrong.

    A text counts for a kind if it has exactly one word of it. The wrong word is sampled at random, and in each pair
    of words each is right as often as it is wrong. So a model that knows only which word is more frequent is right
    in half of the contrasts, like chance.
    """

    name = "contrastive_translation"
    metrics = (ACCURACY, OF_KIND)

    def __init__(self, config: ContrastiveTranslationConfig) -> None:
        self.config = config

    def evaluate(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        leakage: Leakage | None = None,
    ) -> TaskResult:
        """Raises WeftError unless one text has one word of a kind and another text another word of it."""
        config = self.config
        output = text_output(members, config.head)
        column = references_of(dataset, config.references, output.stream, config.inference)
        drawn, left_out = self._contrasts(dataset, column)
        found = self._scored(members, dataset, drawn, device)
        chosen, margins, right_N = found.contrasts, found.margins[OWN], found.right(OWN)
        shown = partial(_shown, fused_of(members[0]), chosen, margins)
        return TaskResult(
            task=self.name,
            protocol={
                "contrasts": len(chosen),
                "rows": len({one.row for one in chosen}),
                "references": column,
                **config.protocol(members, dataset, dataset),
                "left_out_unreadable": left_out,
            },
            metrics=self._scores(right_N, chosen, found.groups),
            baselines={
                "chance": dict.fromkeys(_means(right_N, chosen), 50.0),
                **{
                    name: _means(found.right(name), chosen) for name in found.margins if name != OWN
                },
            },
            leakage=leakage,
            values={ACCURACY.name: Values(ACCURACY.scale * right_N, found.groups)},
            predictions=shown(right_and_wrong(2 - right_N.long(), config.examples, config.seed)),
            worst=shown(worst_first(-margins.clamp_max(0), WORST)),
            head=config.head,
        )

    def _contrasts(self, dataset: Dataset, column: str) -> tuple[list[Contrast], int]:
        """The contrasts of all rows, and the number of rows that cannot be read or have no text."""
        config = self.config
        bad = config.inference.errors.build(len(dataset))
        texts: dict[int, str] = {}
        for row, sample in readable(dataset, bad):
            try:
                texts[row] = texts_of(sample, column)[0]
            except DataError as error:
                bad.add(error, sample)
        kinds = {kind: words.split(BETWEEN) for kind, words in config.words.items()}
        drawn = (
            contrast(row, dataset[row].id, text, kind, words, config.seed)
            for row, text in texts.items()
            for kind, words in kinds.items()
        )
        found = [one for one in drawn if one is not None]
        if not balanced(found):
            said = "; ".join(f"{kind}: {words}" for kind, words in config.words.items()) or "none"
            raise WeftError(
                f"no two texts in '{column}' differ in words of the same kind, the kinds are: {said}"
            )
        return found, len(dataset) - len(texts)

    def _scored(
        self,
        members: Sequence[Member],
        dataset: Dataset,
        drawn: Sequence[Contrast],
        device: torch.device | str,
    ) -> "_Scored":
        """The balanced contrasts of rows that can be read."""
        config = self.config
        of_row: dict[str, list[Contrast]] = defaultdict(list)
        for one in drawn:
            of_row[one.name].append(one)
        found = score_candidates(
            members,
            dataset,
            lambda sample: [t for one in of_row[sample.id] for t in (one.right, one.wrong)],
            ByLikelihood(members, config.head, writes=False),
            config.inference,
            rows=sorted({one.row for one in drawn}),
            swap=config.swap,
            device=device,
        )
        groups_R = torch.cat(found.groups)
        read = [one for row in found.rows for one in of_row[dataset[row].id]]
        place = torch.tensor(
            [n for n, row in enumerate(found.rows) for _ in of_row[dataset[row].id]]
        )
        kept = torch.tensor(balanced(read), dtype=torch.int64)
        if not len(kept):
            raise WeftError("no two rows that can be read differ in words of the same kind")
        margins = {
            name: torch.cat([(one[::2] - one[1::2]).double() for one in scores])[kept]
            for name, scores in found.scores.items()
        }
        return _Scored([read[n] for n in kept.tolist()], groups_R[place[kept]], margins)

    def _scores(
        self, right_N: Tensor, chosen: Sequence[Contrast], groups: Tensor
    ) -> dict[str, Score]:
        bootstrap = self.config.bootstrap(groups)
        kinds = sorted({one.kind for one in chosen})
        of_N: NDArray[np.intp] = np.array([kinds.index(one.kind) for one in chosen])
        each = bootstrap.means_by(right_N.numpy(), of_N, len(kinds), groups.numpy(), shares=True)
        return by_name(
            [
                ACCURACY.score(bootstrap.proportion(right_N, groups)),
                *(OF_KIND.member(k).score(e) for k, e in zip(kinds, each, strict=True)),
            ]
        )


def contrast(
    row: int, name: str, text: str, kind: str, words: Sequence[str], seed: int
) -> Contrast | None:
    """The text and a copy with another word of the kind, sampled with the row's name as seed; None unless it has exactly
    one.
    """
    found = list(words_pattern(words).finditer(text))
    others = [] if not found else [w for w in words if w.lower() != found[0].group().lower()]
    if len(found) != 1 or not others:
        return None
    drawn = group_key(f"{seed} {kind} {name}")
    word, other = found[0].group(), others[drawn % len(others)]
    wrong = f"{text[: found[0].start()]}{other}{text[found[0].end() :]}"
    return Contrast(row, name, kind, text, wrong, (word, other), drawn)


def balanced(chosen: Sequence[Contrast]) -> list[int]:
    """The places of contrasts such that in each pair of words each is right as often as it is wrong."""
    drawn: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for place in sorted(range(len(chosen)), key=lambda place: chosen[place].drawn):
        word, other = chosen[place].words
        drawn[chosen[place].kind, word.lower(), other.lower()].append(place)
    kept = (
        place
        for (kind, word, other), places in drawn.items()
        for place in places[: len(drawn.get((kind, other, word), ()))]
    )
    return sorted(kept)


def _means(right_N: Tensor, chosen: Sequence[Contrast]) -> dict[str, float]:
    found = {ACCURACY.name: 100 * float(right_N.mean())}
    for kind in sorted({one.kind for one in chosen}):
        of_kind = torch.tensor([one.kind == kind for one in chosen])
        found[OF_KIND.member(kind).name] = 100 * float(right_N[of_kind].mean())
    return found


def _shown(
    streams: Sequence[str], chosen: Sequence[Contrast], margins: Tensor, places: Sequence[int]
) -> tuple[Prediction, ...]:
    shown = []
    for place in places:
        one, margin = chosen[place], float(margins[place])
        shown.append(
            Prediction(
                inputs=tuple(Entry(stream, one.row) for stream in streams),
                predicted=one.right if margin > 0 else one.wrong,
                expected=(one.right,),
                right=margin > 0,
                score=margin,
            )
        )
    return tuple(shown)
