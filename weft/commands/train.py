"""Train a recipe into a run directory, or resume an interrupted run.

weft train RECIPE [--data PATH] [--out RUN] [--SETTING VALUE ...]
weft train --resume RUN [--parallel ddp|fsdp]

RECIPE is a name that `weft list recipes` shows, FILE.py:FUNCTION with a recipe of your own, or a YAML file with
the key `recipe` (a name or FILE.py:FUNCTION) and settings that change it; `weft new` writes one to start from.
"""

import difflib
from pathlib import Path

import weft.recipes
from weft.commands import _essentials
from weft.commands._help import print_doc
from weft.commands._parsing import wants_help
from weft.commands._sources import summaries
from weft.core.errors import WeftError
from weft.core.language import say
from weft.recipes import names


def main(words: list[str]) -> None:
    """Trains, and prints the best metrics and the run directory."""
    if not words or words[0] in ("-h", "--help", "--help-all"):
        print_doc(__doc__)
        print("\n" + say(f"recipes: {', '.join(names())}"))
        print(say("weft train RECIPE --help shows the settings of one that people change most."))
        return
    word, rest = words[0], words[1:]
    if word.startswith("-") and not word.startswith("--resume"):
        _require_no_resume([word])
        raise WeftError(f"the first word after 'weft train' is '{word}', expected a recipe's name")
    if wants_help(rest) and not word.startswith("--resume"):
        about = summaries(weft.recipes, of_function=True).get(word, "")
        _essentials.print_help(word, about, _help(word, rest))
        return
    from weft.commands import _training

    if word.startswith("--resume"):
        _training.go_on(words)
    else:
        _require_no_resume(rest)
        _training.begin(word, rest)


def _require_no_resume(words: list[str]) -> None:
    """Raises WeftError if --resume is misspelt, or comes after a recipe's name."""
    for word in words:
        option = word.partition("=")[0]
        if option.startswith("--") and difflib.get_close_matches(option, ["--resume"], cutoff=0.75):
            raise WeftError(
                f"unknown option {option}; to resume a run: weft train --resume RUN, without a recipe"
            )


def _help(word: str, rest: list[str]) -> _essentials.Help:
    """The content of the recipe's help. With other words besides --help, and for a user's own parts, the recipe must be
    built, which imports torch."""
    found = None
    if not set(rest) - {"-h", "--help"}:
        found = _essentials.kept().get(word)
        if found is None and Path(word).suffix in (".yaml", ".yml", ".json"):
            found = _essentials.of_file(Path(word))
    if found is None:
        from weft.commands._training import essentials

        found = essentials(word, rest)
    return found
