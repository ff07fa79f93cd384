"""``python -m raysweep.store``: what a store holds."""

from raysweep.cli.store import run

if __name__ == "__main__":
    run()
