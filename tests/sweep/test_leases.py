"""Leases, with a clock of the test's own."""

from __future__ import annotations

from raysweep.sweep.leases import Leases, new_holder, trial_of


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def fresh_leases() -> tuple[Leases, Clock]:
    clock = Clock()
    return Leases(seconds=10, clock=clock), clock


def test_one_holder_at_a_time() -> None:
    leases, _ = fresh_leases()
    assert leases.claim("k", "a")
    assert leases.claim("k", "a"), "again"
    assert not leases.claim("k", "b")
    assert leases.claim("other", "b")
    assert leases.holder_of("k") == "a"
    leases.release("k", "b")
    assert leases.holder_of("k") == "a", "only the holder gives a lease up"
    leases.release("k", "a")
    assert leases.holder_of("k") is None
    assert leases.claim("k", "b")


def test_a_holder_that_is_gone_blocks_nobody_for_long() -> None:
    leases, clock = fresh_leases()
    assert leases.claim("k", "a")
    clock.now = 9.9
    assert not leases.claim("k", "b")
    clock.now = 10.0
    assert leases.holder_of("k") is None
    assert leases.claim("k", "b")
    leases.renew("a")
    clock.now = 19.9
    assert leases.holder_of("k") == "b"


def test_renewal_prolongs_what_is_still_held() -> None:
    leases, clock = fresh_leases()
    leases.claim("k", "a")
    for clock.now in (8.0, 16.0, 24.0):
        leases.renew("a")
    clock.now = 33.9
    assert leases.holder_of("k") == "a"
    clock.now = 34.0
    leases.renew("a")
    assert leases.holder_of("k") is None, "what has expired is lost"


def test_everything_is_given_up_at_once() -> None:
    leases, _ = fresh_leases()
    for key, holder in (("k", "a"), ("l", "a"), ("m", "b")):
        leases.claim(key, holder)
    leases.release_all("a")
    assert [leases.holder_of(key) for key in "klm"] == [None, None, "b"]


def test_a_waiter_is_known_while_it_asks() -> None:
    leases, clock = fresh_leases()
    first, second = new_holder("one"), new_holder("two")
    assert leases.wait_for("k", second) is None, "nobody makes it"
    leases.claim("k", first)
    assert not leases.is_awaited("one")
    assert leases.wait_for("k", first) is None, "nobody waits for itself"
    assert leases.wait_for("k", second) == first
    assert trial_of(first) == "one"
    assert leases.is_awaited("one")
    assert not leases.is_awaited("two")
    clock.now += 9
    leases.renew(first)
    clock.now += 2
    assert not leases.is_awaited("one"), "the waiter has gone"


def test_what_a_dead_trial_had_is_free_at_once() -> None:
    leases, _ = fresh_leases()
    leases.claim("k", new_holder("one"))
    leases.claim("l", new_holder("one"))
    leases.claim("m", new_holder("two"))
    leases.release_trial("one")
    assert [leases.holder_of(key) is None for key in "klm"] == [True, True, False]


def test_the_slot_of_a_stopped_holder_passes_on_and_stays_with_the_next() -> None:
    leases, clock = fresh_leases()
    stopped, following = new_holder("one"), new_holder("two")
    assert leases.claim("slot 0", stopped)
    clock.now = 10.0
    assert leases.claim("slot 0", following)
    leases.renew(stopped)
    leases.release("slot 0", stopped)
    leases.release_all(stopped)
    assert leases.holder_of("slot 0") == following, "though the first one goes on"
    assert not leases.claim("slot 0", stopped)
