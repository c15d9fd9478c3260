"""A right that ends is refused on the very next request, at each door and with each kind of token; the table says in
how much time."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx2
import pytest
from authlib.common.security import generate_token
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from rich.console import Console
from rich.table import Table

from core.actions.clients import STDIO_CLIENT_ID
from demo.person import Person
from demo.services import Exchange
from demo.welcome import PASSWORD
from tests.e2e.by_hand import Database

REDIRECT_URI = "http://127.0.0.1:49152/callback"
SMART = "openid offline_access user/*.rs"
MARY = Person("manager_mary@example.com", PASSWORD)
A_STUDY_WITH_DATA = """
SELECT consent.study_id, consent.patient_id
FROM core_studypatientscopeconsent consent
JOIN access_study access USING (study_id)
JOIN core_user account ON account.id = access.user_id
JOIN core_observation observation USING (patient_id, code_id)
WHERE consent.consented AND account.email = %s
ORDER BY consent.study_id, consent.patient_id LIMIT 1
"""
META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}


@dataclass
class World:
    """Mary, a study and a patient of hers, and the ways to ask for them."""

    exchange: Exchange
    http: httpx2.AsyncClient
    study: int
    patient: int

    async def token(self, scope: str, resource: str | None) -> str:
        """An access token, as a client on Mary's own computer gets it."""
        verifier = generate_token(64)
        asked = {
            "response_type": "code",
            "client_id": STDIO_CLIENT_ID,
            "redirect_uri": REDIRECT_URI,
            "scope": scope,
            "state": "state",
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        } | ({"resource": resource} if resource else {})
        url = httpx2.URL(f"{self.exchange.web_url}/o/authorize/", params=asked)
        answer = await MARY.authorize(str(url), REDIRECT_URI)
        exchanged = {"grant_type": "authorization_code", "code": answer.code, "code_verifier": verifier}
        tokens = await self.http.post(
            f"{self.exchange.web_url}/o/token/",
            data={**exchanged, "client_id": STDIO_CLIENT_ID, "redirect_uri": REDIRECT_URI},
        )
        return str(tokens.json()["access_token"])

    async def rest(self, token: str, path: str) -> Any:
        return await self._get(token, f"/api/v1/{path}")

    async def fhir(self, token: str, path: str) -> Any:
        return await self._get(token, f"/FHIR/R5/{path}")

    async def _get(self, token: str, path: str) -> Any:
        answer = await self.http.get(f"{self.exchange.web_url}{path}", headers={"Authorization": f"Bearer {token}"})
        return answer.json() if answer.is_success else None

    async def mcp(self, token: str, tool: str, **arguments: int) -> Any:
        """The structured answer of a tool; None when the door or the tool refuses."""
        result = await self._mcp(token, "tools/call", {"name": tool, "arguments": arguments}, {"Mcp-Name": tool})
        return result and result.get("structuredContent")

    async def tools(self, token: str) -> Any:
        result = await self._mcp(token, "tools/list", {}, {})
        return result and result["tools"]

    async def _mcp(self, token: str, method: str, params: dict[str, Any], headers: dict[str, str]) -> Any:
        answer = await self.http.post(
            self.exchange.mcp_url,
            json={"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}},
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": "2026-07-28",
                "Mcp-Method": method,
                **headers,
            },
        )
        return answer.json().get("result") if answer.is_success else None


Probe = Callable[[World, str], Awaitable[bool]]
"""Whether a door still answers with what the right opened."""


async def study_over_rest(world: World, token: str) -> bool:
    return await world.rest(token, f"studies/{world.study}") is not None


async def study_over_fhir(world: World, token: str) -> bool:
    return await world.fhir(token, f"ResearchStudy/{world.study}") is not None


async def study_over_mcp(world: World, token: str) -> bool:
    return await world.mcp(token, "get_study_metadata", study_id=world.study) is not None


async def tools_over_mcp(world: World, token: str) -> bool:
    return bool(await world.tools(token))


async def readings_over_rest(world: World, token: str) -> bool:
    found = await world.rest(token, f"observations?patient_id={world.patient}")
    return bool(found["results"])


async def readings_over_fhir(world: World, token: str) -> bool:
    found = await world.fhir(token, f"Observation?patient={world.patient}")
    return any(entry["resource"]["resourceType"] == "Observation" for entry in found.get("entry", []))


async def readings_over_mcp(world: World, token: str) -> bool:
    found = await world.mcp(token, "get_patient_observations", patient_id=world.patient)
    return bool(found["observations"])


STUDY: Mapping[str, Probe] = {"REST": study_over_rest, "FHIR": study_over_fhir, "MCP": study_over_mcp}
EVERYTHING: Mapping[str, Probe] = {**STUDY, "MCP tools/list": tools_over_mcp}
READINGS: Mapping[str, Probe] = {"REST": readings_over_rest, "FHIR": readings_over_fhir, "MCP": readings_over_mcp}


@dataclass
class Given:
    """The tokens of one round, and how to reach the doors with them."""

    world: World
    tokens: dict[str, str] = field(repr=False)
    maker: str = field(repr=False)
    """An access token that may change what is Mary's own."""
    own_token: int
    """The id of the MCP token."""

    def ways(self, probes: Mapping[str, Probe]) -> dict[str, Callable[[], Awaitable[bool]]]:
        doors = {"REST": ("opaque", "JWT", "MCP token"), "FHIR": ("opaque", "JWT", "MCP token")}
        doors["MCP"] = doors["MCP tools/list"] = ("JWT for MCP", "MCP token")
        return {
            f"{door}, {kind}": partial(probes[door], self.world, self.tokens[kind])
            for door, kinds in doors.items()
            for kind in kinds
            if door in probes and kind in self.tokens
        }

    async def delete(self, path: str) -> None:
        answer = await self.world.http.delete(
            f"{self.world.exchange.web_url}/api/v1/{path}", headers={"Authorization": f"Bearer {self.maker}"}
        )
        assert answer.is_success, answer.text


async def log_in(world: World) -> Given:
    web, mcp = world.exchange.web_url, world.exchange.mcp_url
    tokens = {
        "opaque": await world.token(SMART, None),
        "JWT": await world.token(SMART, web),
        "JWT for MCP": await world.token("openid offline_access mcp", mcp),
    }
    maker = await world.token("openid offline_access user/*.cruds mcp_tokens", None)
    made = await world.http.post(
        f"{web}/api/v1/mcp_tokens",
        json={"description": "an agent", "ttl": "1d"},
        headers={"Authorization": f"Bearer {maker}"},
    )
    assert made.status_code == 201, made.text
    return Given(world, {**tokens, "MCP token": made.json()["token"]}, maker, made.json()["id"])


Event = Callable[[Given, Database], AbstractAsyncContextManager[None]]
"""A right ends; afterwards it is there again."""


@asynccontextmanager
async def account_deactivated(_: Given, database: Database) -> AsyncIterator[None]:
    database("UPDATE core_user SET is_active = false WHERE email = %s", MARY.email)
    yield
    database("UPDATE core_user SET is_active = true WHERE email = %s", MARY.email)


@asynccontextmanager
async def membership_removed(_: Given, database: Database) -> AsyncIterator[None]:
    rows = database(
        "DELETE FROM core_practitionerorganization m USING core_practitioner p JOIN core_user u ON u.id = p.user_id "
        "WHERE p.id = m.practitioner_id AND u.email = %s RETURNING practitioner_id, organization_id, m.role",
        MARY.email,
    )
    yield
    for row in rows:
        database(
            "INSERT INTO core_practitionerorganization (practitioner_id, organization_id, role) VALUES (%s, %s, %s)",
            *row,
        )


@asynccontextmanager
async def consent_withdrawn(given: Given, database: Database) -> AsyncIterator[None]:
    answer = "UPDATE core_studypatientscopeconsent SET consented = %s WHERE patient_id = %s AND consented <> %s"
    database(answer, False, given.world.patient, False)
    yield
    database(answer, True, given.world.patient, True)


@asynccontextmanager
async def tokens_revoked(given: Given, _: Database) -> AsyncIterator[None]:
    """RFC 7009 for what clients hold; the maker's own route for the MCP token."""
    await given.delete(f"mcp_tokens/{given.own_token}")
    for kind in ("opaque", "JWT", "JWT for MCP"):
        answer = await given.world.http.post(
            f"{given.world.exchange.web_url}/o/revoke_token/",
            data={"token": given.tokens[kind], "client_id": STDIO_CLIENT_ID},
        )
        assert answer.status_code == 200
    yield


@asynccontextmanager
async def client_consent_withdrawn(given: Given, _: Database) -> AsyncIterator[None]:
    """An MCP token is of no client, and stays."""
    del given.tokens["MCP token"]
    [consent] = await given.world.rest(given.maker, "client_consents")
    await given.delete(f"client_consents/{consent['id']}")
    yield


EVENTS: dict[str, tuple[Event, Mapping[str, Probe]]] = {
    "account deactivated": (account_deactivated, EVERYTHING),
    "membership removed": (membership_removed, STUDY),
    "patient's consent withdrawn": (consent_withdrawn, READINGS),
    "token revoked": (tokens_revoked, EVERYTHING),
    "client's consent withdrawn": (client_consent_withdrawn, EVERYTHING),
}


async def test_what_ended_is_refused_on_the_next_request_at_every_door(
    exchange: Exchange, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    [(study, patient)] = database(A_STUDY_WITH_DATA, MARY.email)
    found: dict[str, dict[str, float]] = {}
    async with httpx2.AsyncClient(timeout=30) as http:
        for name, (event, probes) in EVENTS.items():
            given = await log_in(World(exchange, http, study, patient))
            assert all(await asyncio.gather(*(ask() for ask in given.ways(probes).values()))), f"before: {name}"
            async with event(given, database):
                found[name] = await seconds_to_refusal(given.ways(probes))
    with capsys.disabled():
        Console(width=140).print("", table_of(found))


async def seconds_to_refusal(ways: Mapping[str, Callable[[], Awaitable[bool]]]) -> dict[str, float]:
    """One request each, all at once, right after the event: none may get through."""
    began = time.perf_counter()

    async def refused(ask: Callable[[], Awaitable[bool]]) -> float:
        assert not await ask()
        return time.perf_counter() - began

    times = await asyncio.gather(*(refused(ask) for ask in ways.values()))
    return dict(zip(ways, times, strict=True))


def table_of(found: Mapping[str, Mapping[str, float]]) -> Table:
    table = Table(title="Refused on the next request; ms from the event to the refusal, all asking at once")
    table.add_column("door, token")
    for event in found:
        table.add_column(event, justify="right")
    for way in dict.fromkeys(way for times in found.values() for way in times):
        table.add_row(way, *(f"{times[way] * 1000:.0f}" if way in times else "" for times in found.values()))
    return table
