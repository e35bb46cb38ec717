"""Links in folders that come from outside."""

from __future__ import annotations

import os
from pathlib import Path


def leaves(path: Path, folder: Path) -> bool:
    """Whether `path`, which stands in `folder`, is a link to something outside of it, through others if need be.

    The folder itself may be a link, or be reached through one.
    """
    return path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
