"""A run directory as an object that embeds and is measured."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.architectures.model import Model, ModelConfig
from weft.core import config as configs
from weft.core.errors import DataError, WeftError, unknown_name
from weft.core.interfaces import Modality, Target
from weft.core.records import Batch, Field
from weft.core.tensors import load_model
from weft.data.formats import Dataset, address_of
from weft.data.sources import FilesConfig
from weft.index import EmbeddingIndex, Hit
from weft.inference.embedding import evaluating
from weft.inference.member import Member
from weft.runs.parts import (
    MODEL,
    RECIPE,
    WEIGHTS,
    build_modalities,
    build_sources,
    build_targets,
    restore_learned,
)
from weft.runs.recipe import Recipe
from weft.training import distributed

BATCH = 64


class Run:
    """A trained model with everything that it needs to read new data."""

    def __init__(
        self,
        folder: Path,
        recipe: Recipe,
        model: Model,
        modalities: Mapping[str, Modality],
        targets: Mapping[str, Target],
        device: torch.device,
    ) -> None:
        self.folder = folder
        self.recipe = recipe
        self.model = model
        self.modalities = dict(modalities)
        self.targets = dict(targets)
        self.device = device

    def embed(self, **streams: Any) -> Tensor | dict[str, Tensor]:
        """Unit-length embeddings (N, E), float32, of values that the run's modalities read.

        Each keyword is a stream of the model, such as image (paths, bytes or uint8 arrays H W 3) or
        text (strings); its value is one item or a list of N. One stream gives a tensor, several give
        a dict of them. The fixed views of an item are averaged.
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
        modality = self.modalities[stream]
        raws = list(value) if isinstance(value, list | tuple) else [value]
        items = [_decoded(modality, _as_raw(stream, raw)) for raw in raws]
        generator = torch.Generator()
        vectors: list[Tensor] = []
        with evaluating(self.model, self.device, "fp32"):
            for start in range(0, len(items), BATCH):
                total: Tensor | None = None
                for view in range(modality.views):
                    tensors = [
                        modality.transform(item, train=False, generator=generator, view=view)
                        for item in items[start : start + BATCH]
                    ]
                    field = modality.collate(tensors).to(self.device)
                    found = self.model.embed(stream, self.model.encode(stream, field))
                    total = found if total is None else total + found
                if total is not None:
                    vectors.append(F.normalize(total, dim=-1).cpu())
        # Inference tensors refuse autograd; a copy made outside is an ordinary tensor.
        return torch.cat(vectors).clone()

    def batch(self, **streams: Any) -> Batch:
        """One row of the values that the run's modalities read, as `embed` takes them.

        A stream that is not given is missing from the batch.
        """
        inputs: dict[str, Field] = {}
        generator = torch.Generator()
        for name, raw in streams.items():
            if name not in self.modalities:
                raise unknown_name("stream", name, self.modalities)
            modality = self.modalities[name]
            item = _decoded(modality, _as_raw(name, raw))
            tensor = modality.transform(item, train=False, generator=generator)
            inputs[name] = modality.collate([tensor])
        return Batch(inputs, ids=["given"], groups=torch.zeros(1, dtype=torch.int64)).to(
            self.device
        )

    def search(self, index: EmbeddingIndex, k: int = 5, **query: Any) -> list[list[Hit]]:
        """The k nearest items of `index` for each query: `text=...` or `image=...`, as in `embed`."""
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
        return Member(self.model, sources, self.modalities, self.targets, training)


def _decoded(modality: Modality, raw: Any) -> Any:
    """The item; what is wrong with a file is said with its name."""
    try:
        return modality.decode(raw)
    except WeftError as error:
        if isinstance(raw, Path) and raw.is_file():
            raise DataError(str(error), source=str(raw)) from error
        raise


def _as_raw(stream: str, raw: Any) -> Any:
    """A string names a picture's file where the stream is not text."""
    words = isinstance(raw, str) and not stream.startswith(("text", "question"))
    return Path(raw) if words else raw


def on_files(recipe: Recipe, data: Path | str) -> Recipe:
    """`recipe` with its rows read from the files at `data`, a path or an address."""
    path = Path(data) if address_of(data) is not None else Path(data).absolute()
    return recipe.replace(data=replace(recipe.data, source=FilesConfig(path)))


def load(folder: Path | str, device: distributed.DeviceName = "auto") -> Run:
    """The run in `folder`, with its best weights. Raises WeftError where it is not a whole run."""
    folder = Path(folder)
    for name in (RECIPE, MODEL, WEIGHTS):
        if not (folder / name).exists():
            raise WeftError(f"{folder}: is not a trained run ({name} is missing)")
    recipe = configs.load(folder / RECIPE, Recipe)
    model = configs.load(folder / MODEL, ModelConfig).build()
    load_model(folder / WEIGHTS, model)
    modalities, targets = build_modalities(recipe), build_targets(recipe)
    restore_learned({**modalities, **targets}, folder)
    place = distributed.device(device)
    return Run(folder, recipe, model.to(place).eval(), modalities, targets, place)
