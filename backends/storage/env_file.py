"""The `.env` file of the current folder, taken as it is written."""

from __future__ import annotations

from pathlib import Path

from backends.errors import BackendError

_READ = ("CROSSROADS_", "OPENAI_")
"""How the names of variables begin that are settings; a `.env` may be there for other programs too."""


def env_file_values(file: object) -> dict[str, str]:
    """The variables that `file` sets; none if it is no path or there is no such file.

    `${NAME}` is not replaced, and such a variable counts as not set: a file from elsewhere could otherwise copy a key
    of the environment into an address or a question. Raises `BackendError` where it is a setting's, and for a file that
    is not UTF-8.
    """
    from dotenv import dotenv_values

    if not isinstance(file, str | Path) or not Path(file).is_file():
        return {}
    try:
        written, replaced = dotenv_values(file, interpolate=False), dotenv_values(file)
    except UnicodeDecodeError:
        raise BackendError(
            f"The file {Path(file).name} cannot be read: it is not UTF-8 text.", "Correct, rename or remove it."
        ) from None
    for name in [name for name, value in written.items() if replaced[name] != value]:
        if name.upper().startswith(_READ):
            raise BackendError(
                f"{name} in {file} refers to another variable, and those are not looked up.",
                "Write its value itself, or set it in the environment.",
            )
        del written[name]
    return {name: value for name, value in written.items() if value is not None}
