"""How several processes share the connections that come in at one port."""

import asyncio
import socket
from typing import Any

_AT_ONCE = 8
"""Few, so that others get some; and not one, or who connects anew would wait behind the requests of all others."""


class Accepting(asyncio.SelectorEventLoop):
    """Takes a few connections each time it comes round, and leaves the others to whoever has time for them.

    asyncio takes all that wait, up to the length of the queue: of the connections that a proxy opens at once, the first
    process to wake up would get every one and the others none, for as long as the proxy keeps them.
    """

    async def create_server(  # of its many forms, the one that uvicorn uses for several processes
        self, *args: Any, sock: socket.socket | None = None, backlog: int = 100, **others: Any
    ) -> asyncio.Server:
        if sock is None:
            return await super().create_server(*args, backlog=backlog, **others)
        server = await super().create_server(*args, sock=sock, backlog=_AT_ONCE, **others)
        sock.listen(backlog)  # the queue itself stays as long as it was asked for
        return server
