"""A first question over MCP, asked as manager_mary: discovery, login and calls by the MCP SDK's own client."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from mcp import Client, MCPError
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider, OAuthFlowError
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from demo.person import Person
from demo.services import DemoError, Exchange

CLIENT_ID = "jhe-mcp-stdio"
REDIRECT_URI = "http://127.0.0.1:53682/callback"  # nobody listens: the person below reads the answer off the address


@dataclass(frozen=True)
class Answer:
    tool: str
    arguments: dict[str, Any]
    content: dict[str, Any]
    milliseconds: float


@dataclass
class _Registered:
    """What the client remembers: it is registered already, and its tokens end with the process."""

    client: OAuthClientInformationFull
    tokens: OAuthToken | None = field(default=None, repr=False)

    async def get_client_info(self) -> OAuthClientInformationFull:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens


def login_of(person: Person, mcp_url: str) -> OAuthClientProvider:
    """The authentication of an HTTP client that logs `person` in when the MCP server asks for it (RFC 9728)."""
    metadata = OAuthClientMetadata(redirect_uris=[AnyUrl(REDIRECT_URI)], token_endpoint_auth_method="none")
    answers: list[AuthorizationCodeResult] = []

    async def open_browser(url: str) -> None:
        answers.append(await person.authorize(url, REDIRECT_URI))

    async def answer() -> AuthorizationCodeResult:
        return answers.pop()

    known = _Registered(OAuthClientInformationFull(client_id=CLIENT_ID, **metadata.model_dump()))
    return OAuthClientProvider(mcp_url, metadata, known, redirect_handler=open_browser, callback_handler=answer)


@asynccontextmanager
async def connected(person: Person, mcp_url: str) -> AsyncIterator[Client]:
    """An MCP client at the exchange, logged in as `person`."""
    async with (
        httpx2.AsyncClient(auth=login_of(person, mcp_url), timeout=30) as http,
        Client(streamable_http_client(mcp_url, http_client=http)) as client,
    ):
        yield client


def first_answers(exchange: Exchange, person: Person, study: str) -> list[Answer]:
    """`list_studies`, then `get_glucose_metrics` of the first patient of the study so named, each with its time."""
    try:
        return asyncio.run(_first_answers(exchange, person, study))
    except (ExceptionGroup, MCPError, OAuthFlowError, httpx2.HTTPError, DemoError) as error:
        logs = f"{exchange.log('web')} and {exchange.log('mcp')}"
        raise DemoError(f"The first question was not answered. {_innermost(error)} See {logs}") from error


def _innermost(error: Exception) -> Exception:
    """The fault itself: the client's tasks hand it on in groups of one."""
    return _innermost(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error


async def _first_answers(exchange: Exchange, person: Person, study: str) -> list[Answer]:
    async with connected(person, exchange.mcp_url) as client:
        studies = await _ask(client, "list_studies", {})
        ids = [found["study_id"] for found in studies.content["studies"] if found["name"] == study]
        if not ids:
            raise DemoError(f"{person.email} does not see the study {study}.")
        enrolled = await _ask(client, "list_study_patients", {"study_id": ids[0]})
        patient_id = enrolled.content["patients"][0]["patient_id"]
        return [studies, await _ask(client, "get_glucose_metrics", {"patient_id": patient_id})]


async def _ask(client: Client, tool: str, arguments: dict[str, Any]) -> Answer:
    began = time.perf_counter()
    result = await client.call_tool(tool, arguments)
    milliseconds = (time.perf_counter() - began) * 1000
    if result.is_error or not isinstance(result.structured_content, dict):
        raise DemoError(f"{tool} was refused: {result.content}")
    return Answer(tool, arguments, result.structured_content, milliseconds)
