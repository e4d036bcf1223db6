"""Command line -> typed dataclass; a mistake is a one-line error."""

import contextlib
import difflib
import io
import itertools
import re
import sys
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, cast, get_type_hints

import tyro

from weft.commands._help import print_help, required
from weft.core.errors import WeftError

T = TypeVar("T")
BOX = "│╭╮╰╯─┌┐└┘ "


@dataclass(frozen=True, kw_only=True)
class Trusting:
    """Options of every command that loads a run."""

    trust: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Your own Python file or module that defines parts of the run. Weft imports it."""


def wants_help(words: list[str]) -> bool:
    """Whether the words ask for help."""
    return "-h" in words or "--help" in words


def parse(cls: type[T], words: list[str], prog: str, default: T | None = None) -> T:
    """Parses the words of a command line into an instance of the dataclass `cls`.

    Raises WeftError, one line with the nearest flags, for an unknown option or an invalid value.
    """
    if wants_help(words):
        print_help(cls, prog, default)
        raise SystemExit(0)
    words = _with_values(cls, ["--help" if word == "--help-all" else word for word in words])
    for place, word in enumerate(words):
        if not word or re.fullmatch(r"--[^=\s]+=", word):
            flag = word.rstrip("=") or (words[place - 1] if place else "the first word")
            raise WeftError(f"{flag}: got an empty value; is a variable of the shell not set?")
    spoken = io.StringIO()
    try:
        with contextlib.redirect_stderr(spoken):
            parsed = _tyro(cls, words, prog, default)
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        message, near = _one_line(spoken.getvalue(), words)
        flags = _flags(cls, prog, default)
        if strange := _strange(message, words, flags):
            message = f"Unrecognized options: {strange}"
        near = (
            _nearest_choices(message)
            or _same(message, flags)
            or _nearest(message, near)
            or _nearest(message, flags)
            or [flag for flag in near if _unknown(message)[2:] in flag]
        )
        hint = f"; did you mean {' or '.join(near[:3])}?" if near else ""
        if not near and "--input" in flags and (option := _unknown(message)):
            hint = f"; --input {option[2:]}=VALUE gives a stream or column by its name"
        raise WeftError(f"{_reworded(message, required(cls))}{hint}") from None
    except ValueError as error:  # a config refused its values
        raise WeftError(str(error)) from None
    sys.stderr.write(spoken.getvalue())
    return parsed


def _strange(message: str, words: list[str], flags: list[str]) -> str:
    """The first word that looks like a flag and is none, if the message says that arguments are missing: tyro looks at
    unknown flags only if nothing is missing.
    """
    named = [word.partition("=")[0] for word in words if word.startswith("--")]
    unknown = [flag for flag in named if flag.replace("_", "-") not in flags]
    return unknown[0] if unknown and message.startswith("Missing ") else ""


def _with_values(cls: type, words: list[str]) -> list[str]:
    """Inserts the word True after each boolean option without a value."""
    hints = get_type_hints(cls)
    switches = {f"--{name.replace('_', '-')}" for name, hint in hints.items() if hint is bool}
    found: list[str] = []
    for word, following in itertools.zip_longest(words, words[1:], fillvalue="--"):
        found.append(word)
        if word in switches and following.startswith("-"):
            found.append("True")
    return found


def _tyro(cls: type[T], words: list[str], prog: str, default: T | None) -> T:
    if default is not None and not words:
        return default  # tyro would take a fifth of a second for the settings of a recipe
    parsed: Any = tyro.cli(
        cls,
        args=words,
        prog=prog,
        default=cast(Any, default),
        description="",
        config=(tyro.conf.AvoidSubcommands, tyro.conf.FlagConversionOff),
    )
    return cast(T, parsed)


def _one_line(box: str, words: list[str]) -> tuple[str, list[str]]:
    """Parses the box in which tyro prints an error: the error as one line, and similar flags."""
    lines = [line.strip(BOX) for line in box.splitlines()[1:]]
    # If stdout is not UTF-8, tyro prints the box with hyphens; the first line of hyphens is below the title.
    lines = ["" if set(line) == {"-"} else line for line in lines]
    lines = lines[1:] if lines and lines[0] == "" else lines
    end = lines.index("") if "" in lines else len(lines)
    near = [line.split()[0] for line in lines[end:] if line.startswith("--")]
    return " ".join(lines[:end]), [flag for flag in dict.fromkeys(near) if flag not in words]


REWORDED = (
    (r"^Unrecognized options: ([^\s,]+).*", r"unknown option \1"),
    (
        r"^Error parsing (\S+): invalid literal for int\(\) with base 10: (.*)",
        r"\1 is \2, expected a whole number",
    ),
    (
        r"^Error parsing (\S+): could not convert string to float: (.*)",
        r"\1 is \2, expected a number",
    ),
    (r"^Error parsing [A-Z]\w*: (\w+) is ", r"--\1 is "),
    (r"^Error parsing (?:recipe\.|config\.)?(\S+): ", r"\1: "),
    (r"^Missing value for argument '(.*?)'\. Expected 1 values\.", r"\1 needs a value"),
    (r"^Missing value for argument '(.*?)'\. Expected (\d+) values\.", r"\1 needs \2 values"),
    (
        r"^invalid choice (.*) for argument '(.*)'\. Expected one of \((.*?),?\)\.",
        r"\2 is \1, expected one of \3",
    ),
)
"""Pattern of tyro's message -> the same message in weft's wording."""


MISSING = r"(?:^|\(required\) )(\S+)"
"""The flag, or the type, of each argument that tyro lists as missing."""
NO_TYPE = r"^Error parsing (?:recipe\.|config\.)?(\S+): no type matching (.*) could be instantiated from \[(.*)\]\."
NO_TUPLE = r"^Error parsing (?:recipe\.|config\.)?(\S+): Could not parse arguments \[(.*)\] into tuple type typing\.Tuple\[(.*)\]"
KINDS_OF_VALUES = {"FLOAT": ("a number", "numbers"), "INT": ("a whole number", "whole numbers")}


def _reworded(message: str, needed: list[str]) -> str:
    """needed: see `_help.required`. tyro calls arguments without a flag by their types."""
    if missing := re.search(r"^Missing from (weft[a-z ]*): (.*) \(required\)$", message):
        command, found = missing[1], re.findall(MISSING, missing[2])
        flags = [one for one in found if one.startswith("--")]
        places = [one for one in needed if not one.startswith("--")]
        lacking = places[len(places) - (len(found) - len(flags)) :]  # the first ones were given
        lacking += [one for one in needed if one.split()[0] in flags]
        return f"{command} needs {', '.join(lacking)}; {command} --help says more"
    if untyped := re.search(NO_TYPE, message):
        option, types, given = untyped.groups()
        return (
            f"{option} is {given}, expected {_typed(types)}"
            if given
            else f"{option} needs {_typed(types)}"
        )
    if untyped := re.search(NO_TUPLE, message):
        option, given, types = untyped.groups()
        return f"{option} is {given}, expected {_typed(types.upper().replace(',', ''))}"
    for said, better in REWORDED:
        changed, count = re.subn(said, better, message)
        if count:
            return re.sub(r"'None', |, 'None'", "", changed)
    return message


def _typed(types: str) -> str:
    """tyro's notation of types in words. {None}|{FLOAT FLOAT}: 2 numbers. {[INT [INT ...]]}: whole numbers. INT|{auto}:
    a whole number or auto."""
    found: list[str] = []
    for one in types.split("|"):
        if one == one.lower() or one == "{None}":  # choices
            found += [choice for choice in one.strip("{}").split(",") if choice != "None"]
            continue
        values = re.findall(r"[A-Z]+", one)
        kinds = {KINDS_OF_VALUES.get(value, ("a value", "values")) for value in values}
        single, several = kinds.pop() if len(kinds) == 1 else ("a value", "values")
        many = several if "..." in one else f"{len(values)} {several}"
        found.append(single if len(values) == 1 else many)
    return " or ".join(dict.fromkeys(found))


def _nearest_choices(message: str) -> list[str]:
    """The valid choices that are similar to the invalid value in the message."""
    found = re.search(
        r"^invalid choice '(.*)' for argument .*Expected one of \((.*?),?\)\.", message
    )
    known = re.findall(r"'(.*?)'", found[2]) if found else []
    return difflib.get_close_matches(found[1], known, n=3, cutoff=0.5) if found else []


SAME = (
    ("--k", "--top", "--topk", "--top-k", "--n", "--num", "--limit", "--results"),
    ("--text", "--query", "--prompt", "--question", "--sentence", "--caption", "--text-zh"),
    ("--image", "--picture", "--photo", "--img"),
    ("--out", "--output", "--output-dir", "--dir", "--folder", "--to"),
    ("--data", "--dataset", "--path", "--table", "--input", "--input-dir", "--images"),
    ("--run.steps", "--steps", "--max-steps", "--iterations"),
    ("--run.epochs", "--epochs"),
    ("--run.batch-size", "--batch-size", "--batch", "--bs"),
    ("--optim.lr", "--lr", "--learning-rate"),
    ("--run.seed", "--seed"),
    ("--run.workers", "--workers", "--num-workers"),
    ("--run.device", "--device", "--gpu", "--cuda"),
    ("--run.precision", "--precision", "--fp16", "--bf16"),
)
"""A flag of weft, and its names in other programs."""


def _same(message: str, flags: list[str]) -> list[str]:
    """The flags that have the name of the first unrecognized option in other programs."""
    unknown = _unknown(message)
    return [flag for flag, *others in SAME if unknown in others and flag in flags]


def _nearest(message: str, flags: list[str]) -> list[str]:
    """The flags whose names are similar to the first unrecognized option of the message."""
    names = {flag.lstrip("-"): flag for flag in flags}  # the dashes would make short names alike
    near = difflib.get_close_matches(_unknown(message).lstrip("-"), names, n=3, cutoff=0.6)
    return [names[name] for name in near]


def _unknown(message: str) -> str:
    found = re.search(r"^Unrecognized options: (--[^\s,=]+)", message)
    return found[1] if found else ""


def _flags(cls: type[T], prog: str, default: T | None) -> list[str]:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
        _tyro(cls, ["--help"], prog, default)
    found = re.findall(r"(?:^|\s)(--[\w.-]*\w)", shown.getvalue())
    return list(dict.fromkeys(found))
