"""The MCP SDK's client with its own OAuth, as a host would use it; the person is at a browser."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

from tests.browser.landing import Landing

NAME = "Notebook of the tests"
Show = Callable[[str], Awaitable[None]]
"""What a person does with the authorization page at a URL, up to the button that ends it."""


@dataclass
class Kept:
    """What a host keeps between starts (the SDK's TokenStorage), and how often it got tokens."""

    client: OAuthClientInformationFull | None = None
    tokens: list[OAuthToken] = field(default_factory=list, repr=False)

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens[-1] if self.tokens else None

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens.append(tokens)

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def metadata(redirect_uri: str) -> OAuthClientMetadata:
    return OAuthClientMetadata(
        client_name=NAME,
        redirect_uris=[redirect_uri],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        token_endpoint_auth_method="none",
    )


def provider(
    mcp_url: str, kept: Kept, landing: Landing, show: Show, client_metadata_url: str | None = None
) -> OAuthClientProvider:
    async def answer() -> AuthorizationCodeResult:
        said = await landing.said()
        if "code" not in said:
            raise LoginRefusedError(said["error"])
        return AuthorizationCodeResult(code=said["code"], state=said["state"], iss=said["iss"])

    return OAuthClientProvider(
        mcp_url,
        metadata(landing.url),
        kept,
        redirect_handler=show,
        callback_handler=answer,
        client_metadata_url=client_metadata_url,
    )


class LoginRefusedError(Exception):
    """With the error code of RFC 6749 §4.1.2.1."""


@asynccontextmanager
async def connected(
    mcp_url: str, auth: OAuthClientProvider, mounts: Mapping[str, httpx2.AsyncBaseTransport] | None = None
) -> AsyncIterator[Client]:
    """`mounts`: what answers at an address, where that is not the network."""
    async with (
        httpx2.AsyncClient(auth=auth, timeout=60, mounts=mounts) as http,
        Client(streamable_http_client(mcp_url, http_client=http)) as client,
    ):
        yield client
