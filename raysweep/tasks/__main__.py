"""``python -m raysweep.tasks``: the tasks' sizes, an example, a check of files."""

from raysweep.cli.tasks import run

if __name__ == "__main__":
    run()
