"""The rooms of the house and which may import which."""

from __future__ import annotations


def graph() -> str:
    """The rooms bottom to top, as mermaid text."""
    return "graph BT\n    settings --> space\n    space --> plan"
