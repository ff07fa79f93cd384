"""``python -m raysweep.plan SPACE``: what a sweep will do and cost."""

from raysweep.cli.console import run_command
from raysweep.cli.plan import main

if __name__ == "__main__":
    run_command(main)
