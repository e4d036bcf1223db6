"""Lists the entries of a data set that a task embeds, before any is decoded."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from weft.core.errors import DataError, WeftError
from weft.core.media import Alternatives, Media
from weft.core.samples import Sample, group_key
from weft.data.formats import Dataset
from weft.data.policy import BadRows
from weft.inference.member import Entry


@dataclass(frozen=True)
class Listing:
    """entries: stream -> its entries. groups, matches: row -> number of its group and of its match. splits: the
    splits that the rows name.
    """

    entries: dict[str, list[Entry]]
    groups: dict[int, int]
    matches: dict[int, int]
    splits: tuple[str, ...]

    @property
    def protocol(self) -> dict[str, str]:
        return {"split": ", ".join(self.splits)} if self.splits else {}

    def partnered(self) -> "Listing":
        """Only the entries that match an entry of another stream. Raises WeftError if two streams have no matching
        pair.
        """
        present = {s: {self.matches[i.row] for i in found} for s, found in self.entries.items()}
        for one, other in combinations(present, 2):
            if not present[one] & present[other]:
                raise WeftError(f"no rows that match each other have both {one} and {other}")
        count = Counter(match for matches in present.values() for match in matches)
        kept = {
            s: [i for i in entries if count[self.matches[i.row]] > 1]
            for s, entries in self.entries.items()
        }
        return replace(self, entries=kept)

    def __len__(self) -> int:
        return sum(map(len, self.entries.values()))


def readable(dataset: Dataset, bad: BadRows) -> Iterator[tuple[int, Sample]]:
    """The number and the sample of each row that can be read; other rows go to the error policy."""
    for row in range(len(dataset)):
        try:
            sample = dataset[row]
        except DataError as error:
            bad.add(error)
        else:
            yield row, sample


def list_entries(dataset: Dataset, streams: Sequence[str], bad: BadRows) -> Listing:
    """The entries of `streams` in the rows: one for each alternative, one for any other value.

    Matching rows with identical content (pairs that repeat their image) give one entry; texts are never merged.
    Raises WeftError if no row has a stream.
    """
    entries: dict[str, list[Entry]] = {stream: [] for stream in streams}
    media: dict[str, dict[int, Media]] = {stream: {} for stream in streams}
    groups: dict[int, int] = {}
    matches: dict[int, int] = {}
    splits: set[str] = set()
    names: set[str] = set()
    for row, sample in readable(dataset, bad):
        groups[row], matches[row] = group_key(sample.group), group_key(sample.match_name)
        names |= sample.items.keys()
        if sample.items.get("split") is not None:
            splits.add(str(sample.items["split"]))
        for stream in streams:
            raw = sample.items.get(stream)
            if isinstance(raw, Alternatives):
                entries[stream] += [Entry(stream, row, view) for view in range(len(raw))]
            elif raw is not None:
                entries[stream].append(Entry(stream, row, 0 if isinstance(raw, str) else None))
                if isinstance(raw, Media):
                    media[stream][row] = raw
    for stream in streams:
        if not entries[stream]:
            known = ", ".join(sorted(names)) or "nothing"
            raise WeftError(f"no row has '{stream}', the rows have: {known}")
    merged = {
        stream: _merge(found, media[stream], matches, bad) for stream, found in entries.items()
    }
    return Listing(merged, groups, matches, tuple(sorted(splits)))


def _merge(
    entries: list[Entry], media: Mapping[int, Media], matches: dict[int, int], bad: BadRows
) -> list[Entry]:
    """Leaves out entries with the same content as an earlier entry that they match. media: row -> its Media.

    Media in the same place are the same, and those of different sizes differ, without reading them.
    """
    different: dict[int, dict[Media, int | None]] = defaultdict(dict)
    for entry in entries:
        if entry.alternative is None and entry.row in media:
            found = media[entry.row]
            different[matches[entry.row]].setdefault(found, found.place.size())
    seen: set[tuple[int, str]] = set()
    kept: list[Entry] = []
    for entry in entries:
        if entry.alternative is None and entry.row in media:
            sizes = different[matches[entry.row]]
            size = sizes[media[entry.row]]
            try:
                twins = list(sizes.values()).count(size) > 1
                known = media[entry.row].digest() if twins else f"{size} bytes"
            except WeftError as error:
                bad.add(_unreadable(error, str(media[entry.row].place)))
                continue
            if (matches[entry.row], known) in seen:
                continue
            seen.add((matches[entry.row], known))
        kept.append(entry)
    return kept


def _unreadable(error: WeftError, place: str) -> DataError:
    return error if isinstance(error, DataError) else DataError(str(error), source=place)
