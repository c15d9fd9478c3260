"""MCP tokens as bearers: what they open, what ends them, and that guessing costs nothing."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from core.actions.narrowings import narrow
from core.models import McpToken, Study, User
from core.policy.errors import NotAuthenticated, Unavailable
from core.policy.mcp_tokens import new_token, token_hash
from core.policy.permissions import Permission
from mcp_server.auth import kept, mcp_tokens
from mcp_server.auth.mcp_tokens import McpTokens
from mcp_server.database import Database
from mcp_server.settings import HttpService
from tests import tokens
from tests.factories import MembershipFactory, StudyFactory
from tests.mcp_server.service import asking, called, served
from tests.mcp_server.trail import owner_of, trail


@pytest.fixture
def user(transactional_db: None) -> User:
    """A manager of one organization, which runs two studies."""
    membership = MembershipFactory(role="manager")
    StudyFactory.create_batch(2, organization=membership.organization)
    account: User = membership.practitioner.user
    return account


@pytest.fixture
def studies(user: User) -> list[int]:
    return list(user.practitioner.organizations.get().studies.order_by("pk").values_list("pk", flat=True))


def make(user: User, **fields: Any) -> str:
    token = new_token()
    McpToken.objects.create(
        **{
            "user": user,
            "token_hash": token_hash(token),
            "scope": "mcp user/*.rs",
            "permissions": [permission for permission in Permission if permission.endswith(":read")],
            "expires": timezone.now() + timedelta(days=1),
            **fields,
        }
    )
    return token


@pytest.fixture
def token(user: User) -> str:
    return make(user)


@pytest.fixture
def narrowed(user: User, studies: list[int]) -> str:
    """For the first study alone."""
    return make(user, narrowing=narrow(user, studies=studies[:1]))


@pytest.fixture
def for_an_organization(user: User) -> str:
    return make(user, narrowing=narrow(user, organizations=[user.practitioner.organizations.get().pk]))


@pytest.fixture
def cannot_read_studies(user: User) -> str:
    return make(user, permissions=["patient:read"])


@pytest.fixture
def with_a_permission_of_another_time(user: User) -> str:
    return make(user, permissions=["study:read", "horoscope:read"])


@pytest.fixture
def without_mcp(user: User) -> str:
    return make(user, scope="user/*.rs")


@pytest.fixture
def elsewhere(transactional_db: None) -> int:
    """A study of somebody else's."""
    study: Study = StudyFactory()
    return study.pk


@pytest.fixture(params=["expired", "revoked", "of somebody who left"])
def ended(request: pytest.FixtureRequest, user: User) -> str:
    if request.param == "expired":
        return make(user, expires=timezone.now())
    if request.param == "revoked":
        return make(user, revoked=timezone.now())
    user.is_active = False
    user.save()
    return make(user)


async def test_a_token_asks_for_its_maker_and_the_trail_tells_it_apart(
    settings: HttpService, user: User, token: str
) -> None:
    async with served(settings) as http:
        response = await called(http, "get_study_count", token=token)
    assert response.json()["result"]["structuredContent"]["total"] == 2
    [row] = await trail(settings)
    assert row["user_id"] == user.pk
    assert row["client_id"].startswith("mcp-token-")
    assert row["token_key"] == token_hash(token)


async def test_a_narrowed_token_says_which_studies_it_is_for_whether_the_other_exists_or_not(
    settings: HttpService, studies: list[int], narrowed: str, elsewhere: int
) -> None:
    [kept, left_out] = studies
    async with served(settings) as http, asking(http, narrowed) as client:
        seen = await client.call_tool("get_study_metadata", {"study_id": kept})
        refused = [await client.call_tool("get_study_metadata", {"study_id": n}) for n in (left_out, elsewhere, 999)]
        count = await client.call_tool("get_study_count", {})
    assert not seen.is_error
    assert count.structured_content["total"] == 1  # type: ignore[index]
    for answer in refused:
        assert answer.is_error
        assert answer.content[0].text == f"This token is for the study {kept} only."  # type: ignore[union-attr]
    assert [row["outcome"] for row in await trail(settings)] == ["success", "refused", "refused", "refused", "success"]


async def test_a_token_for_an_organization_answers_as_if_there_were_nothing_else(
    settings: HttpService, studies: list[int], for_an_organization: str, elsewhere: int
) -> None:
    async with served(settings) as http, asking(http, for_an_organization) as client:
        seen = await client.call_tool("get_study_metadata", {"study_id": studies[1]})
        refused = await client.call_tool("get_study_metadata", {"study_id": elsewhere})
    assert not seen.is_error
    assert refused.content[0].text.startswith(f"No study {elsewhere} that you can see.")  # type: ignore[union-attr]


async def test_a_token_without_the_permission_sees_nothing(settings: HttpService, cannot_read_studies: str) -> None:
    async with served(settings) as http:
        response = await called(http, "get_study_count", token=cannot_read_studies)
    assert response.json()["result"]["structuredContent"]["total"] == 0


async def test_a_permission_that_there_is_no_more_grants_nothing_and_harms_nobody(
    settings: HttpService, with_a_permission_of_another_time: str
) -> None:
    async with served(settings) as http:
        response = await called(http, "get_study_count", token=with_a_permission_of_another_time)
    assert response.json()["result"]["structuredContent"]["total"] == 2


async def test_a_token_without_the_scope_is_told_so(settings: HttpService, without_mcp: str) -> None:
    async with served(settings) as http:
        response = await called(http, "get_study_count", token=without_mcp)
    assert response.status_code == 403


async def test_a_token_that_has_ended_is_refused(settings: HttpService, ended: str) -> None:
    async with served(settings) as http:
        response = await called(http, "get_study_count", token=ended)
    assert response.status_code == 401
    assert "This MCP token is unknown, expired or revoked." in response.headers["WWW-Authenticate"]
    assert ended not in response.text + str(response.headers)


@pytest.mark.parametrize(
    "end",
    [
        "UPDATE core_mcptoken SET revoked = now()",
        "UPDATE core_mcptoken SET expires = now()",
        "DELETE FROM core_mcptoken",
        "UPDATE core_user SET is_active = false",
    ],
)
async def test_a_token_that_ends_asks_no_further_question_and_is_forgotten_within_five_seconds(
    settings: HttpService, token: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(settings) as http, owner_of(settings) as owner:
        assert (await called(http, "get_study_count", token=token)).status_code == 200
        await owner.execute(end)
        question = await called(http, "get_study_count", token=token)
        monkeypatch.setattr(kept.time, "monotonic", _later(kept.time.monotonic, 5))
        anything_else = await _listed(http, token)
    assert question.status_code == 401
    assert 'error="invalid_token"' in question.headers["WWW-Authenticate"]
    assert anything_else.status_code == 401


async def test_a_membership_that_ended_is_gone_with_the_next_question(settings: HttpService, token: str) -> None:
    async with served(settings) as http, owner_of(settings) as owner:
        await called(http, "get_study_count", token=token)
        await owner.execute("DELETE FROM core_practitionerorganization")
        response = await called(http, "get_study_count", token=token)
    assert response.json()["result"]["structuredContent"]["total"] == 0


async def test_what_ends_by_the_clock_ends_while_it_is_kept_in_mind(
    settings: HttpService, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(settings) as http:
        assert (await _listed(http, token)).status_code == 200
        monkeypatch.setattr(mcp_tokens.time, "time", _later(mcp_tokens.time.time, 86_401))
        assert (await _listed(http, token)).status_code == 401


async def test_that_a_token_is_used_is_noted(settings: HttpService, token: str) -> None:
    async with served(settings) as http, owner_of(settings) as owner:
        await _listed(http, token)
        noted = await owner.fetchval("SELECT last_used FROM core_mcptoken")
        assert noted is not None
        await _listed(http, token)
        assert await owner.fetchval("SELECT last_used FROM core_mcptoken") == noted


async def test_an_unknown_token_is_looked_up_once(settings: HttpService, transactional_db: None) -> None:
    async with Database.of(settings) as database:
        known, guess = McpTokens(database, tokens.ISSUER), new_token()
        for _ in range(3):
            with pytest.raises(NotAuthenticated):
                await known.find(guess)
    # The database is closed: another look would be a fault.
    with pytest.raises(NotAuthenticated):
        await known.find(guess)


async def test_a_token_with_a_wrong_checksum_is_not_looked_up(settings_without_database: HttpService) -> None:
    known = McpTokens(Database.of(settings_without_database), tokens.ISSUER)
    for wrong in ("jhe_pat_", "jhe_pat_" + "0" * 46, new_token()[:-1], new_token() + "0", new_token() + "\n"):
        with pytest.raises(NotAuthenticated):
            await known.find(wrong)


async def test_a_flood_of_guesses_leaves_the_connections_to_those_who_ask(
    settings: HttpService, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 0
    busy = 0
    row = Database.row

    async def counted(*arguments: Any) -> Any:
        nonlocal busy, most
        busy, most = busy + 1, max(most, busy + 1)
        try:
            return await row(*arguments)
        finally:
            busy -= 1

    monkeypatch.setattr(Database, "row", counted)
    async with Database.of(settings) as database:
        known = McpTokens(database, tokens.ISSUER)
        await known.find(token)
        guesses = [known.find(new_token()) for _ in range(300)]
        answers = await asyncio.gather(*guesses, *(known.find(token) for _ in range(50)), return_exceptions=True)
    assert {type(answer) for answer in answers[:300]} <= {NotAuthenticated, Unavailable}
    assert not any(isinstance(answer, Exception) for answer in answers[300:])
    assert most <= 2


async def test_while_lookups_take_too_long_whoever_waits_is_told_to_try_again(
    settings_without_database: HttpService, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_tokens, "_PATIENCE_SECONDS", 0.01)
    stuck = asyncio.Event()

    async def never(*_: Any) -> Any:
        await stuck.wait()
        raise Unavailable

    monkeypatch.setattr(Database, "row", never)
    known = McpTokens(Database.of(settings_without_database), tokens.ISSUER)
    slow = [asyncio.create_task(known.find(new_token())) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="try again in a few seconds"):
        await known.find(token)
    stuck.set()
    await asyncio.gather(*slow, return_exceptions=True)


async def test_what_is_kept_in_mind_is_bounded(
    settings: HttpService, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MAX_KEPT", 3)
    async with Database.of(settings) as database:
        known = McpTokens(database, tokens.ISSUER)
        await known.find(token)
        for _ in range(5):
            with pytest.raises(NotAuthenticated):
                await known.find(new_token())
    assert len(known._unknown._kept) == 3
    assert await known.find(token)  # guesses do not push out what stands


async def test_without_the_database_nobody_is_let_in(settings_without_database: HttpService) -> None:
    async with served(settings_without_database) as http:
        response = await called(http, "get_study_count", token=new_token())
    assert response.status_code == 503
    assert response.headers["Retry-After"]


async def _listed(http: Any, token: str) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
    return await http.post(tokens.RESOURCE, json=body, headers=headers)


def _later(clock: Callable[[], float], seconds: float) -> Callable[[], float]:
    return lambda: clock() + seconds
