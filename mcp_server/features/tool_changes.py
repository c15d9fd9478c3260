"""Carries to whoever listens that there are other tools, and not for whom: each lists them again as themself."""

from collections.abc import Callable

from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp.shared.subscriptions import ServerEvent, ToolsListChanged

from mcp_server.sessions import Sessions


class ToolChanges(InMemorySubscriptionBus):
    """Of one worker: to its streams of 2026-07-28, and to the sessions whose standalone stream is read here."""

    def __init__(self, sessions: Sessions | None) -> None:
        super().__init__()
        self._sessions = sessions
        self._streams: set[object] = set()

    @property
    def is_heard(self) -> bool:
        return bool(self._streams) or (self._sessions is not None and self._sessions.is_listened_to)

    async def publish(self, event: ServerEvent) -> None:
        await super().publish(event)
        if isinstance(event, ToolsListChanged) and self._sessions is not None:
            await self._sessions.tell_listeners("notifications/tools/list_changed")

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        leave, stream = super().subscribe(listener), object()
        self._streams.add(stream)

        def end() -> None:
            self._streams.discard(stream)
            leave()

        return end
