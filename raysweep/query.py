"""``python -m raysweep.query RESULTS [SQL]``: SQL over the results of a sweep."""

from raysweep.cli.console import run_command
from raysweep.cli.query import main

if __name__ == "__main__":
    run_command(main)
