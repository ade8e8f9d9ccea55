"""`python -m bot COMMAND`: what `./frontdesk COMMAND` runs."""

from __future__ import annotations

import os
import sys

from bot.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
