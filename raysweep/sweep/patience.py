"""Waiting for news instead of asking again and again: for the methods of an asynchronous actor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

WAIT_SECONDS = 2.0  # most that somebody is kept waiting for an answer
LOOK_SECONDS = 0.5  # after which one looks again, whether or not something was told
Seen = TypeVar("Seen")


class Patience:
    """Lets any number of coroutines of one event loop wait until a look shows news."""

    def __init__(self) -> None:
        self._news = asyncio.Event()

    def tell(self) -> None:
        """Something may be new for somebody who waits."""
        self._news.set()

    async def see(self, look: Callable[[], Seen], is_news: Callable[[Seen], bool]) -> Seen:
        """What a look shows as soon as it is news, or after `WAIT_SECONDS`, whatever it is then."""
        until = time.monotonic() + WAIT_SECONDS
        while True:
            seen, left = look(), until - time.monotonic()
            if is_news(seen) or left <= 0:
                return seen
            self._news.clear()  # all who wait have been woken, and look for themselves
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), min(left, LOOK_SECONDS))
