"""What a run learns from its training rows before it trains: tokenizers of streams, classes of targets."""

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
from weft.data.formats import Dataset

MODALITIES = "modalities.json"
"""The file of a run directory that keeps it."""
THRESHOLDS = "thresholds.json"
"""The file of a run directory that keeps the thresholds of tags, written when training has ended."""


@dataclass(frozen=True)
class Learned:
    """modalities: stream -> modality. targets: name -> target. Some of them are Learners.

    thresholds: target -> probability from which on a tag of it is said, chosen on the validation split when
    training has ended.
    """

    modalities: dict[str, Modality] = field(default_factory=dict)
    targets: dict[str, Target] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls, streams: Mapping[str, Config[Modality]], targets: Mapping[str, Config[Target]]
    ) -> "Learned":
        """Modalities and targets as configured; nothing is learned yet."""
        return cls(
            {name: config.build() for name, config in streams.items()},
            {name: config.build() for name, config in targets.items()},
        )

    @property
    def learners(self) -> dict[str, Learner]:
        """Those of the modalities and targets that learn from the training rows."""
        parts: dict[str, Modality | Target] = {**self.modalities, **self.targets}
        return {name: part for name, part in parts.items() if isinstance(part, Learner)}

    def only(self, names: frozenset[str]) -> "Learned":
        """The modalities and targets of these names."""
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
        """Learns once, on the first rank, and keeps it in `folder`, from which every rank reads it.

        known: what the run in `start` has learned already. Rows that cannot be read teach nothing.
        Raises WeftError where there is nothing to learn from, or a file does not fit.
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
        """Puts back what was learned. Raises WeftError where a file does not fit."""
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
    """Target -> threshold; nothing where the file is not there."""
    found = read_mapping(path) if path.exists() else {}
    for name, value in found.items():
        if not isinstance(value, float) or not 0 <= value <= 1:
            raise WeftError(f"{path}: threshold of '{name}' is {value!r:.60}, expected 0 to 1")
    return found


def _learn(name: str, learner: Learner, dataset: Dataset) -> None:
    """Raises WeftError; one that says which columns there are, where no row has that of the learner."""
    kind, column = ("target", learner.column) if isinstance(learner, Target) else ("stream", name)
    try:
        learner.fit(_raws(dataset, column, learner))
    except WeftError as error:
        if next(_raws(dataset, column, learner), None) is not None:
            raise
        readable = _readable(dataset)
        found = f"the first has: {', '.join(readable.items)}" if readable else "none can be read"
        where = f"{readable.source}: " if readable else ""
        raise WeftError(
            f"{where}no training row has '{column}', which {kind} '{name}' learns from; {found} ({error})"
        ) from None


def _readable(dataset: Dataset) -> Sample | None:
    """The first row that can be read."""
    for index in range(len(dataset)):
        with suppress(WeftError):
            return dataset[index]
    return None


def _raws(dataset: Dataset, column: str, learner: Learner) -> Iterator[Any]:
    """The values of a column, or of those that the learner reads, of the rows that can be read and have one."""
    for index in range(len(dataset)):
        try:
            raw = small_value(value_of(dataset[index], column, learner))
        except WeftError:
            continue
        if raw is not None:
            yield raw
