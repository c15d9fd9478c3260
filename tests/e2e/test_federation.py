"""Two exchanges, each with its own database and services: one's people ask the other, by configuration alone."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import psycopg2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolRequest, CallToolRequestParams, CallToolResult, ListToolsRequest, ListToolsResult

from demo.services import ROOT, Exchange, migrate, running, wait_until_healthy
from jhe import embedded
from mcp_server.peers.peer import PEERS
from tests.e2e.by_hand import Database
from tests.ports import free_ports

SOMEBODY = """
import json
from core.actions.peers import renew_mcp_server_secret, save_peer
from core.models import FederatedIdentity, Organization, Peer, Practitioner, PractitionerOrganization, Study, User
from core.oauth.issue import issue
from oauth2_provider.models import Application
lab = Organization.objects.create(name={name!r}, type="edu")
user = User.objects.create(email="somebody@" + {name!r} + ".example.org")
practitioner = Practitioner.objects.create(user=user, name_given="Some", name_family="Body")
PractitionerOrganization.objects.create(practitioner=practitioner, organization=lab, role="viewer")
Study.objects.create(name="Sleep in the " + {name!r}, organization=lab)
peer = Peer(name={other!r}.title(), prefix={other!r}, url={url!r}, issuer={issuer!r}, client_id="neighbour")
save_peer(peer, secret="between neighbours")
peer.organizations.add(lab)
Application.objects.create(
    client_id="neighbour", client_secret="between neighbours", client_type="confidential", name="Neighbour",
    authorization_grant_type="client-credentials", algorithm="RS256",
)
FederatedIdentity.objects.create(issuer={issuer!r}, subject=str({subject!r} or user.pk), user=user)
token = issue(user, resource={own_url!r}, scopes=("openid", "mcp"))["access_token"]
print(json.dumps(dict(user_id=user.pk, secret=renew_mcp_server_secret(), token=token)))
"""


@dataclass(frozen=True)
class Neighbour(Exchange):
    """An exchange that knows another one, and somebody in it; with a database of its own in one PostgreSQL for both."""

    name: str
    more: dict[str, str] = field(default_factory=dict)
    somebody: dict[str, Any] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        urls = {"DATABASE_URL": "jhe_app", "DATABASE_OWNER_URL": "postgres", "MCP_DATABASE_URL": "jhe_mcp"}
        own = {variable: self.database_url(role) for variable, role in urls.items()}
        return {**super().environment, **own, "JHE_DATA_DIR": str(self.data_dir / self.name), **self.more}

    def database_url(self, role: str) -> str:
        return embedded.database_url(self.data_dir, user=role).replace("/postgres?", f"/{self.name}?")

    def log(self, service: str) -> Path:
        return self.data_dir / self.name / f"{service}.log"

    def trusting(self, other: "Neighbour", subject: int | None = None) -> "Neighbour":
        """This exchange with somebody in it, who is `subject` in the other one."""
        script = SOMEBODY.format(
            name=self.name,
            other=other.name,
            url=other.mcp_url,
            issuer=other.web_url,
            own_url=self.mcp_url,
            subject=subject,
        )
        command = [sys.executable, "manage.py", "shell", "--command", script]
        said = subprocess.run(command, cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, check=True).stdout
        somebody = json.loads(said.decode().splitlines()[-1])
        issuer = {
            "issuer": other.web_url,
            "jwks_url": f"{other.web_url}/o/.well-known/jwks.json",
            "audience": self.web_url,
            "clients": ["neighbour"],
            "scope": "mcp",
        }
        more = {"JHE_TRUSTED_ISSUERS": json.dumps([issuer]), "MCP_CLIENT_SECRET": somebody["secret"]}
        return replace(self, more=more, somebody=somebody)

    def trail(self, action: str) -> list[tuple[str, str, int, str]]:
        database = Database(partial(psycopg2.connect, self.database_url("postgres")))
        rows = database(
            "SELECT door, outcome, user_id, client_id FROM core_auditevent WHERE action = %s ORDER BY id", action
        )
        database.close()
        return rows


@dataclass
class Two:
    north: Neighbour
    south: Neighbour
    south_runs: ExitStack


@pytest.fixture(scope="module")
def two() -> Iterator[Two]:
    with embedded.throw_away() as data_dir, ExitStack() as stack, ExitStack() as south_runs:
        north, south = (Neighbour(data_dir, *free_ports(), name) for name in ("north", "south"))
        for each in (north, south):
            (data_dir / each.name).mkdir()
        owner = Database(partial(psycopg2.connect, embedded.database_url(data_dir)))
        owner("CREATE DATABASE north")
        migrate(north)
        owner("CREATE DATABASE south TEMPLATE north")
        owner.close()
        north = north.trusting(south)
        south = south.trusting(north, subject=north.somebody["user_id"])
        services = stack.enter_context(running(north)), south_runs.enter_context(running(south))
        for exchange, processes in zip((north, south), services, strict=True):
            wait_until_healthy(exchange, processes)
        yield Two(north, south, south_runs)


async def ask(exchange: Neighbour, tool: str) -> tuple[ListToolsResult, CallToolResult]:
    headers = {"Authorization": f"Bearer {exchange.somebody['token']}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=20) as http,
        Client(streamable_http_client(exchange.mcp_url, http_client=http)) as client,
    ):
        listed = await client.session.send_request(ListToolsRequest(), ListToolsResult)
        request = CallToolRequest(params=CallToolRequestParams(name=tool, arguments={}))
        return listed, await client.session.send_request(request, CallToolResult)


async def test_somebody_of_north_asks_south_as_who_they_are_there(two: Two) -> None:
    listed, result = await ask(two.north, "south__list_studies")
    assert "south__get_study_count" in [tool.name for tool in listed.tools]
    assert [study["name"] for study in result.structured_content["studies"]] == ["Sleep in the south"]
    north, south = two.north.somebody["user_id"], two.south.somebody["user_id"]
    assert [row[:3] for row in two.north.trail("south__list_studies")] == [("mcp", "success", north)]
    assert two.south.trail("list_studies") == [("mcp", "success", south, "neighbour")]
    assert two.south.trail("token_exchange") == [("oauth", "success", south, "neighbour")]


async def test_what_north_asks_south_leads_back_to_nobody(two: Two) -> None:
    listed, result = await ask(two.north, "south__north__list_studies")
    assert not [tool.name for tool in listed.tools if tool.name.startswith("south__north")]
    assert result.is_error
    assert "Unknown tool" in str(result.content)
    assert not two.north.trail("list_studies")


async def test_while_south_is_away_north_answers_and_says_so(two: Two) -> None:
    two.south_runs.close()
    listed, result = await ask(two.north, "south__list_studies")
    assert "list_studies" in [tool.name for tool in listed.tools]
    assert PEERS in (listed.meta or {})
    assert result.is_error
    assert "Your other tools work." in str(result.content)
    assert [row[1] for row in two.north.trail("south__list_studies")] == ["success", "failed"]
