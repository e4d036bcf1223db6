"""Exact search among embeddings: what `weft search` asks.

An index is a folder: index.json names the entries and the safetensors file with their vectors. The
JSON is replaced last, so a reader always finds a pair that belongs together.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from weft.core.documents import read_mapping, write_checked
from weft.core.errors import WeftError
from weft.core.files import read_file, write_bytes
from weft.core.media import Media
from weft.core.shapes import check_shape
from weft.data.formats import Dataset
from weft.evaluation.ranking import inner_products
from weft.inference.config import InferenceConfig
from weft.inference.embedding import embed_entries
from weft.inference.entries import list_entries
from weft.inference.member import Member

FORMAT = 1
DESCRIPTION = "index.json"
LARGEST, VECTORS = 2**30, 2**37
"""Bytes of index.json, about ten million entries, and of the vectors."""
CHUNK_ELEMENTS = 2**22
"""Vector elements that are scored at once, in float32."""

DTYPES = {"float16": torch.float16, "float32": torch.float32}


class Hit(NamedTuple):
    """One thing that was found: its score (a cosine), id, and where it lies."""

    score: float
    id: str
    source: str


@dataclass(frozen=True)
class EmbeddingIndex:
    """vectors: (N, E) of unit length, float16 or float32. ids, sources: N each. stream: what they are.

    weights: the checksum of the weights that embedded them, where it is known.
    """

    vectors: Tensor
    ids: tuple[str, ...]
    sources: tuple[str, ...]
    stream: str = "image"
    weights: str | None = None

    def __post_init__(self) -> None:
        check_shape(self.vectors, "N E", "vectors", N=len(self.ids))
        if self.vectors.dtype not in DTYPES.values():
            raise ValueError(f"vectors are {self.vectors.dtype}, expected float16 or float32")
        if len(self.sources) != len(self.ids):
            raise ValueError(f"{len(self.sources)} sources for {len(self.ids)} ids")

    def __len__(self) -> int:
        return len(self.ids)

    def search(self, queries: Tensor, k: int) -> list[list[Hit]]:
        """The k nearest entries of each query (Q, E), best first; all entries where there are fewer.

        Exact; memory is that of one chunk of scores.
        """
        check_shape(queries, "Q E", "queries", E=self.vectors.shape[1])
        if k < 1:
            raise ValueError(f"k is {k}, expected 1 or more")
        scores = torch.empty(len(queries), 0, device=self.vectors.device)
        places = torch.empty(len(queries), 0, dtype=torch.int64, device=self.vectors.device)
        chunk = max(1, CHUNK_ELEMENTS // self.vectors.shape[1])
        for start in range(0, len(self), chunk):
            part = self.vectors[start : start + chunk].float()
            found = inner_products(queries.to(part), part).topk(min(k, len(part)), dim=1)
            scores = torch.cat([scores, found.values], dim=1)
            places = torch.cat([places, found.indices + start], dim=1)
            scores, best = scores.topk(min(k, scores.shape[1]), dim=1)
            places = places.gather(1, best)
        return [
            [Hit(s, self.ids[p], self.sources[p]) for s, p in zip(row, where, strict=True)]
            for row, where in zip(scores.tolist(), places.tolist(), strict=True)
        ]

    def save(self, folder: Path | str) -> None:
        """Writes the index into `folder`; an index that is there stays whole until the new one is."""
        folder = Path(folder)
        data = save({"vectors": self.vectors.cpu().contiguous()})
        name = _file_name(data)
        write_bytes(folder / name, data)
        description = {
            "format": FORMAT,
            "stream": self.stream,
            "vectors": name,
            "ids": self.ids,
            "sources": self.sources,
            "weights": self.weights,
        }
        write_checked(folder / DESCRIPTION, description)
        for old in folder.glob("vectors-*.safetensors"):
            if old.name != name:
                old.unlink(missing_ok=True)

    @classmethod
    def load(cls, folder: Path | str) -> "EmbeddingIndex":
        """Reads what `save` wrote. Raises WeftError that names the file and what is wrong with it."""
        path = Path(folder) / DESCRIPTION
        described = read_mapping(path, LARGEST)
        if described.get("format") != FORMAT:
            raise WeftError(f"{path}: has format {described.get('format')!r}, expected {FORMAT}")
        ids, sources = (_names(described, field, path) for field in ("ids", "sources"))
        stream, name = (_name(described, field, path) for field in ("stream", "vectors"))
        vectors_path = Path(folder) / Path(name).name
        try:
            data = read_file(vectors_path, VECTORS)
            if _file_name(data) != vectors_path.name:
                raise WeftError(
                    f"{vectors_path}: is damaged: its name is not that of its content; "
                    "write the index again with weft embed"
                )
            index = cls(load(data)["vectors"], ids, sources, stream, described.get("weights"))
            if not bool(torch.isfinite(index.vectors).all()):
                raise WeftError(f"{vectors_path}: holds vectors that are not numbers")
            return index
        except FileNotFoundError:
            raise WeftError(f"{vectors_path}: no such file, but {path} names it") from None
        except KeyError:
            raise WeftError(f"{vectors_path}: holds no vectors") from None
        except (SafetensorError, OSError, ValueError) as error:
            raise WeftError(f"{vectors_path}: is not the index's vectors: {error}") from None


def build_index(
    member: Member,
    dataset: Dataset,
    stream: str = "image",
    *,
    config: InferenceConfig | None = None,
    dtype: Literal["float16", "float32"] = "float16",
    device: torch.device | str = "cpu",
) -> EmbeddingIndex:
    """Embeds the data set's `stream` and indexes it; each caption of a list is an entry of its own."""
    config = config or InferenceConfig()
    bad = config.errors.build(len(dataset))
    entries = list_entries(dataset, (stream,), bad).entries[stream]
    found = embed_entries([member], entries, dataset, config, bad, device)
    samples = [dataset[entry.row] for entry in found.entries]
    ids = tuple(
        sample.id if not entry.alternative else f"{sample.id}#{entry.alternative}"
        for entry, sample in zip(found.entries, samples, strict=True)
    )
    sources = tuple(_where(sample.items[stream], sample.source) for sample in samples)
    return EmbeddingIndex(found.vectors[0].to(DTYPES[dtype]), ids, sources, stream)


def _file_name(data: bytes) -> str:
    """The name of a file of vectors: by its content, so that a changed one is noticed."""
    return f"vectors-{hashlib.blake2b(data, digest_size=8).hexdigest()}.safetensors"


def _where(raw: Any, source: str) -> str:
    """The file of a picture that is one; else the place of the row."""
    return str(raw.path) if isinstance(raw, Media) and raw.path is not None else source


def _names(described: dict[str, Any], field: str, path: Path) -> tuple[str, ...]:
    names = described.get(field)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise WeftError(f"{path}: '{field}' is not a list of strings")
    return tuple(names)


def _name(described: dict[str, Any], field: str, path: Path) -> str:
    name = described.get(field)
    if not isinstance(name, str):
        raise WeftError(f"{path}: '{field}' is {name!r}, expected a string")
    return name
