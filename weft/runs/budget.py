"""The budget of each run in a comparison, and how recipes that are trained in sequence share it."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from weft.core.config import to_json
from weft.core.documents import checksum, read_mapping
from weft.core.errors import WeftError
from weft.core.files import write_text
from weft.runs.recipe import Recipe
from weft.runs.timing import seconds_per_step

STEPS = "steps.json"
"""File in the folder of a comparison with the steps of each budget, so that minutes are timed only once."""


@dataclass(frozen=True)
class Budget:
    """The budget of each run: steps (updates of the weights) or minutes of training.

    pretraining: if recipes are trained in sequence, the share of all but the last together, in equal parts.
    """

    steps: int | None = None
    minutes: float | None = None
    pretraining: float = 0.5

    @classmethod
    def parse(cls, text: str, pretraining: float = 0.5) -> "Budget":
        """Parses `500 steps`, `500`, `3 minutes`, `2.5min`. Raises WeftError for anything else."""
        if not 0 < pretraining < 1:
            raise WeftError(
                f"the share of pretraining is {pretraining}, expected above 0 and below 1"
            )
        found = re.fullmatch(r"([\d.]+)\s*(steps?|min(?:utes?)?|)", text.strip().lower())
        number = found[1] if found else ""
        if found and found[2].startswith("min") and re.fullmatch(r"\d+\.?\d*|\.\d+", number):
            if float(number) > 0:
                return cls(minutes=float(number), pretraining=pretraining)
        elif found and number.isdigit() and int(number) > 0:
            return cls(steps=int(number), pretraining=pretraining)
        raise WeftError(
            f"the budget is '{text}', expected a number of steps or minutes, such as "
            "'500 steps' or '3 minutes'"
        )

    def __str__(self) -> str:
        return f"{self.steps} steps" if self.minutes is None else f"{self.minutes:g} minutes"

    def shares(self, recipes: int) -> list[float]:
        """Returns the share of each recipe when this many are trained in sequence."""
        if recipes == 1:
            return [1.0]
        return [self.pretraining / (recipes - 1)] * (recipes - 1) + [1 - self.pretraining]

    def steps_of(self, entry: str, recipes: Sequence[Recipe], folder: Path) -> list[int]:
        """Returns the steps of each recipe. Minutes are converted by timing the first steps, once in `folder`.

        Raises WeftError if there are too few steps to share.
        """
        shares = self.shares(len(recipes))
        if self.minutes is None:
            early = [round(share * int(self.steps or 0)) for share in shares[:-1]]
            found = [*early, int(self.steps or 0) - sum(early)]
            if min(found) < 1:
                raise WeftError(
                    f"the budget of {entry} is {self}, expected a step or more for each of its {len(recipes)} recipes"
                )
            return found
        asked = [str(self), self.pretraining, [to_json(recipe) for recipe in recipes]]
        key = f"{entry} {checksum(asked)}"
        known = read_mapping(folder / STEPS) if (folder / STEPS).exists() else {}
        if key not in known:
            known[key] = [
                max(1, int(60 * share * self.minutes / max(seconds_per_step(recipe), 1e-9)))
                for share, recipe in zip(shares, recipes, strict=True)
            ]
            write_text(folder / STEPS, json.dumps(known, indent=2) + "\n")
        return [int(steps) for steps in known[key]]
