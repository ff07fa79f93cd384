"""``python -m raysweep.tasks``: the tasks' sizes, an example, a check of files."""

from raysweep.cli.console import run_command
from raysweep.cli.tasks import main

if __name__ == "__main__":
    run_command(main)
