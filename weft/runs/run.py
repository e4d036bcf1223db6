"""A run directory as an object that embeds, predicts and is measured."""

import logging
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
from weft.data.formats import NOTHING_SAID, Dataset, Said
from weft.data.learned import Learned
from weft.data.sources import FilesConfig
from weft.heads.output import Output
from weft.index import EmbeddingIndex, Hit
from weft.inference.config import InferenceConfig
from weft.inference.embedding import embed_entries
from weft.inference.given import given
from weft.inference.member import Entry, Member
from weft.inference.predict import Predictions, predict
from weft.inference.rows import Reading, read_rows
from weft.runs.moved import with_moved_data
from weft.runs.own_columns import with_columns_found
from weft.runs.parts import (
    MODEL,
    RECIPE,
    WEIGHTS,
    build_sources,
    check_learned,
    load_recipe,
)
from weft.runs.recipe import Recipe
from weft.training import checkpoint, distributed

log = logging.getLogger("weft.runs")

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

        Each keyword is a stream of the model, such as image (paths, bytes or uint8 arrays H W 3) or
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
        return _batches([self._reading(member, dataset)], dataset, self.device)[0]

    def _reading(self, member: Member, rows: Sequence[Sample], view: int = 0) -> Reading:
        names = [stream for stream in member.sources if stream in self.model.encoders]
        return Reading.of(member, rows, names, view)

    def predict(
        self,
        head: str | None = None,
        rows: Sequence[Sample] | None = None,
        **streams: Any,
    ) -> Predictions:
        """What a head says of each row: classes with probabilities, numbers or texts.

        head: the model's first if not named. rows, streams: as in `read`. A row that has nothing of
        what the head reads is left out. Raises WeftError for what cannot be read.
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

    def _member(
        self, rows: Sequence[Sample] | None, streams: Mapping[str, Any]
    ) -> tuple[Member, Sequence[Sample]]:
        """What reads these rows, or these values, raw; a row may lack any stream."""
        if (rows is None) == (not streams):
            raise ValueError(
                f"got {'both rows and streams' if streams else 'nothing'}, expected rows, or one or "
                f"more of the streams {', '.join(self.modalities)}"
            )
        if rows is None:
            values = given(streams, self.modalities)
            return Member(self.model, values.sources, self.learned), values.samples
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


def read_together(runs: Sequence[Run], rows: Sequence[Sample], views: int) -> list[Batch]:
    """The batches of these rows in the first evaluation views of each run, run by run; see `Run.read`.

    Each row is read once for all of them.
    """
    readings = [
        run._reading(run._member(rows, {})[0], rows, view) for run in runs for view in range(views)
    ]
    return _batches(readings, rows, runs[0].device)


def _batches(
    readings: Sequence[Reading], rows: Sequence[Sample], device: torch.device
) -> list[Batch]:
    """All rows in one batch, as each reading sees them."""
    config = InferenceConfig(batch_size=max(1, len(rows)), workers=0)
    return list(next(read_rows(readings, rows, config, device=device)).batches)


def on_files(recipe: Recipe, data: Path | str | None, said: Said = NOTHING_SAID) -> Recipe:
    """`recipe` with its rows read from the files at `data`, a path or an address.

    said: what the user says of the table. Where the recipe reads files already, its columns and encoding
    hold unless others are said; without `data` its files do too. A stream `text` or `image` without a
    column of its name reads the only column of its kind. Rows without a split are divided as in training:
    the same files have the same test rows. Raises WeftError where a stream finds no column.
    """
    before = recipe.data.source.files
    if before is not None:
        kept = before
    elif data is not None:
        kept = FilesConfig(Path(data))
    else:
        raise WeftError("what is said of a table (--columns, ...) needs the table: --data PATH")
    source = FilesConfig(
        kept.path if data is None else Path(data),
        columns=dict(said.columns or kept.columns),
        images_dir=said.images_dir or (kept.images_dir if data is None else None),
        encoding=said.encoding or kept.encoding,
        division=kept.division,
    ).absolute()
    source = with_columns_found(source, recipe.data)
    return recipe.replace(data=replace(recipe.data, source=source))


def _check_whole(folder: Path) -> None:
    """Raises WeftError where it is no trained run; says where its training has not ended."""
    unfinished = checkpoint.progress(folder)
    state = "" if unfinished is None else "{:,} of {:,} steps are done".format(*unfinished)
    for name in (RECIPE, MODEL, WEIGHTS):
        if not (folder / name).exists():
            if name == RECIPE:
                raise WeftError(f"{folder}: is not a trained run ({name} is missing)")
            raise WeftError(
                f"{folder}: its training has not come to a first evaluation ({name} is missing"
                f"{state and f'; {state}'}); go on with: weft train --resume {folder}"
            )
    if state:
        log.warning(
            "%s: its training has not ended, %s; these are its best weights so far. Go on with: "
            "weft train --resume %s",
            *(folder, state, folder),
        )


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
    _check_whole(folder)
    recipe = with_moved_data(load_recipe(folder), folder)
    described = configs.load(folder / MODEL, ModelConfig)
    model = load_built(folder / WEIGHTS, described.build, folder / MODEL)
    learned = Learned.of(recipe.data.streams, recipe.data.targets)
    learned.restore(folder)
    check_learned(folder)
    place = distributed.device(device)
    return Run(folder, recipe, model.to(place).eval(), learned, place)
