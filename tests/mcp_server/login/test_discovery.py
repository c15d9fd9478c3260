"""Who issues the tokens of an MCP endpoint: found where the endpoint says, and where RFC 9728 §3.1 does."""

import httpx2
import pytest

from core.policy.errors import InvalidInput, Unavailable
from mcp_server.auth.discovery import issuer_of, server_of
from tests.mcp_server.login.authorization_server import METADATA, AuthorizationServer, authorization_server


async def found(server: AuthorizationServer) -> str:
    async with httpx2.AsyncClient() as http:
        return await issuer_of(http, server.mcp_url)


async def test_the_metadata_are_read_where_the_endpoint_says(server: AuthorizationServer) -> None:
    server.resource_metadata_at = "/metadata?of=mcp"
    server.challenge = f'Bearer scope="mcp", resource_metadata="{server.url}/metadata?of=mcp"'
    assert await found(server) == server.url
    assert server.visited == ["/metadata?of=mcp"]


@pytest.mark.parametrize("challenge", ["", "Bearer", 'Bearer resource_metadata="{url}/nothing-here"'])
async def test_without_them_there_they_are_looked_for_at_the_well_known_place(
    server: AuthorizationServer, challenge: str
) -> None:
    server.challenge = challenge.format(url=server.url)
    assert await found(server) == server.url
    assert server.visited[-1] == METADATA


@pytest.mark.parametrize(
    "place",
    [
        "{foreign}/metadata",
        "http://127.0.0.1:1@{foreign_host}/metadata",
        "//{foreign_host}/metadata",
        "file:///etc/passwd",
        "http://[127.0.0.1",
        "http://127.0.0.1:99999/metadata",
        "/metadata",
    ],
)
async def test_a_challenge_leads_to_no_other_place(server: AuthorizationServer, place: str) -> None:
    with authorization_server() as foreign:
        foreign_host = foreign.url.removeprefix("http://")
        server.challenge = f'Bearer resource_metadata="{place.format(foreign=foreign.url, foreign_host=foreign_host)}"'
        assert await found(server) == server.url
        assert foreign.visited == []
    assert server.visited == [METADATA]


async def test_metadata_of_another_endpoint_are_not_believed_wherever_they_are(server: AuthorizationServer) -> None:
    server.resource_metadata_at = "/metadata"
    server.challenge = f'Bearer resource_metadata="{server.url}/metadata"'
    server.resource_metadata = {"resource": f"{server.url}/other"}
    with pytest.raises(InvalidInput, match="calls itself"):
        await found(server)


async def test_what_cannot_be_reached_is_said_to_be_so() -> None:
    async with httpx2.AsyncClient() as http:
        for attempt in (issuer_of(http, "http://127.0.0.1:1/mcp"), server_of(http, "http://127.0.0.1:1")):
            with pytest.raises(Unavailable, match="cannot be reached"):
                await attempt
