"""What Tune is not to restore: a sweep is resumed by the store."""

from __future__ import annotations

from typing import Any


class NotRestored:
    """A part of Tune's experiment, all of which Tune pickles to restore it."""

    def __getstate__(self) -> dict[str, Any]:
        """Nothing."""
        return {}
