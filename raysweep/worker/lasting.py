"""Errors that another attempt would meet again, with what to do about them."""

from __future__ import annotations

import errno

from raysweep.store.weights_budget import NoRoomError

MORE_MEMORY = "lower workers.micro_batch_size, take more workers, or ZeRO 3"
MORE_DISK = "make room, or set weights.budget_gb; then run the same command again"


def lasting(error: OSError | NoRoomError) -> str:
    """The reason and the remedy of what another attempt would meet again; empty for the rest."""
    reason = " ".join(str(error).split())
    if isinstance(error, NoRoomError):
        return reason
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return f"{reason} ({MORE_DISK})" if is_full else ""
