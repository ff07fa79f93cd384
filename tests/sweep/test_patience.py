"""Who waits for news has it when it comes, and an answer without news after a while."""

from __future__ import annotations

import asyncio
import time

import pytest

from raysweep.sweep import patience
from raysweep.sweep.patience import Patience


@pytest.mark.parametrize("num_waiting", [1, 3])
def test_all_who_wait_see_news_at_once(monkeypatch: pytest.MonkeyPatch, num_waiting: int) -> None:
    monkeypatch.setattr(patience, "WAIT_SECONDS", 60.0)
    monkeypatch.setattr(patience, "LOOK_SECONDS", 60.0)

    async def story() -> tuple[list[int], float]:
        waits, state = Patience(), [0]
        waiting = [
            asyncio.create_task(waits.see(lambda: state[0], bool)) for _ in range(num_waiting)
        ]
        await asyncio.sleep(0.05)
        waits.tell()  # of something else: they wait on
        await asyncio.sleep(0.05)
        assert not any(one.done() for one in waiting)
        state[0], told = 7, time.monotonic()
        waits.tell()
        return await asyncio.gather(*waiting), time.monotonic() - told

    seen, seconds = asyncio.run(story())
    assert seen == [7] * num_waiting
    assert seconds < 30, "not by looking again"


def test_news_that_is_there_is_not_waited_for_and_none_ends_the_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "WAIT_SECONDS", 0.05)
    looks: list[int] = []

    def look() -> int:
        looks.append(1)
        return len(looks)

    assert asyncio.run(Patience().see(look, lambda seen: True)) == 1
    assert asyncio.run(Patience().see(look, lambda seen: False)) == 3, "at its start and its end"


def test_what_nobody_tells_is_seen_by_looking_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "WAIT_SECONDS", 60.0)
    monkeypatch.setattr(patience, "LOOK_SECONDS", 0.01)
    looks: list[int] = []

    def look() -> int:
        looks.append(1)
        return len(looks)

    assert asyncio.run(Patience().see(look, lambda seen: seen >= 5)) == 5
