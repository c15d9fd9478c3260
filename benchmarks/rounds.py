"""Measurements in turns, because the machine is never alone: only ratios within one round are worth something."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

Figure = TypeVar("Figure")


@dataclass(frozen=True, slots=True)
class Effort:
    rounds: int
    seconds: float
    """How long one measurement takes."""


def in_turns(ways: Mapping[str, Callable[[], Figure]], rounds: int) -> dict[str, list[Figure]]:
    """One measurement of each way per round; what slows the machine down for a while slows down all of them."""
    found: dict[str, list[Figure]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, measure in ways.items():
            found[way].append(measure())
    return found


def typical_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median over the rounds of `ours` to `theirs`."""
    return median(our / their for our, their in zip(ours, theirs, strict=True))
