"""Chaining: concatenates recordings of several training rows and their words, for example single digits to numbers."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import torch

from weft.core.config import Settings
from weft.core.errors import DataError, WeftError
from weft.core.media import Joined, Media
from weft.core.ranges import COUNT, require
from weft.core.samples import Sample
from weft.core.timed import TimedWord, timed_words
from weft.modalities.audio_decoding import sound_facts

TRIES = 32
"""Number of rows tried to find one that fits."""


@dataclass(frozen=True)
class ChainConfig(Settings):
    """Which recordings are concatenated, and how many.

    Their words are concatenated, too. If rows have no word times, each recording is one word, from its start to its
    end.
    """

    stream: str = "audio"
    """Stream of sounds to concatenate."""
    transcript: str = "text"
    """Column that gets all words, with blanks between them."""
    words: str = "words"
    """Column that gets the words with their times: objects with word, start and end, in seconds."""
    rows: tuple[int, int] = (1, 5)
    """Minimum and maximum number of recordings. All numbers between them are equally frequent."""
    same: str | None = None
    """Column whose value all recordings of a row share, such as the speaker; None: any."""

    def __post_init__(self) -> None:
        require(self, rows=COUNT)
        if self.rows[0] > self.rows[1]:
            raise ValueError(f"rows is {self.rows}, expected the fewest first")


class Chaining:
    """Concatenates rows. All random choices come from the row's generator."""

    def __init__(self, config: ChainConfig, rows: int) -> None:
        self._config, self._rows = config, rows
        self._lengths: dict[str, float] = {}

    def __call__(
        self, sample: Sample, generator: torch.Generator, row_of: Callable[[int], Sample]
    ) -> Sample | None:
        """Appends other rows to the row, which keeps its name.

        A sampled row that is unreadable or has another value of `same` is replaced by the next sample; after `TRIES`
        samples by the row itself. Raises DataError if the row has no recording or no words.
        """
        config = self._config
        fewest, most = config.rows
        count = int(torch.randint(fewest, most + 1, (), generator=generator))
        drawn = torch.randint(self._rows, (count - 1, TRIES), generator=generator).tolist()
        chosen = [sample, *(self._fitting(sample, tries, row_of) for tries in drawn)]
        recordings: list[Media] = []
        said: list[TimedWord] = []
        length = 0.0
        for one in chosen:
            recording, words, seconds = self._told(one)
            recordings.append(recording)
            said += [TimedWord(w.word, w.start + length, w.end + length) for w in words]
            length += seconds
        texts = {
            config.words: [asdict(word) for word in said],
            config.transcript: " ".join(word.word for word in said),
        }
        joined = Joined(recordings) if len(recordings) > 1 else recordings[0]
        return replace(sample, items={**sample.items, config.stream: joined, **texts})

    def _fitting(self, sample: Sample, tries: list[int], row_of: Callable[[int], Sample]) -> Sample:
        same = self._config.same
        for row in tries:
            try:
                other = row_of(row)
                if same is None or other.items.get(same) == sample.items.get(same):
                    self._told(other)
                    return other
            except DataError:
                continue
        return sample

    def _told(self, sample: Sample) -> tuple[Media, list[TimedWord], float]:
        """Returns the recording, its words and its seconds."""
        config = self._config
        recording, text = sample.items.get(config.stream), sample.items.get(config.transcript)
        if not isinstance(recording, Media) or not isinstance(text, str) or not text.split():
            raise DataError(
                f"has no '{config.stream}' and '{config.transcript}' to join with other rows",
                source=sample.source,
            )
        try:
            key = recording.stamp(times=True)
            if key not in self._lengths:
                self._lengths[key] = sound_facts(recording).seconds
            seconds, raw = self._lengths[key], sample.items.get(config.words)
            words = timed_words(raw) if raw is not None else [TimedWord(text.strip(), 0.0, seconds)]
        except WeftError as error:
            raise DataError(str(error), source=sample.source) from None
        return recording, words, seconds
