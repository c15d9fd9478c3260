"""Tells sessions what has changed of that to which they have subscribed (MCP 2025-11-25, resources/subscribe).

Every worker looks for every session, so that it does not matter which of them is there. The first to see a change tells
of it; another one that sees it much later may tell again, which costs the client a look. Nothing is asked while nobody
is subscribed.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio

from core.policy.errors import DomainError
from mcp_server.backends.watches import Look, Watch
from mcp_server.sessions import Sessions
from mcp_server.sessions.session import Session

_log = logging.getLogger(__name__)


class SessionWatches:
    def __init__(self, look: Look, sessions: Sessions, interval: float) -> None:
        """`interval` in seconds: how often each worker looks."""
        self._look = look
        self._sessions = sessions
        self._interval = interval
        self._once_in = max(1, int(interval / 2))
        self._watches: dict[str, Watch] = {}
        self._turn = anyio.Lock()

    async def subscribe(self, session: Session, uri: str) -> None:
        """As `Sessions.subscribe`. What changes from now on is told: it is looked at before the client is answered."""
        async with self._turn:
            await self._sessions.subscribe(session, uri)
            watch = self._watches.setdefault(session.id, Watch(self._look))
            if session.caller is not None:
                with suppress(DomainError):  # looked at again soon
                    await watch.see(session.caller, watch.uris | {uri})

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Sessions are told while this is entered."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._tell_on)
            yield
            group.cancel_scope.cancel()

    async def _tell_on(self) -> None:
        while True:
            await anyio.sleep(self._interval)
            try:
                await self._tell()
            except Exception:  # noqa: BLE001 - the outermost line of this task: the log keeps where, never with what
                _log.exception("Looking for changes failed")

    async def _tell(self) -> None:
        async with self._turn:
            sessions = {session.id: session for session in await self._sessions.subscribers()}
            self._watches = {key: watch for key, watch in self._watches.items() if key in sessions}
        for session in sessions.values():
            try:
                async with self._turn:
                    await self._tell_one(session, self._watches.setdefault(session.id, Watch(self._look)))
            except DomainError:  # a login that ended, which the session's next request is told; a database that is away
                continue

    async def _tell_one(self, session: Session, watch: Watch) -> None:
        if session.caller is None:
            return
        changed = await watch.changed(session.caller)
        await watch.see(session.caller, session.subscriptions)
        for uri in changed:
            if uri in session.subscriptions and await self._sessions.first(f"{session.id} {uri}", self._once_in):
                await self._sessions.notify(session, "notifications/resources/updated", {"uri": uri})
