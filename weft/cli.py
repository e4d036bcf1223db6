"""The command `weft`."""

import contextlib
import importlib
import io
import logging
import os
import pkgutil
import signal
import sys
from collections.abc import Sequence
from types import ModuleType

from weft import commands
from weft.commands._named import print_named
from weft.commands._sources import summaries
from weft.core.errors import WeftError, unknown_name
from weft.core.language import check_language, say, speaking
from weft.core.version import version

BAD_INPUT, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. Bad input prints one line to stderr and returns exit code 2.

    Parts raise ValueError for invalid values. Here these come from the command line, the recipe or the data,
    so they count as bad input. WEFT_TRACEBACK=1 shows the traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files may be invalid Unicode
            # In a log the lines of both streams are in the order in which they were printed.
            stream.reconfigure(errors="backslashreplace", line_buffering=True)
    words, chosen = _language(list(sys.argv[1:] if arguments is None else arguments))
    _log_to_stderr()
    try:
        check_language(chosen)
    except WeftError as error:
        print(f"weft: {error}", file=sys.stderr)
        return BAD_INPUT
    with speaking(chosen):
        return _guarded(words)


class _InLanguage(logging.Formatter):
    """Formats log messages in the reader's language."""

    def format(self, record: logging.LogRecord) -> str:
        return say(super().format(record))


def _log_to_stderr() -> None:
    """Prints warnings and errors of the log to stderr, unless the process already has handlers."""
    handler = logging.StreamHandler()
    handler.setFormatter(_InLanguage("%(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)


def _guarded(words: list[str]) -> int:
    try:
        _run(words)
    except (WeftError, ValueError, OSError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "tried to allocate" not in str(error).lower():
            raise
        if isinstance(error, BrokenPipeError):  # `weft ... | head`: the reader has closed the pipe
            _discard_stdout()
            return 0
        if os.environ.get("WEFT_TRACEBACK"):
            raise
        message = " ".join(str(error).splitlines())
        if isinstance(error, OSError) and error.filename is not None and error.strerror:
            message = f"{error.filename}: {error.strerror}"  # without Python's "[Errno 21]"
        if isinstance(error, MemoryError | RuntimeError):
            message = f"there is not enough memory: {message}"
        print(f"weft: {say(message)}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt as error:
        print(f"weft: {say(str(error) or 'interrupted')}", file=sys.stderr)
        return INTERRUPTED + (getattr(error, "number", signal.SIGINT) - signal.SIGINT)
    return 0


def _discard_stdout() -> None:
    """Sends what is still buffered for stdout nowhere, so that Python prints no error when it exits."""
    with open(os.devnull, "wb") as nowhere, contextlib.suppress(io.UnsupportedOperation):
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _language(words: list[str]) -> tuple[list[str], str | None]:
    """Returns the words without `--language CODE`, which may be at any position, and the code."""
    for place, word in enumerate(words):
        if word == "--language":
            return words[:place] + words[place + 2 :], "".join(words[place + 1 : place + 2])
        if word.startswith("--language="):
            return words[:place] + words[place + 1 :], word.removeprefix("--language=")
    return words, None


def _run(words: list[str]) -> None:
    if not words or words[0] in ("-h", "--help"):
        _print_usage()
    elif words[0] == "--version":
        print(version())
    elif words[0] in _names():
        _module(words[0]).main(words[1:])
    elif words[0].startswith("-"):
        raise unknown_name("option", words[0], ("--help", "--version"))
    else:
        raise unknown_name("command", words[0], _names())


def _names() -> list[str]:
    return [info.name for info in pkgutil.iter_modules(commands.__path__) if info.name[0] != "_"]


def _module(name: str) -> ModuleType:
    """Imports the module of a command. Only the needed one is imported, so that help is fast."""
    return importlib.import_module(f"{commands.__name__}.{name}")


def _print_usage() -> None:
    print(say("usage: weft COMMAND ..."), end="\n\n")
    print_named(((name, say(line)) for name, line in summaries(commands).items()), indent=2)
    print()
    print(say("weft COMMAND --help says more."))
    print(say("To begin: weft demo, weft new FOLDER"))
    print(say("--language zh prints this in Chinese."))


if __name__ == "__main__":
    sys.exit(main())
