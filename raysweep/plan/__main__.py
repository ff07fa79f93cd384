"""``python -m raysweep.plan SPACE``: what a sweep will do and cost."""

from raysweep.cli.plan import run

if __name__ == "__main__":
    run()
