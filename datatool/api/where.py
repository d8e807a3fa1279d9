"""How paths are given."""

from __future__ import annotations

import os
from typing import TypeAlias

Where: TypeAlias = str | os.PathLike[str]
"""A path, or the name or URL of a registry."""
