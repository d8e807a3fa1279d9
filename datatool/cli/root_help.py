"""What `datatool --help` and `datatool remote --help` print: taken from the command table, with nothing imported."""

from __future__ import annotations

from datatool.cli.table import COMMANDS, GLOBAL_OPTIONS, GROUPS, HELP_FLAGS, Family, GlobalOption

_EXAMPLES = (
    "datatool init --remote /mnt/share/data",
    "datatool add data/raw",
    "datatool push",
    "datatool status",
)


def root_help() -> str:
    """The help of the whole program, commands under their headings."""
    parts = ["Usage: datatool [-C DIR] COMMAND … [OPTIONS]\n\nKeep data beside the code that git keeps\n"]
    for group in GROUPS:
        rows = [(name, item.summary) for name, item in COMMANDS.items() if item.group == group]
        parts.append(f"\n{group}:\n{columns(rows, width=12)}")
    parts.append(f"\nOptions, before or after the command:\n{columns(global_lines(), width=20)}")
    parts.append("  --version           Print the version\n")
    parts.append("\nExamples:\n" + "".join(f"  {line}\n" for line in _EXAMPLES))
    parts.append("\n`datatool COMMAND --help` says more about a command\n")
    return "".join(parts)


def family_help(name: str, family: Family) -> str:
    """The help of a command that only has subcommands."""
    rows = [(member, row.summary) for member, row in family.members.items()]
    return (
        f"Usage: datatool {name} COMMAND … [OPTIONS]\n\n{family.summary}\n\nCommands:\n{columns(rows, width=12)}"
        f"\nOptions, before or after the command:\n{columns(global_lines(), width=20)}"
        f"\n`datatool {name} COMMAND --help` says more about a command\n"
    )


def global_lines() -> list[tuple[str, str]]:
    """The shared options as (spelling, meaning), the help option last."""
    return [(spelling(option), option.help) for option in GLOBAL_OPTIONS] + [(", ".join(HELP_FLAGS), "Show this help")]


def spelling(option: GlobalOption) -> str:
    """`-q, --quiet`, or `-C DIR` for one with a value."""
    return ", ".join(option.flags) + (f" {option.metavar}" if option.metavar else "")


def columns(rows: list[tuple[str, str]], *, width: int) -> str:
    """Two aligned columns, indented by two."""
    return "".join(f"  {left:<{width - 2}}  {right}\n" for left, right in rows)
