"""Looks whether administrators have changed a peer, while somebody listens (docs/adr/0042)."""

import logging
from contextlib import suppress

import anyio
from mcp.shared.subscriptions import ToolsListChanged

from core.policy.errors import DomainError
from mcp_server.database import Database
from mcp_server.features.tool_changes import ToolChanges
from mcp_server.queries import unframed

_log = logging.getLogger(__name__)


class PeerChanges:
    def __init__(self, database: Database, tools: ToolChanges, interval: float) -> None:
        """`interval` in seconds: how often this worker looks, with one small question for all who listen."""
        self._database = database
        self._tools = tools
        self._interval = interval

    async def tell(self) -> None:
        """For ever. What was changed while nobody listened is told to the first who does: a list too many."""
        seen = await self._look(None)
        while True:
            await anyio.sleep(self._interval)
            if not self._tools.is_heard:
                continue
            try:
                found = await self._look(seen)
                if found != seen and seen is not None:
                    await self._tools.publish(ToolsListChanged())
                seen = found
            except Exception:  # noqa: BLE001 - the outermost line of this task: the log keeps where, never with what
                _log.exception("Looking for changes of peers failed")

    async def _look(self, seen: str | None) -> str | None:
        """The mark of all peers; the one that was `seen` while the database is away."""
        with suppress(DomainError):
            seen = (await self._database.row(unframed("peers_mark", for_narrowed=True), {}))["mark"]
        return seen
