"""What a client is given to bring back when it asks again (MCP 2026-07-28, `requestState`), sealed for it alone."""

import secrets
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.request_state import RequestStateSecurity

from mcp_server.auth.bearer import known_caller
from mcp_server.sessions.session import owner_of
from mcp_server.settings import HttpService

_SECONDS = 600


def remembering(settings: HttpService) -> RequestStateSecurity:
    """For the same request of the same caller, for ten minutes, by any process that has the key."""
    key = settings.state_key.get_secret_value() if settings.state_key else secrets.token_hex()
    return RequestStateSecurity(keys=[key], ttl=_SECONDS, bind_principal=_caller_of)


def _caller_of(context: ServerRequestContext[Any]) -> str | None:
    request = context.request
    return None if request is None else owner_of(known_caller(request.scope))
