"""A tool that needs more scope than the server itself: the client is told so by HTTP, and can ask for it (step-up)."""

import json
from collections.abc import Mapping
from functools import lru_cache

from starlette.types import Message, Receive

from mcp_server.auth.scopes import SCOPE

MAX_READ = 1024 * 1024
"""A longer body is refused further in."""


class StepUp:
    """Which scope a request lacks, by the tool that it calls (MCP 2025-11-25, Authorization, Scope Challenge Handling).

    The tool's name is in the body, and an answer may begin as soon as the body is read: so it is looked for before, and
    only when the token cannot call every tool anyway.
    """

    def __init__(self, needed: Mapping[str, str]) -> None:
        """`needed` has the scope of each tool, by its name."""
        self._needed = {name: scope for name, scope in needed.items() if scope != SCOPE}
        self._lacking = lru_cache(1_000)(self._lacking_for)
        self.scopes = tuple(dict.fromkeys((SCOPE, *self._needed.values())))
        """Every scope that there is to ask for."""

    async def lacking(self, granted: frozenset[str], receive: Receive) -> tuple[str, Receive]:
        """The scope that the request's tool needs and the token lacks, or none; and the request, to be read again."""
        lacking = self._lacking(granted)
        if not lacking:
            return "", receive
        read = await _read(receive)
        body = b"".join(message.get("body", b"") for message in read)
        return lacking.get(_called_tool(body), ""), _again(read, receive)

    def to_ask_for(self, granted: frozenset[str], needed: str) -> str:
        """All scopes that the next token should have: what this one can do must not be lost with it."""
        return " ".join(scope for scope in self.scopes if scope in granted or scope in (SCOPE, needed))

    def _lacking_for(self, granted: frozenset[str]) -> Mapping[str, str]:
        return {name: scope for name, scope in self._needed.items() if scope not in granted}


async def _read(receive: Receive) -> list[Message]:
    read, length, more = [], 0, True
    while more and length <= MAX_READ:
        message = await receive()
        read.append(message)
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    return read


def _again(read: list[Message], receive: Receive) -> Receive:
    waiting = iter(read)

    async def next_message() -> Message:
        return next(waiting, None) or await receive()

    return next_message


def _called_tool(body: bytes) -> str:
    """The name in a `tools/call`; nothing in any other message, of which the server itself will say what is wrong."""
    try:
        message = json.loads(body)
        name = message["params"]["name"] if message["method"] == "tools/call" else ""
    except (ValueError, RecursionError, LookupError, TypeError):
        return ""
    return name if isinstance(name, str) else ""
