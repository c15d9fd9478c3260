"""What a client brings back (MCP 2026-07-28, requestState): what it was given, itself, for this call, and in time."""

import time
from typing import Any

import httpx2
import pytest
from mcp_types import INVALID_PARAMS

from core.models import User
from mcp_server.settings import HttpService
from tests import tokens
from tests.factories import MembershipFactory, StudyFactory
from tests.mcp_server.service import served, standing_token

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def user(transactional_db: None) -> User:
    """A viewer of an organization with one study."""
    membership = MembershipFactory()
    StudyFactory(organization=membership.organization)
    account: User = membership.practitioner.user
    return account


@pytest.fixture
def token(user: User) -> str:
    return standing_token(user)


@pytest.fixture
def anothers_token(transactional_db: None) -> str:
    return standing_token(MembershipFactory().practitioner.user)


@pytest.fixture
def own_token_of_another_client(user: User) -> str:
    return standing_token(user, client_id="another-client")


async def asked(http: httpx2.AsyncClient, token: str, **params: Any) -> dict[str, Any]:
    """The message that answers a call of get_study_metadata by a host with forms."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
    }
    headers = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": "get_study_metadata",
        "Authorization": f"Bearer {token}",
    }
    sent = {"name": "get_study_metadata", "arguments": {"study_id": 7}, "_meta": meta, **params}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": sent}
    message: dict[str, Any] = (await http.post(tokens.RESOURCE, json=body, headers=headers)).json()
    return message


async def first_round(http: httpx2.AsyncClient, token: str) -> tuple[str, dict[str, Any]]:
    """The state, and the reply of somebody who chooses the only study."""
    result = (await asked(http, token))["result"]
    assert result["resultType"] == "input_required"
    [choice] = result["inputRequests"]["study_id"]["params"]["requestedSchema"]["properties"]["study_id"]["oneOf"]
    return result["requestState"], {"study_id": {"action": "accept", "content": {"study_id": choice["const"]}}}


def check_refused(answer: dict[str, Any]) -> None:
    assert answer["error"]["code"] == INVALID_PARAMS
    assert answer["error"]["message"] == "Invalid or expired requestState"


async def test_a_client_that_brings_back_what_it_was_given_is_answered(settings: HttpService, token: str) -> None:
    async with served(settings) as http:
        state, replies = await first_round(http, token)
        answer = await asked(http, token, requestState=state, inputResponses=replies)
        assert answer["result"]["structuredContent"]["study_id"] == int(replies["study_id"]["content"]["study_id"])


async def test_what_was_tampered_with_is_refused(settings: HttpService, token: str) -> None:
    async with served(settings) as http:
        state, replies = await first_round(http, token)
        flipped = state[:-2] + ("A" if state[-2] != "A" else "B") + state[-1]
        for bad in (flipped, state[:-8], "", "v1.", "study_id", f"{state}{state}"):
            check_refused(await asked(http, token, requestState=bad, inputResponses=replies))


async def test_what_another_was_given_is_refused(
    settings: HttpService, token: str, anothers_token: str, own_token_of_another_client: str
) -> None:
    async with served(settings) as http:
        state, replies = await first_round(http, token)
        for other in (anothers_token, own_token_of_another_client):
            check_refused(await asked(http, other, requestState=state, inputResponses=replies))


async def test_what_belongs_to_another_call_is_refused(settings: HttpService, token: str) -> None:
    async with served(settings) as http:
        state, replies = await first_round(http, token)
        check_refused(await asked(http, token, arguments={"study_id": 8}, requestState=state, inputResponses=replies))


async def test_what_comes_too_late_is_refused(
    settings: HttpService, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(settings) as http:
        state, replies = await first_round(http, token)
        later = time.time() + 601
        monkeypatch.setattr("time.time", lambda: later)
        check_refused(await asked(http, token, requestState=state, inputResponses=replies))


async def test_every_machine_with_the_key_knows_what_one_has_given_and_no_other(
    settings: HttpService, token: str
) -> None:
    shared = settings.model_validate({**settings.model_dump(), "state_key": KEY})
    async with served(shared) as one, served(shared) as other, served(settings) as stranger:
        state, replies = await first_round(one, token)
        answer = await asked(other, token, requestState=state, inputResponses=replies)
        assert answer["result"]["structuredContent"]
        check_refused(await asked(stranger, token, requestState=state, inputResponses=replies))
