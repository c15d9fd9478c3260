"""Who a request comes from, as its door established it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from mcp.server.context import ServerRequestContext

from core.policy.principal import Principal


@dataclass(frozen=True, slots=True)
class Caller:
    principal: Principal
    source: str
    """The address that the request came from."""
    lapse: Callable[[str], None]
    """Tells the door, with a sentence, that a question has found the token not to stand any more."""

    @property
    def studies(self) -> list[int] | None:
        """The studies that the token's claims leave; None when they narrow nothing."""
        limits = self.principal.limits
        return None if limits is None or limits.truncated else sorted(limits.studies)


FindCaller = Callable[[ServerRequestContext[Any]], Awaitable[Caller]]
"""A door's way to say who is asking. Raises NotAuthenticated."""
