"""Watching what changes, by asking every few seconds, as the one who watches (docs/adr/0042).

A change is told of by a question in its frame: allowed at that moment, and recorded. What is asked in between, and
leads to nothing, is not.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from mcp.shared.subscriptions import ResourcesListChanged, ResourceUpdated, ServerEvent
from mcp_types import SubscriptionFilter

from core.policy.errors import DomainError, InvalidInput, Unavailable
from mcp_server.arguments import one_spelling
from mcp_server.auth.caller import Caller
from mcp_server.resources import PATIENT, READINGS, RESOURCES, STUDIES, STUDY, find
from mcp_server.tool import Answer, Arguments, Ask, Output, Tool
from mcp_server.tools import TOOLS

MOST_URIS = 100
"""Resources in one watch."""
MOST_OF_ONE = 20
"""Watches of one person in one process."""
MOST = 1_000
"""Watches in one process."""

_CHANGING = tuple(resource for resource in RESOURCES if resource.path in (STUDIES, STUDY, PATIENT, READINGS))
_LATE = timedelta(minutes=5)
"""A transaction's changes are seen when it ends, and dated when they were made."""

Marks = dict[str, str]
"""By URI; another mark is a change. What is not there is not to be seen."""


class Watched(Arguments):
    """What is watched, as the audit row tells it, and from which moments on changes count."""

    uris: tuple[str, ...]
    since: tuple[datetime, ...]

    def recorded(self) -> dict[str, Any]:
        return {"uris": list(self.uris)}

    def parameters(self) -> dict[str, Any]:
        named = [find(uri, _CHANGING) for uri in self.uris]
        return {
            "kinds": [resource.name for resource, _ in named],
            "ids": [arguments.get("study_id", arguments.get("patient_id")) for _, arguments in named],
            "data_types": [one_spelling(arguments.get("data_type")) for _, arguments in named],
            "since": list(self.since),
        }

    def by_uri(self, marks: dict[str, str]) -> Marks:
        """`marks` by place, from 1."""
        return {self.uris[int(place) - 1]: mark for place, mark in marks.items()}


async def _watch(watched: Watched, ask: Ask) -> Answer:
    return Answer("", dict(watched.by_uri(await ask("watch", **watched.parameters()))))


WATCH: Tool[Watched] = Tool(name="watch", title="", description="", arguments=Watched, output=Output, handler=_watch)


class Look(Protocol):
    async def __call__(self, caller: Caller, watched: Watched, *, tells: bool) -> Marks:
        """The marks of what the caller may see now. `tells`: what comes of it is told, and recorded."""


@dataclass(slots=True)
class _Seen:
    since: datetime
    mark: str | None = None


class Watch:
    """What one caller watches, and the marks that they were told of. Each look is with the caller of that moment."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._seen: dict[str, _Seen] = {}

    @property
    def uris(self) -> frozenset[str]:
        return frozenset(self._seen)

    async def see(self, caller: Caller, uris: Iterable[str]) -> list[str]:
        """Watch these, and nothing else, from now on. Returns those which the caller may see."""
        wanted = list(dict.fromkeys(uris))
        if len(wanted) > MOST_URIS:
            raise InvalidInput(f"At most {MOST_URIS} resources can be watched at a time.")
        kept = self._seen
        self._seen = {uri: kept.get(uri) or _Seen(datetime.now(UTC)) for uri in wanted if _changes(uri)}
        await self._told(caller, [uri for uri in self._seen if uri not in kept])
        return [uri for uri, seen in self._seen.items() if seen.mark is not None]

    def forget_unseen(self) -> None:
        """What the caller could not see is not looked for again."""
        self._seen = {uri: seen for uri, seen in self._seen.items() if seen.mark is not None}

    async def changed(self, caller: Caller) -> list[str]:
        """Those which have changed, and which the caller may see. Raises a DomainError."""
        if not self._seen:
            return []
        marks = await self._look(caller, self._watched(self._seen), tells=False)
        for uri, seen in self._seen.items():
            seen.mark = seen.mark if uri in marks else None  # seen again later, it is news
        return await self._told(caller, [uri for uri, mark in marks.items() if mark != self._seen[uri].mark])

    async def _told(self, caller: Caller, uris: Collection[str]) -> list[str]:
        if not uris:
            return []
        since = datetime.now(UTC) - _LATE
        for uri in uris:
            self._seen[uri].since = since
        marks = await self._look(caller, self._watched(uris), tells=True)
        for uri, mark in marks.items():
            self._seen[uri].mark = mark
        return list(marks)

    def _watched(self, uris: Iterable[str]) -> Watched:
        return Watched(uris=tuple(uris), since=tuple(self._seen[uri].since for uri in uris))


def _changes(uri: str) -> bool:
    """Whether there can be such a resource, by what its tool takes, and something to be told of it."""
    try:
        resource, arguments = find(uri, _CHANGING)
        TOOLS[resource.tool].parse(arguments)
    except DomainError:
        return False
    return "?" not in uri


def watched_for(wanted: SubscriptionFilter) -> list[str]:
    return [*(wanted.resource_subscriptions or ()), *([STUDIES] if wanted.resources_list_changed else ())]


def honored(wanted: SubscriptionFilter, seen: Collection[str]) -> SubscriptionFilter:
    uris = [uri for uri in dict.fromkeys(wanted.resource_subscriptions or ()) if uri in seen]
    return SubscriptionFilter(
        resources_list_changed=wanted.resources_list_changed or None, resource_subscriptions=uris or None
    )


def events(wanted: SubscriptionFilter, changed: Iterable[str]) -> Iterator[ServerEvent]:
    for uri in changed:
        if uri == STUDIES and wanted.resources_list_changed:
            yield ResourcesListChanged()
        if uri in (wanted.resource_subscriptions or ()):
            yield ResourceUpdated(uri)


class Room:
    """Bounds how many watch at a time."""

    def __init__(self) -> None:
        self._watches: Counter[int] = Counter()

    @contextmanager
    def place(self, user_id: int) -> Iterator[None]:
        """Raises InvalidInput for one person's too many, Unavailable for everybody's."""
        if self._watches[user_id] >= MOST_OF_ONE:
            raise InvalidInput(f"You have {MOST_OF_ONE} subscription streams open: close one first.")
        if self._watches.total() >= MOST:
            raise Unavailable("Too many subscription streams are open here: try again in a few minutes.")
        self._watches[user_id] += 1
        try:
            yield
        finally:
            self._watches[user_id] -= 1
            self._watches += Counter()  # forgets whoever has none left
