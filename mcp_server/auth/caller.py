"""Who a request comes from, as its door established it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import inf
from typing import Any

from mcp.server.context import ServerRequestContext

from core.policy.errors import DomainError
from core.policy.principal import Principal

ENDED = "This login no longer stands: it has expired or was revoked. Log in again."


@dataclass(frozen=True, slots=True)
class Caller:
    """The resource owner (RFC 6749 §1.1) and the token that speaks for them: one object per request, frozen.

    Every tool gets it, as `ask.caller`. It grants nothing: rows are looked up as `principal.caller_id`.
    """

    principal: Principal
    """User, kind of user, client, scopes, token key, study limits, narrowing and permissions."""
    source: str
    """The address that the request came from."""
    issuer: str = ""
    """The authorization server that signed for it; the exchange itself for an MCP token."""
    expires: float = inf
    """When the token ends, in seconds since 1970."""
    is_id_token: bool = False
    """OpenID Connect's, which says who somebody is; every other token was given to ask with."""
    study_id: int | None = None
    """The study whose endpoint was asked; the principal is narrowed to it then (mcp_server/auth/study.py)."""
    wider_caller_id: int | None = None
    """As whom the token asks elsewhere, where the endpoint narrows it."""

    @property
    def subject(self) -> str:
        """`sub`: the exchange's issuers name people by their user ids (core/policy/claims.py)."""
        return str(self.principal.user_id)

    @property
    def token_caller_id(self) -> int:
        """As whom the database knows the token; the access views answer for `principal.caller_id`."""
        return self.principal.caller_id if self.wider_caller_id is None else self.wider_caller_id

    @property
    def studies(self) -> list[int] | None:
        """The studies that the token's claims leave; None when they narrow nothing."""
        limits = self.principal.limits
        return None if limits is None or limits.truncated else sorted(limits.studies)

    def parameters(self) -> dict[str, Any]:
        """Who asks, for `mcp_server/queries/frame.sql` and the questions in it."""
        return {
            "user_id": self.principal.caller_id,
            "token_caller_id": self.token_caller_id,
            "endpoint_study_id": self.study_id,
            "person_id": self.principal.user_id,
            "client_id": self.principal.client_id,
            "token_key": self.principal.token_key,
            "source": self.source,
        }


FindCaller = Callable[[ServerRequestContext[Any]], Awaitable[Caller]]
"""A door's way to say who is asking. Raises NotAuthenticated."""

Refuse = Callable[[ServerRequestContext[Any], Caller, DomainError], None]
"""Tells a door what a question has found: it may answer otherwise than with a tool's result, or ask for a new login."""


def in_band(_: ServerRequestContext[Any], __: Caller, ___: DomainError) -> None:
    """The door of those who read the sentence in the tool's result and nowhere else."""
