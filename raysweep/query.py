"""``python -m raysweep.query RESULTS [SQL]``: SQL over the results of a sweep."""

from raysweep.cli.query import run

if __name__ == "__main__":
    run()
