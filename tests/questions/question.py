"""What a question is, and when an answer agrees with what was worked out."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.questions.ask import Ask
from tests.questions.seen import Seen


@dataclass(frozen=True)
class Question:
    text: str
    asked_by: str
    """A name of tests/personas.py."""
    answer: Callable[[Ask], Any]
    expected: Callable[[Seen], Any]
    calls: int = 3
    """As many as it may take, those included that find an id by a name."""


def disagreement(answer: Any, expected: Any, place: str = "answer") -> str | None:
    """Where the two differ, or None. Floats agree within 1e-9 of each other, everything else exactly."""
    if isinstance(expected, Mapping) and isinstance(answer, Mapping):
        if answer.keys() != expected.keys():
            return f"{place} has {sorted(map(str, answer))}, expected {sorted(map(str, expected))}"
        pairs = [(f"{place}[{key!r}]", answer[key], expected[key]) for key in expected]
    elif isinstance(expected, list | tuple) and isinstance(answer, list | tuple):
        if len(answer) != len(expected):
            return f"{place} has {len(answer)} entries, expected {len(expected)}: {answer} != {expected}"
        pairs = [(f"{place}[{i}]", one, other) for i, (one, other) in enumerate(zip(answer, expected, strict=True))]
    elif isinstance(answer, float) or isinstance(expected, float):
        numbers = isinstance(answer, int | float) and isinstance(expected, int | float)
        close = numbers and math.isclose(answer, expected, rel_tol=1e-9, abs_tol=1e-12)
        return None if close else f"{place} is {answer}, expected {expected}"
    else:
        return None if answer == expected else f"{place} is {answer!r}, expected {expected!r}"
    return next((found for place, one, other in pairs if (found := disagreement(one, other, place))), None)
