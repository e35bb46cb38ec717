"""Pins every package that `make install` takes, with the sha256 sums of its files: `make lock`.

uv resolves `pyproject.toml` for Linux and macOS; the result is parted into what is installed apart: `torch.txt`,
`cuda.txt` (what torch's build for NVIDIA GPUs needs beside it), `test.txt` and `app.txt`. A pin that is there stays
unless `pyproject.toml` rules it out or `--upgrade` is given.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
FILES = ("torch.txt", "cuda.txt", "app.txt", "test.txt")
HEADER = "# Made by `make lock` from pyproject.toml: every version with the sha256 sums of its files. Do not edit.\n"
GPU = re.compile(r"(nvidia|cuda)-|triton")
CPU_WHEELS = ("6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",)
"""Sums of torch's builds without CUDA, which do not lie beside the others in the index."""


def resolved(extras: list[str], upgrade: bool) -> dict[str, str]:
    """Package name -> its lines with hashes, for the project with some of its extras."""
    pins = "".join((HERE / f).read_text() for f in FILES)
    kept = "\n".join(re.findall(r"^[\w.-]+==[^ \\]+", pins, re.M))
    with tempfile.TemporaryDirectory() as folder:
        constraints, out = Path(folder) / "constraints.txt", Path(folder) / "all.txt"
        constraints.write_text("" if upgrade else kept)
        command = [str(Path(sys.executable).parent / "uv"), "pip", "compile", "--quiet", "--universal"]
        command += [
            "--generate-hashes",
            "--no-annotate",
            "--no-header",
            "--no-python-downloads",
            "--python-version",
            "3.11.5",
        ]
        command += ["--constraint", str(constraints), "--output-file", str(out)]
        command += [part for extra in extras for part in ("--extra", extra)]
        subprocess.run([*command, "pyproject.toml"], cwd=ROOT, check=True)
        entries = re.split(r"^(?=\S)", out.read_text(), flags=re.M)
    return {re.split(r"[=\s\[]", entry, maxsplit=1)[0]: entry for entry in entries if entry.strip()}


def main() -> None:
    """Write the four files."""
    app, everything = (resolved(extras, "--upgrade" in sys.argv) for extras in ([], ["test"]))
    torch = everything["torch"].rstrip() + "".join(f" \\\n    --hash=sha256:{sha256}" for sha256 in CPU_WHEELS) + "\n"
    parts = {
        "torch.txt": [torch],
        "cuda.txt": [entry for name, entry in everything.items() if GPU.match(name)],
        "app.txt": [entry for name, entry in app.items() if name != "torch" and not GPU.match(name)],
        "test.txt": [entry for name, entry in everything.items() if name not in app],
    }
    for file, entries in parts.items():
        (HERE / file).write_text(HEADER + "".join(entries))


if __name__ == "__main__":
    main()
