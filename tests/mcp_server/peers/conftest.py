"""Two exchanges' neighbours, and the members of a lab that may ask one of them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.cache import caches
from django.db import connections
from mcp import Client
from pydantic import SecretStr

from core.actions.peers import renew_mcp_server_secret, save_peer
from core.models import Organization, Peer, User
from mcp_server.settings import HttpService
from tests.factories import MembershipFactory, OrganizationFactory
from tests.mcp_server.peers.other_server import OtherServer, other_server
from tests.mcp_server.service import asking, served, standing_token


@pytest.fixture(scope="module", autouse=True)
def _let_go_of_the_database() -> Iterator[None]:
    """What async tests ask of the ORM is asked in a thread of its own, which would keep its connection."""
    yield
    asyncio.run(sync_to_async(connections.close_all)())


@pytest.fixture(scope="module")
def _north() -> Iterator[OtherServer]:
    with other_server() as other:
        yield other


@pytest.fixture(scope="module")
def _south() -> Iterator[OtherServer]:
    with other_server() as other:
        yield other


@pytest.fixture
def north(_north: OtherServer) -> OtherServer:
    _north.reset()
    caches["process"].clear()
    return _north


@pytest.fixture
def south(_south: OtherServer) -> OtherServer:
    _south.reset()
    return _south


@pytest.fixture
def lab(transactional_db: None) -> Organization:
    organization: Organization = OrganizationFactory(name="Lab")
    return organization


@pytest.fixture
def mary(lab: Organization) -> User:
    user: User = MembershipFactory(organization=lab, role="viewer").practitioner.user
    return user


@pytest.fixture
def stranger(transactional_db: None) -> User:
    """Of another organization."""
    user: User = MembershipFactory(role="manager").practitioner.user
    return user


def opened(other: OtherServer, prefix: str, organization: Organization, **fields: Any) -> Peer:
    peer = Peer(
        **{
            "name": prefix.title(),
            "prefix": prefix,
            "url": other.url,
            "issuer": other.origin,
            "client_id": "the-exchange",
            **fields,
        }
    )
    save_peer(peer, secret="the secret of the exchange there")
    peer.organizations.add(organization)
    return peer


@pytest.fixture
def peer(north: OtherServer, lab: Organization) -> Peer:
    """It trusts this exchange."""
    return opened(north, "north", lab)


@pytest.fixture
def with_secret(settings: HttpService, live_server: Any) -> HttpService:
    """The MCP server, and the real authorization server that it asks for tokens."""
    return settings.model_copy(
        update={
            "client_secret": SecretStr(renew_mcp_server_secret()),
            "given_token_url": f"{live_server.url}/o/token/",
            "peer_seconds": 60,
        }
    )


@asynccontextmanager
async def asked(settings: HttpService, token: str) -> AsyncIterator[Client]:
    """The service, started, and somebody who asks it."""
    async with served(settings) as http, asking(http, token) as client:
        yield client


@pytest.fixture(autouse=True)
def _on_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here depends on how fast a peer answers."""
    monkeypatch.setattr("mcp_server.peers.link.PATIENCE_SECONDS", 60)


@pytest.fixture
def token(mary: User) -> str:
    return standing_token(mary)
