"""A run directory as an object: a trained model with evaluation, report and explanations."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weft.architectures.model import ModelConfig
from weft.core import config as configs
from weft.core.samples import Sample
from weft.core.tensors import load_built
from weft.core.trust import trust_modules
from weft.data.learned import Learned
from weft.explain.method import Method
from weft.inference.results import TaskResult
from weft.report.explanations import Explained
from weft.runs.explaining import explain_rows
from weft.runs.measure import first_task, measure
from weft.runs.moved import with_moved_data
from weft.runs.parts import (
    MODEL,
    WEIGHTS,
    check_learned,
    load_recipe,
)
from weft.runs.reporting import report_of
from weft.runs.trained import TrainedModel
from weft.runs.whole import check_whole
from weft.training import distributed


class Run(TrainedModel):
    """A trained model that can also be evaluated, reported and explained."""

    def evaluate(
        self,
        task: str | None = None,
        *,
        data: Path | str | None = None,
        split: str | None = None,
        audited: bool = True,
    ) -> TaskResult:
        """Measures like `weft evaluate`: the recipe's first task, or `task`, on the recipe's test split, or `split`.

        data: other rows than the recipe's. audited: search for these rows in the training rows.
        """
        name = task or first_task(self)
        path = None if data is None else Path(data)
        return measure([self], name, data=path, split=split, audited=audited).result

    def report(
        self,
        path: Path | str | None = None,
        *,
        data: Path | str | None = None,
        split: str | None = None,
        card: bool = True,
        missing: bool = False,
    ) -> Path:
        """Writes the page of `weft report` to `path` or RUN/report.html, and returns its path.

        data, split: as in `evaluate`. card: include the data card of the measured rows. missing: include each task's
        results with missing streams.
        """
        return report_of(
            self,
            data=None if data is None else Path(data),
            split=split,
            card=card,
            missing=missing,
            path=None if path is None else Path(path),
        )

    def explain(
        self,
        head: str | None = None,
        rows: Sequence[Sample] | None = None,
        method: Method = "auto",
        **streams: Any,
    ) -> list[Explained]:
        """Explains which parts of the input the answers depend on; one explanation for each row.

        head: by default the model's first; without heads, the similarity of the two streams that are given, otherwise
        of the model's first two. rows, streams: as in `read`. method: as in `weft explain`.
        """
        _, dataset = self._member(rows, streams)
        samples = [dataset[n] for n in range(len(dataset))]
        return explain_rows([self], samples, method, head, given=streams)


def load(
    folder: Path | str, device: distributed.DeviceName = "auto", *, trust: Sequence[str] = ()
) -> Run:
    """Loads the run in `folder`, with its best weights.

    trust: your own modules (names, or paths of Python files) with parts of the run; they are imported. No other
    module outside weft is. Raises WeftError if the run is incomplete, or has parts from a module that is not named.
    """
    folder = Path(folder)
    trust_modules(*trust)
    check_whole(folder)
    recipe = with_moved_data(load_recipe(folder), folder)
    described = configs.load(folder / MODEL, ModelConfig)
    model = load_built(folder / WEIGHTS, described.build, folder / MODEL)
    learned = Learned.of(recipe.data.streams, recipe.data.targets)
    learned.restore(folder)
    check_learned(folder)
    place = distributed.device(device)
    return Run(folder, recipe, model.to(place).eval(), learned, place)
