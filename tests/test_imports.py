"""Which folder may import which (the contracts in `pyproject.toml`), and that no imports close a circle."""

from __future__ import annotations

import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import grimp

CONFIGURATION = Path(__file__).resolve().parents[1] / "pyproject.toml"
LATE = {
    ("backends.registry", "backends.scripted"),  # the script answers in place of every approach
    ("backends.settings", "backends.registry"),  # which approaches have settings, once an approach is named
    ("backends.fine_tuned.approach", "backends.fine_tuned.served"),  # `make` chooses between the two
}
"""Imports within a function that would close a circle."""


def test_imports_keep_to_the_contracts() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--config", str(CONFIGURATION), "--no-cache"]
    done = subprocess.run(command, cwd=CONFIGURATION.parent, capture_output=True, text=True)  # in here it ends logging
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("backends", "evaluation", "terminal", "ui", cache_dir=None)
    imported = {
        module: {one for one in graph.find_modules_directly_imported_by(module) if (module, one) not in LATE}
        for module in graph.modules
    }
    in_order = list(TopologicalSorter(imported).static_order())  # raises CycleError, which names the modules
    assert graph.modules <= set(in_order)
