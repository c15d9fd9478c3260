"""Logins at the authorization server of this folder."""

from typing import Any

from mcp_server.auth.login import Login
from mcp_server.auth.prompt import Prompt, Show
from mcp_server.auth.token_store import TokenStore
from tests.mcp_server.login.authorization_server import AuthorizationServer


def login(server: AuthorizationServer, store: TokenStore, show: Show | None = None, **options: Any) -> Login:
    """Of somebody who agrees at once, unless `show` says otherwise."""
    return Login.at_endpoint(server.mcp_url, store, show or server.person, **options)


async def logged_in(server: AuthorizationServer, store: TokenStore, **options: Any) -> None:
    """The login is kept and the browser has its page."""
    await login(server, store, **options).authorize()
    await server.page()


async def nobody(_: Prompt) -> None:
    """A person who does not react."""
