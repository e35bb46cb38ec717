"""What a child process may see of this one's environment: a list of names, none of which holds a key."""

from __future__ import annotations

import os
from collections.abc import Mapping

_KEPT = (
    *("PATH", "HOME", "USERPROFILE", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT"),
    *("VIRTUAL_ENV", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS"),
)


def child_environment(more: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child that needs no key, with `more` added. Everything that is not listed is left out."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | dict(more)
