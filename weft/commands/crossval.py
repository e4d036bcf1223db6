"""Cross-validate a recipe: train one run per fold and evaluate it on the rows of that fold.

weft crossval RECIPE --by COLUMN [--together N] [--task NAME] [--data PATH] [--out FOLDER] [--SETTING VALUE ...]

COLUMN names the folds: a column `fold`, or one whose values are left out in turn, such as `speaker` or `patient`.
With --together, N of its values are left out of each run: whole classes, for zero-shot classification.
"""

import json
from pathlib import Path

from weft.commands._help import print_doc
from weft.commands._parsing import wants_help
from weft.core.errors import WeftError
from weft.core.files import write_text
from weft.core.language import say


def main(words: list[str]) -> None:
    """Prints the score of each fold and of all rows, and writes them as JSON."""
    if not words or wants_help(words):
        print_doc(__doc__)
        return
    from weft.commands._training import settings_of, taken
    from weft.runs.cross_validation import cross_validate

    given, rest = taken(("by", "task", "together"), words[1:])
    if words[0].startswith("-"):
        raise WeftError(
            f"the first word after 'weft crossval' is '{words[0]}', expected a recipe's name"
        )
    if "by" not in given:
        raise WeftError("weft crossval needs --by COLUMN, whose values are left out in turn")
    together = given.get("together", "1")
    if not together.isdecimal():
        raise WeftError(f"--together is '{together}', expected a number of values")
    name, arguments = settings_of(words[0], rest, "weft crossval")
    folder = arguments.out or Path("runs") / f"{name}-folds"
    found = cross_validate(
        arguments.recipe, folder, given["by"], task=given.get("task"), together=int(together)
    )
    print(found)
    path = folder / "crossval.json"
    write_text(path, json.dumps(found.to_json(), indent=2, ensure_ascii=False) + "\n")
    print(say(f"written: {path}"))
