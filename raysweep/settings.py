"""What all groups of settings have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

TINY = "tiny"
"""The embedded model, data and judge."""
HUB = "hub"
"""The Hugging Face hub as a source of data."""


class Settings(BaseModel):
    """Frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
