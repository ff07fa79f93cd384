"""When two texts are the same: the one rule wherever texts are compared.

What a model is shown stays as its file says; only comparisons go by these.
"""

from __future__ import annotations

import unicodedata

MISSING = ("nan", "NaN", "NaT", "<NA>")
"""How data frames write a value that is not there."""


def compared(text: str) -> str:
    """Unicode form NFC, white space single and none around: what looks alike on any keyboard."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def seen(text: str) -> str:
    """What a person can tell apart: NFKC, without characters that are not drawn."""
    drawn = (c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    return " ".join("".join(drawn).split())
