"""`hearthline` and `python -m engine`: installs the reactor where one is needed, then hands over to `engine.app`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and leave with its exit status."""
    if sys.argv[1:2] == ["run"]:
        # Before anything can import twisted.internet.reactor, which would install another one.
        from twisted.internet import asyncioreactor  # noqa: PLC0415 - only `run` pays for it

        from engine.net.event_loop import LeanLoop  # noqa: PLC0415

        asyncioreactor.install(LeanLoop())  # type: ignore[no-untyped-call]
    from engine.app.cli import run_command_line  # noqa: PLC0415 - after the reactor

    sys.exit(run_command_line())


if __name__ == "__main__":
    main()
