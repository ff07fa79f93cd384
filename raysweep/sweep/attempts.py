"""Attempts at trials that have ended in an error: told in one line, kept whole beside the results.

What Tune logs of them is a traceback through its own code and Ray's for each attempt, also where
the next one succeeds. It is told to be silent; what has failed is in the sweep's folder.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Any

from raysweep.store.storage import Storage
from raysweep.sweep.tune_settings import TRIAL

OWN_ERROR = re.compile(r"^raysweep\.[\w.]+: ")  # its class, before the message


def keep_errors(folder: Storage, trial: Any) -> tuple[str, str]:
    """Keeps all errors of a trial so far, each with its traceback.

    Args:
        folder: the sweep's.
        trial: Tune's, which writes them to a file of its own.

    Returns:
        The innermost message of the last, and where the whole stands; empty if nowhere.
    """
    try:
        text = Path(trial.error_file).read_text(errors="replace")
    except (OSError, TypeError):
        return "ended without a reason", ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    reason = OWN_ERROR.sub("", lines[-1], count=1) if lines else "ended without a reason"
    name = f"errors/{trial.config[TRIAL]}.txt"
    try:
        folder.write(name, text.encode())
    except OSError:  # of the storage, which may be what has failed: the reason is told anyway
        return reason, ""
    return reason, f"{folder.uri}/{name}"


def silence_tune() -> None:
    """Spares the console Tune's own words about attempts that have failed."""
    os.environ["TUNE_PRINT_ALL_TRIAL_ERRORS"] = "0"
    logging.getLogger("ray.tune.tune").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("Trials did not complete")
