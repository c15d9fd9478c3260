"""What is remembered of a client between its requests (MCP 2025-11-25, Transports, Session Management)."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp_types import InitializeRequestParams, LoggingLevel
from pydantic import TypeAdapter
from pydantic_core import to_json

from mcp_server.auth.caller import Caller

_SESSION = "jhe.session"
MAX_ID = 128
"""Letters. A longer one is none of ours."""


@dataclass(frozen=True, slots=True)
class Session:
    """A record that any worker can serve a request from; nothing runs for it between requests."""

    id: str
    owner: str
    """Whose it is (`owner_of`): to anybody else it does not exist."""
    subject: str
    protocol_version: str = ""
    client: InitializeRequestParams | None = None
    """What the client said of itself; None until it has, which only the older transport allows."""
    caller: Caller | None = None
    """Who used it last, with the token that they used; None where nobody logs in."""
    log_level: LoggingLevel | None = None
    """What the client asked for by logging/setLevel."""
    subscriptions: frozenset[str] = frozenset()
    """The URIs of resources whose updates the client asked for."""


def new_session(caller: Caller | None, **fields: Any) -> Session:
    """The id cannot be guessed, and knowing it is not enough."""
    subject = caller.subject if caller else ""
    return Session(token_urlsafe(24), owner_of(caller), subject, caller=caller, **fields)


def owner_of(caller: Caller | None) -> str:
    """What must stay the same from one token of a session to the next.

    It is the person, and also the endpoint, what the token is narrowed to, what it can do and which client it was given
    to: a stream may hold answers that another token of the same person could not ask for.
    """
    if caller is None:
        return ""
    principal = caller.principal
    can_do = "all" if principal.permissions is None else ",".join(sorted(principal.permissions))
    reaches = f"{principal.caller_id} {caller.study_id or ''}"
    return f"{caller.issuer} {caller.subject} {reaches} {principal.client_id} {can_do}"


def session_of(context: ServerRequestContext[Any]) -> Session | None:
    """The session of a request, as it was when the request came.

    None for a request that stands alone, and on stdio, where the connection is the session (`context.session`).
    """
    request = context.request
    return None if request is None else request.scope.get(_SESSION)


def attach(scope: MutableMapping[str, Any], session: Session) -> None:
    """`session_of` finds it from now on."""
    scope[_SESSION] = session


_ADAPTER = TypeAdapter(Session)


def to_record(session: Session) -> bytes:
    """JSON, for `from_record`. A token that never ends has an `expires` for which JSON has no number."""
    return to_json(_ADAPTER.dump_python(session, by_alias=True, exclude_none=True), inf_nan_mode="strings")


def from_record(record: bytes) -> Session:
    return _ADAPTER.validate_json(record)
