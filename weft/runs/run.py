"""A run directory as an object that embeds, predicts and is measured."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from weft.architectures.model import Model, ModelConfig
from weft.core import config as configs
from weft.core.errors import WeftError, unknown_name
from weft.core.interfaces import Modality, Target
from weft.core.records import Batch
from weft.core.samples import Sample
from weft.core.tensors import load_built
from weft.core.trust import trust_modules
from weft.data.columns import ModalitySource
from weft.data.formats import Dataset, Said
from weft.data.learned import Learned
from weft.data.memory import dataset_of, is_table, rows_of_table
from weft.explain.method import Method
from weft.heads.output import Output
from weft.index import EmbeddingIndex, Hit
from weft.inference.config import InferenceConfig
from weft.inference.embedding import embed_entries
from weft.inference.given import given
from weft.inference.member import Entry, Member
from weft.inference.predict import Predictions, predict
from weft.inference.results import TaskResult
from weft.inference.rows import Reading
from weft.report.explanations import Explained
from weft.runs.explaining import explain_rows
from weft.runs.measure import measure
from weft.runs.moved import with_moved_data
from weft.runs.new_rows import rows_like, said_of
from weft.runs.parts import (
    MODEL,
    WEIGHTS,
    build_sources,
    check_learned,
    load_recipe,
)
from weft.runs.reading import as_batches
from weft.runs.recipe import Recipe
from weft.runs.reporting import report_of
from weft.runs.whole import check_whole
from weft.training import distributed

BATCH = 64


class Run:
    """A trained model with everything that it needs to read new data."""

    def __init__(
        self,
        folder: Path,
        recipe: Recipe,
        model: Model,
        learned: Learned,
        device: torch.device,
    ) -> None:
        self.folder = folder
        self.recipe = recipe
        self.model = model
        self.learned = learned
        self.device = device

    @property
    def modalities(self) -> dict[str, Modality]:
        return self.learned.modalities

    @property
    def targets(self) -> dict[str, Target]:
        return self.learned.targets

    def embed(self, **streams: Any) -> Tensor | dict[str, Tensor]:
        """Unit-length embeddings (N, E), float32, of values that the run's modalities read.

        Each keyword is a stream of the model, such as image (paths, bytes, pictures of Pillow, arrays) or
        text (strings); its value is one or a list of N. One stream gives a tensor, several give
        a dict of them. The fixed views of a value are averaged.
        """
        if not streams:
            raise ValueError(f"embed got nothing, expected one or more of {self.streams}")
        found = {name: self._embed(name, value) for name, value in streams.items()}
        return found if len(found) > 1 else next(iter(found.values()))

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams that the model can embed."""
        return tuple(name for name in self.modalities if name in self.model.projections)

    def _embed(self, stream: str, value: Any) -> Tensor:
        if stream not in self.streams:
            raise unknown_name("stream", stream, self.streams)
        rows = given({stream: value}, self.modalities)
        entries = [Entry(stream, row) for row in range(len(rows.samples))]
        config = InferenceConfig(batch_size=BATCH, workers=0)
        bad = config.errors.build(len(entries))
        member = Member(self.model, rows.sources)
        found = embed_entries([member], entries, rows.samples, config, bad, self.device)
        # Inference tensors refuse autograd; a copy made outside is an ordinary tensor.
        return found.vectors[0].clone()

    def read(self, rows: Sequence[Sample] | None = None, **streams: Any) -> Batch:
        """The batch that the model reads: of these rows, or of values that the modalities read.

        Each keyword is a stream; its value is one, which goes with every row, or a list of N, None
        where a row lacks the stream. Rows of a data set are read from it. What is not given, or what no
        row has, is missing from the batch. Raises WeftError for what cannot be read.
        """
        member, dataset = self._member(rows, streams)
        return as_batches([self._reading(member, dataset)], dataset, self.device)[0]

    def readings(self, rows: Sequence[Sample], views: int) -> list[Reading]:
        """These rows as the model reads them in each of the first evaluation views."""
        member, _ = self._member(rows, {})
        return [self._reading(member, rows, view) for view in range(views)]

    def _reading(self, member: Member, rows: Sequence[Sample], view: int = 0) -> Reading:
        names = [stream for stream in member.sources if stream in self.model.encoders]
        return Reading.of(member, rows, names, view)

    def predict(
        self,
        rows: Any = None,
        head: str | None = None,
        **streams: Any,
    ) -> Predictions:
        """What a head says of each row: classes with probabilities, numbers or texts.

        rows: of a data set, the path of a table or a folder, or a table in memory (of pandas or pyarrow, or a list
        of dicts), whose columns are read as those of training were. head: the model's first if not named. streams:
        as in `read`. A row that has nothing of what the head reads is left out. Raises WeftError for what cannot
        be read.
        """
        member, dataset = self._member(rows, streams)
        config = InferenceConfig(batch_size=BATCH, workers=0)
        return predict([member], dataset, self.head(head), config, device=self.device)

    def head(self, name: str | None = None, kind: type[Output] = Output) -> str:
        """The head of that name; without a name the first whose output is of that kind.

        Raises WeftError where the model has none.
        """
        known = {n: self.model.head(n) for n in self.model.heads}
        if name is not None and name not in known:
            raise unknown_name(f"head of the run {self.folder}", name, known)
        fitting = [n for n, head in known.items() if isinstance(head.output, kind)]
        if name is not None and name not in fitting:
            raise WeftError(
                f"{self.folder}: head '{name}' has a {type(known[name].output).__name__}, "
                f"expected a {kind.__name__}"
            )
        if not known:
            raise WeftError(
                f"{self.folder}: this run has no heads, so it predicts nothing; its embeddings serve "
                "`weft evaluate` and `weft search`"
            )
        if not fitting:
            has = ", ".join(f"{n} ({type(h.output).__name__})" for n, h in known.items())
            raise WeftError(
                f"{self.folder}: this run has no head with a {kind.__name__}, its heads are: {has}"
            )
        return name or fitting[0]

    def _member(self, rows: Any, streams: Mapping[str, Any]) -> tuple[Member, Sequence[Sample]]:
        """What reads these rows, or these values, raw; a row may lack any stream."""
        if (rows is None) == (not streams):
            raise ValueError(
                f"got {'both rows and streams' if streams else 'nothing'}, expected rows, or one or "
                f"more of the streams {', '.join(self.modalities)}"
            )
        if rows is None:
            values = given(streams, self.modalities)
            return Member(self.model, values.sources, self.learned), values.samples
        if isinstance(rows, str | Path):
            rows = rows_like(self.recipe, Path(rows))
        elif is_table(rows):
            rows = _rows_in_memory(self.recipe, rows)
        return self.reading(rows), rows

    def reading(self, rows: Sequence[Sample]) -> Member:
        """The model as it reads these rows raw, each of which may lack any stream."""
        sources = {
            stream: ModalitySource(rows, stream, modality, optional=True)
            for stream, modality in self.modalities.items()
        }
        return Member(self.model, sources, self.learned)

    def search(self, index: EmbeddingIndex, k: int = 5, **query: Any) -> list[list[Hit]]:
        """The k nearest entries of `index` for each query: `text=...` or `image=...`, as in `embed`."""
        if len(query) != 1:
            raise ValueError(f"search got {sorted(query)}, expected one of {self.streams}")
        return index.search(cast(Tensor, self.embed(**query)), k)

    def evaluate(
        self,
        task: str | None = None,
        *,
        data: Path | str | None = None,
        split: str | None = None,
        audited: bool = True,
    ) -> TaskResult:
        """What `weft evaluate` measures: the recipe's first task, or `task`, on the recipe's test split, or `split`.

        data: other rows than the recipe's. audited: look for these rows among those of training.
        """
        name = task or next(iter(self.recipe.tasks), "retrieval")
        path = None if data is None else Path(data)
        return measure([self], name, data=path, split=split, audited=audited).result

    def report(
        self,
        path: Path | str | None = None,
        *,
        data: Path | str | None = None,
        split: str | None = None,
        card: bool = True,
    ) -> Path:
        """Writes the page that `weft report` writes, to `path` or RUN/report.html; gives its path.

        data, split: as in `evaluate`. card: with the data card of the measured rows.
        """
        return report_of(
            self,
            data=None if data is None else Path(data),
            split=split,
            card=card,
            path=None if path is None else Path(path),
        )

    def explain(
        self,
        head: str | None = None,
        rows: Sequence[Sample] | None = None,
        method: Method = "auto",
        **streams: Any,
    ) -> list[Explained]:
        """Which parts of the input the answers depend on; one explanation a row.

        head: the model's first if not named; in a model without heads the similarity of picture and text.
        rows, streams: as in `read`. method: as in `weft explain`.
        """
        _, dataset = self._member(rows, streams)
        return explain_rows([self], [dataset[n] for n in range(len(dataset))], method, head)

    def __repr__(self) -> str:
        count = sum(parameter.numel() for parameter in self.model.parameters())
        heads = f", heads {', '.join(self.model.heads)}" if self.model.heads else ""
        return (
            f"Run({self.folder}: streams {', '.join(self.modalities)}{heads}, {count:,} parameters)"
        )

    def member(
        self, dataset: Dataset, training: Dataset | None = None, *, cached: bool = True
    ) -> Member:
        """The model with sources that read `dataset`.

        training: the rows that it was trained on, for baselines. cached: from the feature cache, as the
        recipe says; otherwise every stream is raw.
        """
        data = self.recipe.data if cached else replace(self.recipe.data, cache={})
        sources = build_sources(
            self.recipe.replace(data=data),
            dataset,
            self.model,
            self.modalities,
            train=False,
            device=self.device,
        )
        return Member(self.model, sources, self.learned, training)


def load(
    folder: Path | str, device: distributed.DeviceName = "auto", *, trust: Sequence[str] = ()
) -> Run:
    """The run in `folder`, with its best weights.

    trust: modules of your own (names, or paths of Python files) that its parts come from; they are
    imported. Nothing else but weft is. Raises WeftError where it is not a whole run, or has parts from
    a module that was not named.
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


def _rows_in_memory(recipe: Recipe, table: Any) -> Dataset:
    """A table in memory as rows, its columns as those of the recipe's own rows."""
    names = {str(name) for row in rows_of_table(table) for name in row}
    files = recipe.data.source.files
    forms = {} if files is None else files.forms
    return dataset_of(table, Said(said_of(recipe, names), forms=forms))
