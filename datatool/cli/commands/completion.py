"""`datatool completion`: the scripts that teach a shell to complete datatool's words."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from datatool.cli.command import command
from datatool.cli.declare import Argument
from datatool.cli.session import Session
from datatool.cli.table import COMPLETE


class Shell(StrEnum):
    """A shell that can complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


# Each script hands the words typed so far to the hidden command and falls back to file names when it says nothing.
_SCRIPTS = {
    Shell.BASH: r"""# Completion of datatool for bash: eval "$(datatool completion bash)"
_datatool() {
    local line value
    COMPREPLY=()
    while IFS= read -r line; do
        printf -v value %q "${line%%$'\t'*}"
        COMPREPLY+=("$value")
    done < <("${COMP_WORDS[0]}" @COMPLETE@ "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]]; then
        compopt -o nospace
    fi
}
complete -o bashdefault -o default -F _datatool datatool
""",
    Shell.ZSH: r"""#compdef datatool
# Completion of datatool for zsh: eval "$(datatool completion zsh)"
_datatool() {
    local line value
    local -a found
    while IFS= read -r line; do
        value=${line%%$'\t'*}
        if [[ $line == *$'\t'* ]]; then
            found+=("${value//:/\\:}:${line#*$'\t'}")
        else
            found+=("${value//:/\\:}")
        fi
    done < <(${words[1]} @COMPLETE@ "${(@)words[2,CURRENT]}" 2>/dev/null)
    if (( ${#found} )); then
        _describe datatool found
    else
        _files
    fi
}
compdef _datatool datatool
""",
    Shell.FISH: r"""# Completion of datatool for fish: datatool completion fish | source
function __datatool_candidates
    set -l words (commandline -opc)
    set -l found ($words[1] @COMPLETE@ $words[2..-1] (commandline -ct) 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c datatool -f -a '(__datatool_candidates)'
""",
}


@command('eval "$(datatool completion bash)"', "datatool completion fish | source")
def completion(session: Session, shell: Annotated[Shell, Argument(metavar="SHELL", help="bash, zsh or fish")]) -> int:
    """Print the completion script for a shell.

    Put the line of the example into the shell's start-up file. Commands, options, artifacts, remotes and setting keys
    are completed.
    """
    script = _SCRIPTS[shell].replace("@COMPLETE@", COMPLETE)
    return session.finish({"shell": shell.value, "script": script}, script.splitlines)
