"""From the document of `datatool pull --json` to the outputs of the action, `name=value` lines on standard output."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def outputs(text: str) -> dict[str, object]:
    """What the action says of a pull; nothing where there is no document, as when nothing could be begun."""
    if not text.strip():
        return {}
    document = json.loads(text)
    return {
        "artifacts": sum(1 for artifact in document["artifacts"] if artifact["ok"]),
        "objects": document["objects"],
        "bytes": document["bytes"],
        "result": json.dumps(document),  # one line, ASCII: no name in it can end it and begin another output
    }


def main() -> None:
    """Print them for the file that the first argument names."""
    text = Path(sys.argv[1]).read_text(encoding="utf-8", errors="surrogateescape")
    sys.stdout.writelines(f"{name}={value}\n" for name, value in outputs(text).items())


if __name__ == "__main__":
    main()
