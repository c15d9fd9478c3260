"""Whose question a peer is asked now: some at a time, fewer of one person, and none while it is left alone."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from core.policy.errors import Unavailable

PAUSE_SECONDS = 10
AT_A_TIME = 16
OF_ONE_PERSON = 6


class Away(Unavailable):
    """The peer answers nobody: nothing is at its address, or it says itself that it is not ready."""


class Turns:
    """Of one peer. It is left alone for everybody when it is away; what else goes wrong ends in a pause for one person,
    such as that no token is to be had for them, or that what they asked took too long.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._asking: Counter[int] = Counter()
        self._away_until = 0.0
        self._paused: dict[int, float] = {}

    @contextmanager
    def turn(self, user_id: int) -> Iterator[None]:
        """For one question. Raises Unavailable at once where it cannot be put now."""
        self._check(user_id)
        self._asking[user_id] += 1
        try:
            yield
        except Away:
            self._away_until = time.monotonic() + PAUSE_SECONDS
            raise
        except Unavailable:
            self._pause(user_id)
            raise
        finally:
            self._asking -= Counter([user_id])  # who asks nothing any more is forgotten

    def is_paused(self, user_id: int) -> bool:
        return time.monotonic() < max(self._away_until, self._paused.get(user_id, 0.0))

    def _check(self, user_id: int) -> None:
        name = self._name
        if time.monotonic() < self._away_until:
            raise Unavailable(f"{name} did not answer a moment ago and is left alone for {PAUSE_SECONDS} s.")
        if self.is_paused(user_id):
            raise Unavailable(f"{name} could not be asked for you a moment ago: try again in {PAUSE_SECONDS} s.")
        if self._asking[user_id] >= OF_ONE_PERSON:
            raise Unavailable(f"{name} has {OF_ONE_PERSON} questions of yours to answer already: try again later.")
        if self._asking.total() >= AT_A_TIME:
            raise Unavailable(f"{name} has {AT_A_TIME} questions to answer already: try again later.")

    def _pause(self, user_id: int) -> None:
        now = time.monotonic()
        self._paused = {person: until for person, until in self._paused.items() if until > now}
        self._paused[user_id] = now + PAUSE_SECONDS
