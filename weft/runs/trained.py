"""A trained model that reads new rows: it embeds, predicts and searches."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from weft.architectures.model import Model, ModelConfig
from weft.core import config as configs
from weft.core.errors import WeftError, unknown_name
from weft.core.interfaces import Modality, Target
from weft.core.language import say
from weft.core.records import Batch
from weft.core.samples import Sample
from weft.data.columns import ModalitySource
from weft.data.formats import Dataset, Said
from weft.data.learned import Learned
from weft.data.memory import dataset_of, is_table, rows_of_table
from weft.data.policy import ErrorPolicy
from weft.heads.output import Output
from weft.index import Hit, Index, Where
from weft.inference.config import BATCH, InferenceConfig
from weft.inference.embedding import embed_entries
from weft.inference.given import given
from weft.inference.member import Entry, Member, ViewedSource
from weft.inference.predict import Predictions, predict
from weft.inference.rows import Reading
from weft.modalities.audio import Audio
from weft.runs.new_rows import rows_like, said_of
from weft.runs.parts import MODEL, build_sources
from weft.runs.reading import as_batches
from weft.runs.recipe import Recipe


class TrainedModel:
    """The content of a run directory: the model, its recipe, and the state learned from the training rows."""

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

    @property
    def optional(self) -> tuple[str, ...]:
        """The streams that a row may lack: by the recipe, or because the model works without them."""
        return tuple(dict.fromkeys((*self.recipe.data.optional, *self.model.spared_streams)))

    def in_noise(self, decibels: float) -> "TrainedModel":
        """Returns the same model with white noise added to every sound, `decibels` below the sound's power.

        Raises WeftError if no stream holds sounds.
        """
        noisy: dict[str, Modality] = {
            name: modality.config.replace(eval_noise=decibels).build()
            for name, modality in self.modalities.items()
            if isinstance(modality, Audio)
        }
        if not noisy:
            raise WeftError(f"{self.folder}: reads no sounds, to which noise could be added")
        learned = replace(self.learned, modalities={**self.modalities, **noisy})
        return TrainedModel(self.folder, self.recipe, self.model, learned, self.device)

    def embed(self, **streams: Any) -> Tensor | dict[str, Tensor]:
        """Returns unit-length embeddings (N, E), float32, of values that the run's modalities read.

        Each keyword is a stream of the model, such as image (paths, bytes, Pillow images, arrays) or text (strings);
        its value is one item or a list of N. One stream gives a tensor, several give a dict. The fixed views of a
        value are averaged.
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
        rows = given({stream: value}, self.modalities, optional=False)
        return self.embed_rows(stream, Member(self.model, rows.sources), rows.samples)

    def embed_rows(self, stream: str, member: Member, rows: Sequence[Sample]) -> Tensor:
        """(N, E) unit-length embeddings, float32, of one stream of these rows, as the member reads it."""
        entries = [Entry(stream, row) for row in range(len(rows))]
        config = InferenceConfig(batch_size=BATCH, workers=0)
        bad = config.errors.build(len(entries))
        found = embed_entries([member], entries, rows, config, bad, self.device)
        # Inference tensors do not work with autograd; a copy made outside is an ordinary tensor.
        return found.vectors[0].clone()

    def read(self, rows: Sequence[Sample] | None = None, **streams: Any) -> Batch:
        """Returns the model's batch for these rows, or for values that the modalities read.

        Each keyword is a stream. Its value is one item, which is used for every row, or a list of N, with None for a
        row that lacks the stream. Rows of a data set are read from it. Streams that are not given, or that no row
        has, are missing from the batch. Raises WeftError for unreadable values.
        """
        member, dataset = self._member(rows, streams)
        return as_batches([self._reading(member, dataset)], dataset, self.device)[0]

    def readings(self, rows: Sequence[Sample], views: int) -> list[Reading]:
        """Returns these rows as the model reads them in each of the first evaluation views."""
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
        """Returns a head's prediction for each row: classes with probabilities, numbers or texts.

        rows: of a data set, the path of a table or a folder, or a table in memory (from pandas or pyarrow, or a list
        of dicts), whose columns are read as in training. head: by default the model's first that reads the given
        streams. streams: as in `read`. A row without any input of the head is left out. Raises WeftError for
        unreadable values.
        """
        member, dataset = self._member(rows, streams)
        return self.predict_rows(member, dataset, self.head(head, given=streams))

    def predict_rows(
        self,
        member: Member,
        rows: Dataset | Sequence[Sample],
        head: str,
        errors: ErrorPolicy | None = None,
    ) -> Predictions:
        """Returns the head's predictions for these rows, as the member reads them. errors: by default, the first
        row that cannot be read raises its DataError.
        """
        config = InferenceConfig(batch_size=BATCH, workers=0, errors=errors or ErrorPolicy())
        return predict([member], rows, head, config, device=self.device)

    def head(
        self, name: str | None = None, kind: type[Any] = Output, given: Collection[str] = ()
    ) -> str:
        """Returns the head of that name. Without a name, the first with that kind of output, preferably one that
        reads the given streams.

        Raises WeftError if the model has none.
        """
        known = {n: self.model.head(n) for n in self.model.heads}
        if name is not None and name not in known:
            raise unknown_name(f"head of the run {self.folder}", name, known)
        fitting = [n for n, head in known.items() if isinstance(head.output, kind)]
        if name is not None and name not in fitting:
            raise WeftError(
                f"{self.folder}: head '{name}' {known[name].output.does}, expected one that {kind.does}"
            )
        if not known:
            raise WeftError(
                f"{self.folder}: this run has no heads, so it predicts nothing; its embeddings serve "
                "`weft evaluate` and `weft search`"
            )
        if not fitting:
            has = ", ".join(f"{n} ({say(h.output.does)})" for n, h in known.items())
            raise WeftError(f"{self.folder}: no head of this run {kind.does}, its heads are: {has}")
        reads = [n for n in fitting if set(given) <= set(self.model.streams_of(n))]
        return name or (reads or fitting)[0]

    def values(self, **streams: Any) -> tuple[Member, Sequence[Sample]]:
        """Returns the reader of these values, as in `read`, and their rows."""
        return self._member(None, streams)

    def _member(self, rows: Any, streams: Mapping[str, Any]) -> tuple[Member, Sequence[Sample]]:
        """Returns the reader of these rows, or values, without a cache. A row may lack any stream."""
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

    def reading(self, rows: Dataset) -> Member:
        """Returns the model with these rows, read without a cache. A row may lack any stream."""
        sources = {
            stream: ModalitySource(rows, stream, modality, optional=True)
            for stream, modality in self.modalities.items()
        }
        return Member(self.model, sources, self.learned)

    def search(
        self, index: Index, k: int = 5, *, where: Where | None = None, **query: Any
    ) -> list[list[Hit]]:
        """Returns the k nearest entries of `index` for each query: `text=...` or `image=...`, as in `embed`.

        where: restricts the results by their metadata: {"colour": "red", "year": {"min": 2020}}.
        """
        if len(query) != 1:
            raise ValueError(f"search got {sorted(query)}, expected one of {self.streams}")
        return index.search(cast(Tensor, self.embed(**query)), k, where=where)

    def __repr__(self) -> str:
        count = sum(parameter.numel() for parameter in self.model.parameters())
        heads = f", heads {', '.join(self.model.heads)}" if self.model.heads else ""
        return f"{type(self).__name__}({self.folder}: streams {', '.join(self.modalities)}{heads}, {count:,} parameters)"

    def member(
        self,
        dataset: Dataset,
        training: Dataset | None = None,
        *,
        cached: bool = True,
        validation: Dataset | None = None,
    ) -> Member:
        """Returns the model with sources that read `dataset`.

        training, validation: see `Member`. cached: use the feature cache as the recipe says; otherwise every stream
        is read raw.
        """
        recipe = self.recipe
        if not cached:
            recipe = recipe.replace(data=replace(recipe.data, cache={}))
        if (
            recipe.data.cache
        ):  # as in training, even if the files from which it started no longer exist
            recipe = recipe.replace(model=configs.load(self.folder / MODEL, ModelConfig))

        def reading(rows: Dataset) -> dict[str, ViewedSource]:
            return build_sources(
                recipe, rows, self.model, self.modalities, train=False, device=self.device
            )

        return Member(
            self.model, reading(dataset), self.learned, training, validation, reading=reading
        )


def _rows_in_memory(recipe: Recipe, table: Any) -> Dataset:
    """Returns a table in memory as rows, with its columns read like those of the recipe."""
    names = {str(name) for row in rows_of_table(table) for name in row}
    files = recipe.data.source.files
    forms = {} if files is None else files.forms
    return dataset_of(table, Said(said_of(recipe, names), forms=forms))
