"""Names as they are written, in pictures."""

from __future__ import annotations


def literal(text: str) -> str:
    """The text for matplotlib, which would take what is between dollar signs for mathematics."""
    return text.replace("$", r"\$")
