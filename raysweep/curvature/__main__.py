"""``python -m raysweep.curvature``: see `raysweep.curvature_command`."""

from raysweep.curvature_command import run

if __name__ == "__main__":
    run()
