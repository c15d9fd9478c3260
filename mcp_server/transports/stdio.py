"""stdio, for hosts that start the server themselves: stdin and stdout carry the protocol and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.stdio import stdio_server

from core.policy.errors import DomainError, NotAuthenticated
from mcp_server.app import build_server
from mcp_server.auth.browser import show
from mcp_server.auth.caller import Caller, FindCaller, Refuse
from mcp_server.auth.login import Login
from mcp_server.auth.token_store import TokenStore
from mcp_server.auth.verifier import Verifier
from mcp_server.backends import Backend
from mcp_server.backends.direct import Direct
from mcp_server.backends.forward import Forward
from mcp_server.database import Database
from mcp_server.settings import Endpoint, Exchange


async def serve(settings: Endpoint) -> None:
    """Serve until stdin ends. Whoever is not logged in is asked at once, and answered in the meantime."""
    async with _backend(settings) as backend, stdio_server() as (read, write):
        server = build_server(backend)
        await server.run(read, write, server.create_initialization_options())


def login_for(settings: Endpoint) -> Login:
    """The login that the chosen backend needs."""
    if isinstance(settings, Exchange):
        return Login.at_issuer(settings.issuer, TokenStore(settings.issuer), show)
    return Login.at_endpoint(settings.mcp_url, TokenStore(settings.mcp_url), show)


@asynccontextmanager
async def _backend(settings: Endpoint) -> AsyncIterator[Backend]:
    login = login_for(settings)
    asking = asyncio.create_task(login.prepare())
    try:
        if isinstance(settings, Exchange):
            async with Database.of(settings) as database:
                yield Direct(database, *door_of(login, Verifier.of(settings)))
        else:
            async with Forward(settings.mcp_url, login) as forward:
                yield forward
    finally:
        asking.cancel()
        await login.aclose()


def door_of(login: Login, verifier: Verifier) -> tuple[FindCaller, Refuse]:
    """The person who is logged in on this machine, by their ID token; a token that is refused is renewed."""
    given: dict[str, str] = {}
    refused = ""

    async def find(_: ServerRequestContext[Any]) -> Caller:
        token = await login.id_token(refused)
        signed = await verifier.verify_id_token(token)
        given[signed.token_key] = token
        return Caller(signed.principal, "stdio", signed.issuer, signed.expires)

    def refuse(_: ServerRequestContext[Any], caller: Caller, error: DomainError) -> None:
        nonlocal refused
        if isinstance(error, NotAuthenticated):
            refused = given.pop(caller.principal.token_key, refused)

    return find, refuse
