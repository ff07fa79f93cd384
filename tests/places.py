"""Where things are that tests look for."""

from pathlib import Path

from raysweep.model.checkpoint import PACKAGED

ROOT = Path(__file__).parents[1]
BASE = PACKAGED["tiny"]
