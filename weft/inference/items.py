"""Which things of a data set a task embeds: listed once, before any is decoded."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from weft.core.errors import DataError, WeftError
from weft.core.media import Alternatives, Media
from weft.core.records import group_key
from weft.data.formats import Dataset
from weft.data.policy import BadRows
from weft.inference.member import Item


@dataclass(frozen=True)
class Listing:
    """items: stream -> its items. groups, matches: row -> number of its group and of what it matches.
    splits: that the rows name."""

    items: dict[str, list[Item]]
    groups: dict[int, int]
    matches: dict[int, int]
    splits: tuple[str, ...]

    @property
    def protocol(self) -> dict[str, str]:
        return {"split": ", ".join(self.splits)} if self.splits else {}

    def paired(self) -> "Listing":
        """Only items that match an item in every stream."""
        present = [{self.matches[i.row] for i in items} for items in self.items.values()]
        common = set.intersection(*present)
        if not common:
            raise WeftError(f"no rows that match each other have both {' and '.join(self.items)}")
        kept = {
            s: [i for i in items if self.matches[i.row] in common]
            for s, items in self.items.items()
        }
        return replace(self, items=kept)

    def __len__(self) -> int:
        return sum(map(len, self.items.values()))


def list_items(dataset: Dataset, streams: Sequence[str], bad: BadRows) -> Listing:
    """What of `streams` the rows hold: each of its alternatives, anything else once.

    Matching rows that repeat the very same content (pairs that repeat their image) give one item;
    texts are never merged. Raises WeftError where a stream is in no row.
    """
    items: dict[str, list[Item]] = {stream: [] for stream in streams}
    media: dict[str, dict[int, Media]] = {stream: {} for stream in streams}
    groups: dict[int, int] = {}
    matches: dict[int, int] = {}
    splits: set[str] = set()
    names: set[str] = set()
    for row in range(len(dataset)):
        try:
            sample = dataset[row]
        except DataError as error:
            bad.add(error)
            continue
        groups[row], matches[row] = group_key(sample.group), group_key(sample.match_name)
        names |= sample.items.keys()
        if sample.items.get("split") is not None:
            splits.add(str(sample.items["split"]))
        for stream in streams:
            raw = sample.items.get(stream)
            if isinstance(raw, Alternatives):
                items[stream] += [Item(stream, row, view) for view in range(len(raw))]
            elif raw is not None:
                items[stream].append(Item(stream, row, 0 if isinstance(raw, str) else None))
                if isinstance(raw, Media):
                    media[stream][row] = raw
    for stream in streams:
        if not items[stream]:
            known = ", ".join(sorted(names)) or "nothing"
            raise WeftError(f"no row has a '{stream}', the rows have: {known}")
    merged = {stream: _merge(found, media[stream], matches, bad) for stream, found in items.items()}
    return Listing(merged, groups, matches, tuple(sorted(splits)))


def _merge(
    items: list[Item], media: Mapping[int, Media], matches: dict[int, int], bad: BadRows
) -> list[Item]:
    """Leaves out items with the content of an earlier item that they match. media: row -> its Media.

    What lies in one place, or is of different sizes, is told apart without reading it.
    """
    different: dict[int, dict[Media, int | None]] = defaultdict(dict)
    for item in items:
        if item.view is None and item.row in media:
            found = media[item.row]
            different[matches[item.row]].setdefault(found, found.place.size())
    seen: set[tuple[int, str]] = set()
    kept: list[Item] = []
    for item in items:
        if item.view is None and item.row in media:
            sizes = different[matches[item.row]]
            size = sizes[media[item.row]]
            try:
                twins = list(sizes.values()).count(size) > 1
                known = media[item.row].digest() if twins else f"{size} bytes"
            except WeftError as error:
                bad.add(_unreadable(error, str(media[item.row].place)))
                continue
            if (matches[item.row], known) in seen:
                continue
            seen.add((matches[item.row], known))
        kept.append(item)
    return kept


def _unreadable(error: WeftError, place: str) -> DataError:
    return error if isinstance(error, DataError) else DataError(str(error), source=place)
