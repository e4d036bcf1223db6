"""Engines spread the units of the preparation over cores or machines. Each module is one engine.

The result of a unit is a function of the data and the config alone. So the output does not depend on the engine, and
another engine can finish an interrupted run.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Protocol, get_args

from weft.core.errors import unknown_name
from weft.data.prepare.engines.daft import Daft
from weft.data.prepare.engines.processes import Processes, cores

__all__ = ["Daft", "Engine", "EngineName", "Processes", "build_engine", "cores"]

EngineName = Literal["processes", "daft", "ray"]


class Engine(Protocol):
    """Spreads units of work."""

    def run(
        self, function: Callable[[Any, Any], bytes], shared: Any, units: Sequence[Any]
    ) -> Iterator[tuple[int, bytes]]:
        """Yields (number of the unit, function(shared, unit)), soon after each is finished.

        `function` must be importable from a module; `shared` and the units are JSON values. Units are requested one
        after another, and an error in one ends the work.
        """
        ...


def build_engine(name: EngineName, workers: int | None) -> Engine:
    """Returns the engine of that name. workers: None uses all cores, for Ray those of the cluster.

    Raises MissingExtraError if a package that it needs is not installed.
    """
    match name:
        case "processes":
            return Processes(cores(workers))
        case "daft":
            return Daft(workers)
        case "ray":
            return Daft(workers, on_ray=True)
    raise unknown_name("engine", name, get_args(EngineName))
