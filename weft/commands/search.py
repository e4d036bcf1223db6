"""Search a run's index with a sentence or a picture."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from weft.commands._parsing import Trusting, parse
from weft.commands.embed import INDEX
from weft.core.errors import WeftError
from weft.index import DESCRIPTION, EmbeddingIndex, Hit
from weft.runs.run import load


@dataclass(frozen=True)
class Arguments(Trusting):
    """The query and the index."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    text: str | None = None
    """Sentence to search for; give either this or --image."""
    image: Path | None = None
    """Picture to search for; give either this or --text."""
    k: int = 5
    """Number of results to print."""
    index: Path | None = None
    """Folder that `weft embed` wrote; RUN/index if not given."""


def main(words: list[str]) -> None:
    """Prints the nearest items, best first."""
    arguments = parse(Arguments, words, "weft search")
    if (arguments.text is None) == (arguments.image is None):
        raise WeftError("search takes either --text or --image")
    if arguments.k < 1:
        raise WeftError(f"--k is {arguments.k}, expected 1 or more")
    folder = arguments.index or arguments.run / INDEX
    run = load(arguments.run, trust=arguments.trust)
    if not (folder / DESCRIPTION).exists():
        raise WeftError(f"{folder}: holds no index; write one with: weft embed {arguments.run}")
    query: dict[str, Any] = (
        {"text": arguments.text} if arguments.image is None else {"image": arguments.image}
    )
    _show(run.search(EmbeddingIndex.load(folder), k=arguments.k, **query)[0])


def _show(hits: list[Hit]) -> None:
    """Prints one line per hit. Lines are not wrapped, so that paths can be copied or piped."""
    print("score  id  where")
    for hit in hits:
        print(f"{hit.score:.3f}  {hit.id}  {hit.source}")
