"""The client that the conformance suite examines: the login of `python -m mcp_server stdio`, and one question with it.

It is all our own code, but for what the suite's authorization server does not have: it is none of OpenID Connect, so
there are no keys and no ID token to check.
"""

import asyncio
import tempfile
from dataclasses import dataclass, field
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

SECONDS = 60
"""That an answer may take on a busy machine."""


class PlainServer(discovery.AuthorizationServer):
    jwks_uri: AnyHttpUrl | None = None


@dataclass(frozen=True, slots=True)
class PlainProvider(Provider):
    asked: dict[str, str]
    """The query of the authorization request."""

    async def _id_token(self, tokens: Tokens) -> SignedClaims:
        tokens["id_token"] = jwt.encode(self.asked, "", "none")
        return SignedClaims(self.asked, "", "")


@dataclass
class Person:
    """Who says yes: the suite's authorization server sends their browser back without a question."""

    browser: httpx2.AsyncClient
    asked: dict[str, str] = field(default_factory=dict)
    visits: list[asyncio.Task[httpx2.Response]] = field(default_factory=list)

    async def at_once(self, prompt: Prompt) -> None:
        self.asked.update({name: values[0] for name, values in parse_qs(urlsplit(prompt.url).query).items()})
        response = await self.browser.get(prompt.url)
        # The page that they come back to waits until the tokens are kept.
        self.visits.append(asyncio.create_task(self.browser.get(response.headers["Location"])))


async def ask_once(mcp_url: str) -> None:
    async def find() -> Provider:
        issuer = await discovery.issuer_of(browser, mcp_url)
        return PlainProvider(await discovery.server_of(browser, issuer), mcp_url, person.asked)

    async with httpx2.AsyncClient(timeout=SECONDS) as browser:
        person = Person(browser)
        with tempfile.TemporaryDirectory() as folder:
            login = Login(find, TokenStore(mcp_url, Path(folder)), person.at_once, wait=SECONDS)
            async with Forward(mcp_url, login) as forward:
                await forward.call(TOOLS["get_study_count"], {}, None)
            await login.aclose()
        await asyncio.gather(*person.visits)
