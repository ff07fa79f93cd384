"""``python -m raysweep.tiny.pretrain --out FOLDER``: builds the shipped base."""

from raysweep.cli.console import run_command
from raysweep.cli.pretrain import main

if __name__ == "__main__":
    run_command(main)
