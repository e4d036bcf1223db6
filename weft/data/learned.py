"""Learns from the training rows before training: tokenizers of streams, classes of targets."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weft.core.config import Config
from weft.core.distributed import barrier, rank
from weft.core.documents import read_mapping, write_checked
from weft.core.errors import WeftError
from weft.core.interfaces import Learner, Modality, Target
from weft.core.media import small_value
from weft.core.samples import Sample
from weft.data.columns import value_of
from weft.data.formats import MEANINGS, Dataset

MODALITIES = "modalities.json"
"""The file of a run directory with the learned state."""
THRESHOLDS = "thresholds.json"
"""The file of a run directory with the thresholds of tags, written at the end of training."""


@dataclass(frozen=True)
class Learned:
    """modalities: stream -> modality. targets: name -> target. Some of them are Learners.

    thresholds: target -> minimum probability at which a tag is predicted, chosen on the validation split at the end
    of training.
    """

    modalities: dict[str, Modality] = field(default_factory=dict)
    targets: dict[str, Target] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls, streams: Mapping[str, Config[Modality]], targets: Mapping[str, Config[Target]]
    ) -> "Learned":
        """Builds the configured modalities and targets. Nothing is learned yet."""
        return cls(
            {name: config.build() for name, config in streams.items()},
            {name: config.build() for name, config in targets.items()},
        )

    @property
    def learners(self) -> dict[str, Learner]:
        """The modalities and targets that learn from the training rows."""
        parts: dict[str, Modality | Target] = {**self.modalities, **self.targets}
        return {name: part for name, part in parts.items() if isinstance(part, Learner)}

    def only(self, names: frozenset[str]) -> "Learned":
        """Returns only the modalities and targets with these names."""
        return Learned(
            {name: part for name, part in self.modalities.items() if name in names},
            {name: part for name, part in self.targets.items() if name in names},
        )

    def learn(
        self,
        dataset: Dataset,
        folder: Path,
        start: Path | None = None,
        known: frozenset[str] = frozenset(),
    ) -> None:
        """Learns once, on the first rank, and saves the result in `folder`. Every rank loads it from there.

        known: names whose state is loaded from the run in `start`. Unreadable rows are skipped. Raises WeftError if
        there is nothing to learn from, or a file does not fit.
        """
        if rank() == 0 and not (folder / MODALITIES).exists():
            if start is not None:
                self.only(known).restore(start)
            for name, learner in self.learners.items():
                if name not in known:
                    _learn(name, learner, dataset)
            state = {name: learner.state() for name, learner in self.learners.items()}
            write_checked(folder / MODALITIES, state)
        barrier()
        self.restore(folder)

    def restore(self, folder: Path) -> None:
        """Loads what was learned. Raises WeftError if a file does not fit."""
        self.thresholds.update(_thresholds(folder / THRESHOLDS))
        state = read_mapping(folder / MODALITIES) if self.learners else {}
        for name, learner in self.learners.items():
            kind = "target" if isinstance(learner, Target) else "stream"
            if name not in state:
                raise WeftError(f"{folder / MODALITIES}: has no state of {kind} '{name}'")
            try:
                learner.restore(state[name])
            except (
                WeftError,
                ValueError,
                TypeError,
                KeyError,
                AttributeError,
                IndexError,
            ) as error:
                reason = (
                    error if isinstance(error, WeftError | ValueError) else "is of another kind"
                )
                raise WeftError(f"{folder / MODALITIES}: {kind} '{name}': {reason}") from None


def _thresholds(path: Path) -> dict[str, float]:
    """Returns target -> threshold; empty if the file does not exist."""
    found = read_mapping(path) if path.exists() else {}
    for name, value in found.items():
        if not isinstance(value, float) or not 0 <= value <= 1:
            raise WeftError(f"{path}: threshold of '{name}' is {value!r:.60}, expected 0 to 1")
    return found


def _learn(name: str, learner: Learner, dataset: Dataset) -> None:
    """Fits one learner. Raises WeftError; if no row has the learner's column, it lists the columns that exist."""
    kind, column = ("target", learner.column) if isinstance(learner, Target) else ("stream", name)
    try:
        learner.fit(_raws(dataset, column, learner))
    except WeftError:
        if next(_raws(dataset, column, learner), None) is not None:
            raise
        readable = _readable(dataset)
        found = f"the first has: {', '.join(readable.items)}" if readable else "none can be read"
        where = f"{readable.source}: " if readable else ""
        flag = f"; name one with --columns {column}=COLUMN" if column in MEANINGS else ""
        raise WeftError(
            f"{where}no training row has '{column}', which {kind} '{name}' learns from; {found}{flag}"
        ) from None


def _readable(dataset: Dataset) -> Sample | None:
    """Returns the first readable row."""
    for index in range(len(dataset)):
        with suppress(WeftError):
            return dataset[index]
    return None


def _raws(dataset: Dataset, column: str, learner: Learner) -> Iterator[Any]:
    """Yields the values of a column, or of the learner's columns, from all readable rows that have one."""
    for index in range(len(dataset)):
        try:
            raw = small_value(value_of(dataset[index], column, learner))
        except WeftError:
            continue
        if raw is not None:
            yield raw
