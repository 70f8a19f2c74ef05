"""The command `hearthline-softphone`, also `python -m softphone`."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from softphone.options import parse_options
from softphone.stdio import take_standard_output


def main() -> NoReturn:
    """Run the phone and leave the process at once: the SIP stack must not meet the interpreter's own clean-up."""
    options = parse_options(sys.argv[1:])
    from softphone.app import run  # noqa: PLC0415 - so that --help needs neither numpy nor the SIP stack

    status = run(options, take_standard_output())
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
