"""From the local times that a device writes to instants."""

from datetime import datetime, tzinfo


class NoSuchTime(ValueError):  # noqa: N818 - says what it is about
    """Clocks were moved forward over this local time."""


class LocalClock:
    """One person's device, whose clock follows the time zone `zone`; it is asked in the order of the file.

    A local time that is skipped in spring is refused: a device that shows one did not follow the zone, so nobody knows
    what its other times mean. One that comes twice in autumn is the first, until times fall back within that hour.
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._previous: datetime | None = None
        self._second_time = False

    def moment(self, local: datetime) -> datetime:
        """The local time with its offset; one that has an offset already is believed. Raises NoSuchTime."""
        if local.tzinfo is not None:
            return local
        first, second = (local.replace(tzinfo=self._zone, fold=fold) for fold in (0, 1))
        before, after = first.utcoffset(), second.utcoffset()
        if before == after or before is None or after is None:
            self._previous, self._second_time = None, False
            return first
        if before < after:
            raise NoSuchTime
        if self._previous is not None and local < self._previous:
            self._second_time = True
        self._previous = local
        return second if self._second_time else first
