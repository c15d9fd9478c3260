"""How many requests may be under way at a time."""

from collections import defaultdict


class Places:
    """So many in all, and so many of them for one subject."""

    def __init__(self, total: int, each: int) -> None:
        self._total = total
        self._each = each
        self._taken: defaultdict[str, int] = defaultdict(int)
        self.taken = 0

    def close(self) -> None:
        """From here on all are taken."""
        self._total = 0

    def are_all_taken(self) -> bool:
        return self.taken >= self._total

    def take(self, subject: str) -> bool:
        """False: this subject has all of theirs."""
        if self._taken[subject] >= self._each:
            return False
        self._taken[subject] += 1
        self.taken += 1
        return True

    def leave(self, subject: str) -> None:
        self.taken -= 1
        self._taken[subject] -= 1
        if not self._taken[subject]:
            del self._taken[subject]
