"""How several processes share the connections that come in at one port."""

import asyncio
import socket
from typing import Any

_MOST = 8


class Accepting(asyncio.SelectorEventLoop):
    """Takes one connection each time it comes round, and leaves the others to whoever has time for them.

    asyncio takes all that wait: of the connections that a proxy opens at once, the first process to wake up would get
    every one and the others none, for as long as the proxy keeps them. Who comes round late, because it is busy, takes
    one for each millisecond, `_MOST` at most: new connections do not wait behind the requests of all others.
    """

    _last = 0.0

    def _accept_connection(
        self, protocol_factory: Any, sock: socket.socket, sslcontext: Any, server: Any, backlog: int, *others: Any
    ) -> None:
        """`backlog` is how many asyncio takes at a time."""
        now = self.time()
        most = min(1 + int((now - self._last) * 1_000), _MOST, backlog)
        self._last = now
        super()._accept_connection(protocol_factory, sock, sslcontext, server, most, *others)  # type: ignore[misc]
