"""Which trained weights are kept."""

from __future__ import annotations

from typing import ClassVar

from raysweep.settings.base import Settings
from raysweep.settings.bounds import Gigabytes
from raysweep.settings.identity import NO_KEY


class WeightsSettings(Settings):
    """The trained weights that are kept; results are kept for ever.

    Attributes:
        budget_gb: most gigabytes (10^9 bytes) of weights in the store, beyond which those are
            dropped that no trial of the sweep needs any more, then those that a later trial needs,
            which are trained again when it comes; null keeps all.
    """

    all_settings: ClassVar = NO_KEY

    budget_gb: Gigabytes | None = None
