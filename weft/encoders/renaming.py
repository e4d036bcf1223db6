"""Rules that map weights between the names of another library and weft's, in both directions.

The same rules read a published model, and write a trained one for the library that it came from.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

Tensors = Sequence[Tensor]
DEEPEST = 1000
"""Maximum number of blocks in a tower; its settings come from a file and may hold any number."""


@dataclass(frozen=True)
class Rule:
    """Maps some tensors of weft to those of another library with the same numbers.

    read: theirs -> weft's. write: weft's -> theirs.
    """

    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    read: Callable[[Tensors], Tensors]
    write: Callable[[Tensors], Tensors]


Rules = list[Rule]


def read(rules: Iterable[Rule], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Converts their tensors to weft's names. Raises KeyError for a missing one."""
    found: dict[str, Tensor] = {}
    for rule in rules:
        values = rule.read([tensors[name] for name in rule.theirs])
        found |= dict(zip(rule.ours, values, strict=True))
    return found


def write(rules: Iterable[Rule], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Converts weft's tensors to their names, each with its own memory. Raises KeyError as `read` does."""
    found: dict[str, Tensor] = {}
    for rule in rules:
        values = rule.write([tensors[name] for name in rule.ours])
        copies = (value.detach().float().contiguous().clone() for value in values)
        found |= dict(zip(rule.theirs, copies, strict=True))
    return found


def unread(rules: Iterable[Rule], tensors: Iterable[str]) -> list[str]:
    """Returns the names of their tensors that no rule reads, in order, except `position_ids`, which only count
    positions."""
    known = {name for rule in rules for name in rule.theirs}
    return sorted(n for n in tensors if n not in known and not n.endswith("position_ids"))


def inside(rules: Iterable[Rule], *, ours: str = "", theirs: str = "") -> Rules:
    """Adds prefixes to the rules of a part, for a model that contains it."""
    return [
        replace(
            rule,
            ours=tuple(ours + name for name in rule.ours),
            theirs=tuple(theirs + name for name in rule.theirs),
        )
        for rule in rules
    ]


def numbered(depth: int) -> range:
    """Returns the indices of a stack of `depth` blocks. Raises ValueError for an implausible depth."""
    if not isinstance(depth, int) or not 0 <= depth <= DEEPEST:
        raise ValueError(f"a tower has {depth!r:.40} blocks, expected 0 to {DEEPEST}")
    return range(depth)


def same(ours: str, theirs: str) -> Rule:
    """The same numbers in the same shape."""
    return Rule((ours,), (theirs,), list, list)


def transposed(ours: str, theirs: str) -> Rule:
    """A matrix that is transposed in the other library."""
    return Rule((ours,), (theirs,), _turned, _turned)


def shaped(ours: str, theirs: str, our_shape: Sequence[int], their_shape: Sequence[int]) -> Rule:
    """The same numbers in another shape. In each shape one side may be -1."""
    return Rule(
        (ours,),
        (theirs,),
        lambda values: [values[0].reshape(tuple(our_shape))],
        lambda values: [values[0].reshape(tuple(their_shape))],
    )


def regrouped(ours: Mapping[str, int], theirs: Mapping[str, int]) -> Rule:
    """Maps the same rows in another grouping: name -> number of rows.

    For example query, key and value: three maps, or one. The order is the same on both sides.
    """
    parts = sum(ours.values())
    if parts != sum(theirs.values()):
        raise ValueError(f"{list(ours)} are {parts} parts, {list(theirs)} are not as many")

    def joined_as(counts: Iterable[int]) -> Callable[[Tensors], Tensors]:
        def change(values: Tensors) -> Tensors:
            whole = torch.cat(list(values))
            rows = whole.shape[0] // parts
            return torch.split(whole, [count * rows for count in counts])

        return change

    return Rule(
        tuple(ours), tuple(theirs), joined_as(list(ours.values())), joined_as(list(theirs.values()))
    )


def layer(ours: str, *theirs: str) -> Rules:
    """Weight and bias of a linear map or a norm; several maps of the same input are joined in weft."""
    return [
        regrouped({f"{ours}.{part}": len(theirs)}, {f"{name}.{part}": 1 for name in theirs})
        for part in ("weight", "bias")
    ]


def _turned(values: Tensors) -> Tensors:
    return [values[0].T]
