"""The source of a recipe that names no rows of its own."""

from dataclasses import dataclass

from weft.core.errors import WeftError
from weft.data.formats import Dataset
from weft.data.policy import ErrorPolicy
from weft.data.sources import DataSource


@dataclass(frozen=True)
class NoDataConfig(DataSource):
    """No rows of its own. A command reads those of its --data."""

    def open(self, split: str | None, errors: ErrorPolicy | None = None) -> Dataset:  # noqa: ARG002
        raise WeftError("this recipe has no data of its own: name yours with --data PATH")
