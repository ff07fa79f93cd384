"""``python -m raysweep.store``: what a store holds."""

from raysweep.cli.console import run_command
from raysweep.cli.store import main

if __name__ == "__main__":
    run_command(main)
