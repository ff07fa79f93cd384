"""``python -m raysweep.curvature MODEL --task TASK``: the curvature of one model."""

from raysweep.cli.console import run_command
from raysweep.cli.curvature import main

if __name__ == "__main__":
    run_command(main)
