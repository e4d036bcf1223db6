"""Print the completion script of weft for your shell: bash, zsh or fish.

bash: echo 'source <(weft completion bash)' >> ~/.bashrc
zsh:  echo 'source <(weft completion zsh)' >> ~/.zshrc     (after compinit)
fish: weft completion fish > ~/.config/fish/completions/weft.fish

It completes commands, recipes, options and run directories.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from weft.commands._help import print_doc
from weft.commands._parsing import parse, wants_help

BASH = """\
_weft() {
    local IFS=$'\\n'
    COMPREPLY=($("${COMP_WORDS[0]}" completion words "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _weft weft
"""
ZSH = """\
_weft() {
    local -a found
    found=("${(@f)$("${words[1]}" completion words "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "${found[1]}" ]]; then compadd -- "${found[@]}"; else _files; fi
}
compdef _weft weft
"""
FISH = """\
function __weft_words
    set -l before (commandline -opc)
    weft completion words $before[2..] (commandline -ct) 2>/dev/null
end
complete -c weft -a '(__weft_words)'
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


@dataclass(frozen=True)
class Arguments:
    """The shell."""

    shell: Annotated[Literal["bash", "zsh", "fish"], tyro.conf.Positional]


def main(words: list[str]) -> None:
    """Prints the script for a shell. The script calls the command with `words ...`, which prints completions."""
    if words[:1] == ["words"]:
        from weft.commands._completing import candidates

        print("\n".join(candidates(words[1:])))
    elif wants_help(words):
        print_doc(__doc__)
    else:
        print(SCRIPTS[parse(Arguments, words, "weft completion").shell], end="")
