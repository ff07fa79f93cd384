"""``raysweep report RESULTS``: the tables and figures of a sweep."""

from __future__ import annotations

from raysweep.analysis_folder import import_analysis

main = import_analysis("__main__").main
