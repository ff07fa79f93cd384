"""``python -m raysweep.judge SOURCE --out FOLDER``: converts a published judge, once."""

from raysweep.cli.console import run_command
from raysweep.cli.judge import main

if __name__ == "__main__":
    run_command(main)
