"""BLEU, ROUGE-L and CIDEr-D of generated texts, with the conventions of the COCO caption evaluation.

The contribution of each candidate to every metric is kept, so a bootstrap over pictures need not read the texts
again. BLEU resamples its sums of counts. CIDEr-D resamples the scores of pictures, with the document frequencies of
the whole set.
"""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from weft.core.errors import WeftError
from weft.evaluation import meteor
from weft.evaluation.bootstrap import Bootstrap, Statistic
from weft.evaluation.caption_tokens import words

Floats = NDArray[np.float64]
Tokenize = Callable[[str], list[str]]
Text = Sequence[Hashable]
Ngram = tuple[Hashable, ...]

ORDERS = 4
BETA = 1.2
"""Weight of the recall in ROUGE-L (C.-Y. Lin, 2004, equation 4)."""
SIGMA = 6.0
"""Standard deviation of CIDEr-D's length penalty, in bigrams."""


def score(
    candidates: Mapping[str, str],
    references: Mapping[str, Sequence[str]],
    tokenize: Tokenize = words,
    *,
    with_meteor: bool = False,
) -> dict[str, float]:
    """Bleu_1 to Bleu_4, ROUGE_L and CIDEr (CIDEr-D, at most 10) of a set of candidates.

    with_meteor: also METEOR, for English words, by Java and the package pycocoevalcap (ten seconds). candidates: id
    -> text. references: the same ids -> one or more texts each. A candidate without words scores 0. Raises WeftError
    if ids disagree or an id has no reference.
    """
    return evaluate(candidates, references, tokenize, with_meteor=with_meteor).values()


@dataclass(frozen=True)
class CaptionScores:
    """The contributions of N candidates to the metrics; rows in the order of `ids`.

    lengths: (N, 2) words of the candidate and of the reference nearest in length. matches, ngrams: (N, 4) n-grams
    that a reference contains, and all n-grams, for n from 1 to 4. rouge, cider: (N,). meteor: (N, 23) METEOR's
    counts, or None if it was not computed.
    """

    ids: tuple[str, ...]
    lengths: Floats
    matches: Floats
    ngrams: Floats
    rouge: Floats
    cider: Floats
    meteor: Floats | None = None

    def values(self) -> dict[str, float]:
        """The metrics of the whole set."""
        counts = np.column_stack([self.lengths, self.matches, self.ngrams]).sum(0)
        named = {f"Bleu_{n}": float(value) for n, value in enumerate(_bleu(counts), 1)}
        named |= {"ROUGE_L": float(self.rouge.mean()), "CIDEr": float(self.cider.mean())}
        if self.meteor is not None:
            named["METEOR"] = float(meteor.meteor(self.meteor.sum(0)))
        return named

    def statistics(self, bootstrap: Bootstrap, groups: ArrayLike) -> dict[str, Statistic]:
        """The metrics with their values on every resample. groups: (N,), the group of each row."""
        counts_NC = np.column_stack([self.lengths, self.matches, self.ngrams])
        total_C, totals_RC = bootstrap.totals(counts_NC, groups)
        bleu_4, bleu_R4 = _bleu(total_C), _bleu(totals_RC)
        rouge, cider = bootstrap.means(np.column_stack([self.rouge, self.cider]), groups)
        number = rouge.groups
        named = {
            f"Bleu_{n + 1}": Statistic(float(bleu_4[n]), bleu_R4[:, n], number)
            for n in range(ORDERS)
        }
        named |= {"ROUGE_L": rouge, "CIDEr": cider}
        if self.meteor is not None:
            total_C, totals_RC = bootstrap.totals(self.meteor, groups)
            named["METEOR"] = Statistic(
                float(meteor.meteor(total_C)), meteor.meteor(totals_RC), number
            )
        return named


def evaluate(
    candidates: Mapping[str, str],
    references: Mapping[str, Sequence[str]],
    tokenize: Tokenize = words,
    *,
    with_meteor: bool = False,
) -> CaptionScores:
    """As `score`, for each candidate separately; METEOR if requested."""
    _check(candidates, references)
    tokenized = {
        key: [found for text in texts if (found := tokenize(text))]
        for key, texts in references.items()
    }
    without = [key for key, texts in tokenized.items() if not texts]
    if without:
        raise WeftError(
            f"'{without[0]}' has no reference with a word, expected at least one for each candidate"
        )
    texts = [tokenize(candidates[key]) for key in candidates]
    sets = [tokenized[key] for key in candidates]
    pairs = list(zip(texts, sets, strict=True))
    matches, ngrams = zip(*(clipped_matches(*pair) for pair in pairs), strict=True)
    consensus = Consensus(sets)
    return CaptionScores(
        ids=tuple(candidates),
        lengths=np.array([(len(t), nearest_length(len(t), s)) for t, s in pairs], dtype=float),
        matches=np.array(matches, dtype=float),
        ngrams=np.array(ngrams, dtype=float),
        rouge=np.array([_rouge(*pair) for pair in pairs]),
        cider=np.array([consensus.score(*pair) for pair in pairs]),
        meteor=meteor.counts(
            [" ".join(text) for text in texts],
            [[" ".join(text) for text in some] for some in sets],
        )
        if with_meteor
        else None,
    )


def _check(candidates: Mapping[str, str], references: Mapping[str, Sequence[str]]) -> None:
    if not candidates:
        raise WeftError("there is no candidate to score, expected at least one")
    missing = sorted(candidates.keys() - references.keys())
    surplus = sorted(references.keys() - candidates.keys())
    if missing or surplus:
        kind, ids = ("references", missing) if missing else ("candidate", surplus)
        raise WeftError(
            f"'{ids[0]}'{f' and {len(ids) - 1} more' if len(ids) > 1 else ''} without {kind}: "
            f"{len(candidates)} candidates and {len(references)} sets of references, expected the same ids"
        )
    for key, texts in references.items():
        if isinstance(texts, str):
            raise WeftError(f"the references of '{key}' are a string, expected a list of strings")


def ngrams_of(text: Text, order: int) -> Counter[Ngram]:
    return Counter(tuple(text[i : i + order]) for i in range(len(text) - order + 1))


def nearest_length(length: int, references: Sequence[Text]) -> int:
    """Returns the length of the reference nearest in length; on a tie the shorter one."""
    return min((len(text) for text in references), key=lambda other: (abs(other - length), other))


def clipped_matches(text: Text, references: Sequence[Text]) -> tuple[list[int], list[int]]:
    """For each order, returns the matching n-grams, clipped to the maximum count in one reference, and all n-grams."""
    matches, totals = [], []
    for order in range(1, ORDERS + 1):
        allowed: Counter[Ngram] = Counter()
        for reference in references:
            allowed |= ngrams_of(reference, order)
        own = ngrams_of(text, order)
        matches.append((own & allowed).total())
        totals.append(own.total())
    return matches, totals


def _bleu(counts: Floats) -> Floats:
    """(..., 2 + 4 + 4) summed lengths, matches and n-grams -> (..., 4) BLEU-1 to BLEU-4.

    K. Papineni et al. 2002, section 2.3. An order without n-grams or without a match gives 0.
    """
    length, nearest = counts[..., :1], counts[..., 1:2]
    matches, ngrams = counts[..., 2 : 2 + ORDERS], counts[..., 2 + ORDERS :]
    with np.errstate(divide="ignore"):
        logarithms = np.log(matches / np.maximum(ngrams, 1))
        brevity = np.minimum(0.0, 1 - nearest / np.maximum(length, 1e-12))
    orders = np.arange(1, ORDERS + 1)
    bleu: Floats = np.exp(brevity + logarithms.cumsum(-1) / orders)
    return bleu


def _rouge(text: Text, references: Sequence[Text]) -> float:
    """F-measure of the best precision and the best recall over longest common subsequences."""
    if not text:
        return 0.0
    common = [_common(text, reference) for reference in references]
    precision = max(common) / len(text)
    recall = max(n / len(reference) for n, reference in zip(common, references, strict=True))
    if not precision:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def _common(first: Text, second: Text) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(second) + 1)
    for word in first:
        before = 0
        for place, other in enumerate(second, 1):
            above = row[place]
            row[place] = before + 1 if word == other else max(above, row[place - 1])
            before = above
    return row[-1]


@dataclass(frozen=True)
class _Weighted:
    """The TF-IDF weights of a text's n-grams, as a table and its norm for each order, and the number of bigrams."""

    weights: list[dict[Ngram, float]]
    norms: list[float]
    bigrams: int


class Consensus:
    """CIDEr-D (R. Vedantam et al. 2015, equation 4) with the document frequencies of given sets.

    A document is all references of one picture. As in the published code, the length penalty counts bigrams.
    """

    def __init__(self, references: Sequence[Sequence[Text]]) -> None:
        self._frequency: Counter[Ngram] = Counter()
        for texts in references:
            self._frequency.update(
                {n for text in texts for order in range(ORDERS) for n in ngrams_of(text, order + 1)}
            )
        self._documents = math.log(len(references))

    def score(self, text: Text, references: Sequence[Text]) -> float:
        """Ten times the mean over orders and references of the clipped, penalised cosine."""
        return self.scores([text], references)[0]

    def scores(self, texts: Sequence[Text], references: Sequence[Text]) -> list[float]:
        """The score of each of these texts."""
        others = [self._weigh(reference) for reference in references]
        return [
            10 * sum(self._similarity(own, other) for other in others) / len(others)
            for own in map(self._weigh, texts)
        ]

    def _weigh(self, text: Text) -> _Weighted:
        weights = [
            {
                ngram: count * (self._documents - math.log(max(1, self._frequency[ngram])))
                for ngram, count in ngrams_of(text, order).items()
            }
            for order in range(1, ORDERS + 1)
        ]
        norms = [math.sqrt(sum(w * w for w in table.values())) for table in weights]
        return _Weighted(weights, norms, max(0, len(text) - 1))

    def _similarity(self, own: _Weighted, other: _Weighted) -> float:
        penalty = math.exp(-((own.bigrams - other.bigrams) ** 2) / (2 * SIGMA**2))
        total = 0.0
        for order in range(ORDERS):
            mine, theirs = own.weights[order], other.weights[order]
            product = sum(min(w, theirs[n]) * theirs[n] for n, w in mine.items() if n in theirs)
            norm = own.norms[order] * other.norms[order]
            total += product / norm if norm else 0.0
        return penalty * total / ORDERS


def leave_one_out(
    references: Mapping[str, Sequence[str]], tokenize: Tokenize = words
) -> dict[str, float]:
    """Human performance: the first reference of each id scored against its other references."""
    several = {key: list(texts) for key, texts in references.items() if len(texts) > 1}
    if not several:
        raise WeftError("no id has two references, so none can be scored against the others")
    first = {key: texts[0] for key, texts in several.items()}
    return score(first, {key: texts[1:] for key, texts in several.items()}, tokenize)


def commonest(texts: Sequence[str], tokenize: Tokenize = words) -> str:
    """Returns the text with the most frequent exact words, the first on a tie: the best constant caption for any
    picture."""
    spoken = [" ".join(tokenize(text)) for text in texts]
    counts = Counter(itertools.filterfalse(lambda text: not text, spoken))
    if not counts:
        raise WeftError("there is no text with a word to choose from")
    return counts.most_common(1)[0][0]
