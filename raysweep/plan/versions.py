"""The versions of what a key promises: each is raised when results under equal keys would differ.

They are apart so that a change of one costs the others nothing: stages that were trained under an
older way of scoring are scored again, not trained again.
"""

from __future__ import annotations

TRAINING = 2
EVALUATION = 3
"""3: answers are scored with the end mark that training teaches; 2: without it."""
CURVATURE = 2
CHANGE = 2
