"""``python -m raysweep.curvature MODEL --task TASK``: the curvature of one model."""

from raysweep.cli.curvature import run

if __name__ == "__main__":
    run()
