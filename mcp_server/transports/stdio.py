"""stdio, for hosts that start the server themselves: stdin and stdout carry the protocol and nothing else."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.stdio import stdio_server

from core.policy.errors import DomainError, InvalidInput, NotAuthenticated
from mcp_server.app import build_server
from mcp_server.auth.caller import Caller, FindCaller, Refuse
from mcp_server.auth.login import GivenToken, Login
from mcp_server.auth.verifier import Verifier
from mcp_server.backends import Backend
from mcp_server.backends.direct import Direct
from mcp_server.backends.forward import Forward
from mcp_server.backends.forwarded_peers import ForwardedPeers
from mcp_server.backends.waiting import Waiting
from mcp_server.database import Database
from mcp_server.settings import Endpoint, Exchange


async def serve(settings: Endpoint, login: Login | GivenToken) -> None:
    """Serve until stdin ends. The first question of whoever is not logged in leads to the login and waits for it."""
    async with backend(settings, login) as answers, _peers(settings, login) as peers:
        server = build_server(answers, elsewhere=peers)
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())


def _peers(settings: Endpoint, login: Login | GivenToken) -> AbstractAsyncContextManager[ForwardedPeers | None]:
    """None beside a database: tokens for peers are had by the HTTP service alone (docs/adr/0044)."""
    return nullcontext() if isinstance(settings, Exchange) else ForwardedPeers.of(settings.mcp_url, login)


@asynccontextmanager
async def backend(settings: Endpoint, login: Login | GivenToken) -> AsyncIterator[Backend]:
    """Raises InvalidInput for an MCP token that would be asked of the database, which takes logins only."""
    if isinstance(login, GivenToken):
        if isinstance(settings, Exchange):
            raise InvalidInput("JHE_MCP_TOKEN is for the MCP endpoint: leave out --database-url, or the token.")
        async with Forward(settings.mcp_url, login) as forward:
            yield forward
        return
    try:
        if isinstance(settings, Exchange):
            async with Database.of(settings) as database:
                yield Waiting(
                    Direct(database, *door_of(login, Verifier.of(settings)), watch_interval=settings.watch_interval),
                    login,
                )
        else:
            async with Forward(settings.mcp_url, login) as forward:
                yield Waiting(forward, login)
    finally:
        await login.aclose()


def door_of(login: Login, verifier: Verifier) -> tuple[FindCaller, Refuse]:
    """The person who is logged in on this machine, by their ID token; a token that is refused is renewed."""
    given: dict[str, str] = {}
    refused = ""

    async def find(_: ServerRequestContext[Any]) -> Caller:
        token = await login.id_token(refused)
        signed = await verifier.verify_id_token(token)
        given[signed.token_key] = token
        return Caller(signed.principal, "stdio", signed.issuer, signed.expires, signed.is_id_token)

    def refuse(_: ServerRequestContext[Any], caller: Caller, error: DomainError) -> None:
        nonlocal refused
        if isinstance(error, NotAuthenticated):
            refused = given.pop(caller.principal.token_key, refused)

    return find, refuse
