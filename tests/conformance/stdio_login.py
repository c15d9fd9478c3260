"""The client that the conformance suite examines: the login of `python -m mcp_server stdio`, and one question with it.

It is all our own code, but for what the suite's authorization server does not have: it is none of OpenID Connect, so
there are no keys and no ID token to check. The suite's last argument is the URL of its MCP endpoint.
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt
from pydantic import AnyHttpUrl

from mcp_server.auth import discovery
from mcp_server.auth.login import Login
from mcp_server.auth.prompt import Prompt
from mcp_server.auth.provider import Provider
from mcp_server.auth.token_store import Tokens, TokenStore
from mcp_server.auth.verifier import SignedClaims
from mcp_server.backends.forward import Forward
from mcp_server.tools import TOOLS


class PlainServer(discovery.AuthorizationServer):
    jwks_uri: AnyHttpUrl | None = None


class PlainProvider(Provider):
    async def _id_token(self, tokens: Tokens) -> SignedClaims:
        tokens["id_token"] = jwt.encode(asked, "", "none")
        return SignedClaims(asked, "", "")


asked: dict[str, str] = {}
"""The query of the authorization request."""


async def at_once(prompt: Prompt) -> None:
    """A person who says yes: the suite's authorization server sends their browser back without a question."""
    asked.update({name: values[0] for name, values in parse_qs(urlsplit(prompt.url).query).items()})
    async with httpx2.AsyncClient() as browser:
        response = await browser.get(prompt.url)
    visits.add(asyncio.create_task(visit(response.headers["Location"])))


visits: set[asyncio.Task[None]] = set()


async def visit(url: str) -> None:
    """The answer waits until the tokens are kept."""
    async with httpx2.AsyncClient() as browser:
        await browser.get(url)


async def main(mcp_url: str) -> None:
    async def find() -> Provider:
        async with httpx2.AsyncClient() as http:
            issuer = await discovery.issuer_of(http, mcp_url)
            return PlainProvider(await discovery.server_of(http, issuer), mcp_url)

    with tempfile.TemporaryDirectory() as folder:
        login = Login(find, TokenStore(mcp_url, Path(folder)), at_once, wait=60)
        async with Forward(mcp_url, login) as forward:
            await forward.call(TOOLS["get_study_count"], {}, None)
        await login.aclose()


discovery.AuthorizationServer = PlainServer
asyncio.run(main(sys.argv[-1]))
