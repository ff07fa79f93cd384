"""Colours that are told apart without full colour vision, and in grey (Okabe and Ito, 2008)."""

from __future__ import annotations

from raysweep.tasks.task import Kind

BLUE, ORANGE = "#0072b2", "#e69f00"
SEQUENCE = (BLUE, "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#000000", ORANGE)
"""Of several curves, in turn."""
OF_KIND = {Kind.CAPABILITY: BLUE, Kind.SAFETY: ORANGE}
"""As in the paper's Figure 2."""
