"""The terminal face: the same jobs as the browser app, for scripts. `crossroads --help` lists them."""

from __future__ import annotations

import sys
from pathlib import Path

# Installed, the checkout is the folder `crossroads_app`, and what it holds is found as in the checkout.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from terminal.stopping import exit_status, leave, raise_on_signals


def main() -> None:
    """Entry point of the console script."""
    raise_on_signals()
    try:
        from terminal.commands import app  # here, so that stopping it meanwhile is a sentence too

        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        app()
    except KeyboardInterrupt as stop:
        print("Stopped.", file=sys.stderr)
        leave(exit_status(stop))
    except SystemExit as end:
        if end.code in (130, 143):  # a command was stopped, and has said so
            leave(int(end.code))
        raise


if __name__ == "__main__":
    main()
