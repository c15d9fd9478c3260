"""How deep JSON nests. What reads, checks and writes JSON here ends at some 250 levels; no data point or resource comes
near."""

from typing import Any

MAX_DEPTH = 100


def nests_too_deep(value: Any) -> bool:
    """Whether a JSON value has more than MAX_DEPTH levels. Level by level, so that no depth is too much to ask."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
