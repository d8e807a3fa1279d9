"""`python -m datatool`: the same as the command `datatool`."""

from datatool.cli.main import entry

if __name__ == "__main__":
    entry()
