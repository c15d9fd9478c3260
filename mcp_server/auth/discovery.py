"""From the URL of an MCP endpoint to the server that issues its tokens (RFC 9728, RFC 8414)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2
from mcp.client.auth import OAuthFlowError
from mcp.client.auth.utils import (
    build_oauth_authorization_server_metadata_discovery_urls,
    build_protected_resource_metadata_discovery_urls,
    extract_resource_metadata_from_www_auth,
    validate_metadata_issuer,
)
from mcp.shared.auth import OAuthMetadata, ProtectedResourceMetadata
from pydantic import AnyHttpUrl, BaseModel, ValidationError

from core.policy.errors import InvalidInput, Unavailable

NOTHING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
"""A message to be refused: endpoints ask for a token before they read what it says."""
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
DocumentT = TypeVar("DocumentT", bound=BaseModel)


class AuthorizationServer(OAuthMetadata):
    """What an issuer says about itself: RFC 8414, the key set of OpenID Connect Discovery, RFC 8628 §4."""

    jwks_uri: AnyHttpUrl
    device_authorization_endpoint: AnyHttpUrl | None = None


async def issuer_of(http: httpx2.AsyncClient, mcp_url: str) -> str:
    """The issuer whose tokens the endpoint takes. Raises InvalidInput or Unavailable with a sentence for the person."""
    only_encrypted(mcp_url)
    resource = await resource_metadata(http, mcp_url)
    if str(resource.resource) != mcp_url:  # RFC 9728 §3.3
        raise InvalidInput(f"You gave {mcp_url}, but that endpoint calls itself {resource.resource}: use that.")
    return str(resource.authorization_servers[0])


async def resource_metadata(http: httpx2.AsyncClient, mcp_url: str) -> ProtectedResourceMetadata:
    """What the endpoint says about itself (RFC 9728). Raises InvalidInput or Unavailable."""
    urls = build_protected_resource_metadata_discovery_urls(await _challenged(http, mcp_url), mcp_url)
    return await _document(http, urls, ProtectedResourceMetadata)


async def server_of(http: httpx2.AsyncClient, issuer: str) -> AuthorizationServer:
    """What the issuer says about itself. Raises InvalidInput or Unavailable."""
    only_encrypted(issuer)
    urls = build_oauth_authorization_server_metadata_discovery_urls(issuer, issuer)
    server = await _document(http, urls, AuthorizationServer)
    try:
        validate_metadata_issuer(server, issuer)
    except OAuthFlowError as error:
        raise InvalidInput(f"{issuer} calls itself {server.issuer}: its administrator must correct that.") from error
    for url in _endpoints(server):
        check_is_issuers(url, issuer)
    return server


async def _challenged(http: httpx2.AsyncClient, mcp_url: str) -> str | None:
    """Where the endpoint itself says that its metadata are (RFC 9728 §5.1), if that is a place of its own."""
    headers = {"Accept": "application/json, text/event-stream"}
    async with _answer(http, "POST", mcp_url, headers=headers, json=NOTHING) as response:
        url = extract_resource_metadata_from_www_auth(response)
    try:
        return url if url and _origin(url) == _origin(mcp_url) else None
    except ValueError:  # it is no URL
        return None


def check_is_issuers(url: AnyHttpUrl, issuer: str) -> None:
    """An exchange is one place: codes, tokens and people go nowhere else. Raises InvalidInput."""
    if _origin(str(url)) != _origin(issuer):
        raise InvalidInput(f"{issuer} sends logins to another place, {url.host}: its administrator must correct that.")


def _endpoints(server: AuthorizationServer) -> list[AnyHttpUrl]:
    given = (
        server.authorization_endpoint,
        server.token_endpoint,
        server.jwks_uri,
        server.revocation_endpoint,
        server.device_authorization_endpoint,
    )
    return [url for url in given if url is not None]


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


async def _document(http: httpx2.AsyncClient, urls: list[str], shape: type[DocumentT]) -> DocumentT:
    host = urlsplit(urls[0]).netloc
    for url in urls:
        async with _answer(http, "GET", url, headers={"Accept": "application/json"}) as response:
            await response.aread()
        if response.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR:
            raise Unavailable(f"{host} is not ready: try again in a minute.")
        if response.status_code == httpx2.codes.OK:
            try:
                return shape.model_validate_json(response.content)
            except ValidationError as error:
                raise InvalidInput(f"{url} is not what RFC 9728 or RFC 8414 asks for.") from error
    raise InvalidInput(f"{host} does not say how to log in: is its address right?")


@asynccontextmanager
async def _answer(http: httpx2.AsyncClient, method: str, url: str, **request: Any) -> AsyncIterator[httpx2.Response]:
    """The head of it: whoever wants the body reads it."""
    try:
        async with http.stream(method, url, **request) as response:
            yield response
    except httpx2.HTTPError as error:
        raise Unavailable(f"{urlsplit(url).netloc} cannot be reached: check the address and the network.") from error


def only_encrypted(url: str) -> None:
    """Raises InvalidInput for a URL to which no token may be sent: neither https nor this machine."""
    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise InvalidInput(f"{url} is not encrypted: tokens are sent over https only.")
