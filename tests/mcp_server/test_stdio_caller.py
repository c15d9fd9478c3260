"""Who asks over stdio: the person who is logged in on this machine, by an ID token that is checked like any other."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from mcp import Client
from oauth2_provider.models import AccessToken, Application, IDToken

from core.actions.clients import register_stdio_client
from core.actions.narrowings import narrow
from core.models import ClientConsent, ConsentedToken, Narrowing, User
from mcp_server.app import build_server
from mcp_server.auth.login import Login
from mcp_server.auth.token_store import TokenStore
from mcp_server.auth.verifier import Verifier
from mcp_server.backends.direct import Direct
from mcp_server.database import Database
from mcp_server.settings import HttpService
from mcp_server.transports.stdio import door_of
from tests import tokens
from tests.factories import MembershipFactory, StudyFactory
from tests.mcp_server.trail import owner_of, trail


def standing_id_token(user: User, granted: str = "openid mcp", **claims: Any) -> str:
    """An ID token of the stdio login that the issuer remembers, beside its access token with the scope granted."""
    register_stdio_client()
    application = Application.objects.get(client_id=tokens.STDIO_CLIENT)
    expires = timezone.now() + timedelta(hours=1)
    all_claims = tokens.id_claims(user.pk, **claims)
    kept = IDToken.objects.create(user=user, jti=all_claims["jti"], application=application, expires=expires)
    AccessToken.objects.create(
        user=user,
        token=hashlib.sha256(all_claims["jti"].encode()).hexdigest(),
        application=application,
        expires=expires,
        id_token=kept,
        scope=granted,
    )
    return tokens.signed(all_claims, typ="JWT")


@pytest.fixture
def user(transactional_db: None) -> User:
    membership = MembershipFactory()
    StudyFactory(organization=membership.organization)
    account: User = membership.practitioner.user
    return account


@pytest.fixture
def id_token(user: User) -> str:
    return standing_id_token(user)


@pytest.fixture
def next_id_token(user: User) -> str:
    return standing_id_token(user)


@pytest.fixture
def narrowed_id_token(user: User) -> str:
    """Of somebody with two studies who chose one of them on the consent page."""
    chosen = StudyFactory(name="The one", organization=user.practitioner.organizations.get())
    narrowing = narrow(user, studies=[chosen.pk])
    assert narrowing is not None
    id_token = standing_id_token(user, narrowing=narrowing.pk)
    consented_to(id_token, narrowing)
    return id_token


@pytest.fixture
def id_token_that_hides_its_narrowing(user: User) -> str:
    """The issuer remembers what the person chose, and the token does not say it."""
    narrowing = narrow(user, studies=[])
    assert narrowing is not None
    id_token = standing_id_token(user)
    consented_to(id_token, narrowing)
    return id_token


def consented_to(id_token: str, narrowing: Narrowing) -> None:
    token = AccessToken.objects.get(token=_row_of(id_token))
    consent = ClientConsent.objects.create(
        user=token.user, application=token.application, family=uuid4(), scope=token.scope, narrowing=narrowing
    )
    ConsentedToken.objects.create(access_token=token, consent=consent)


@pytest.fixture
def id_token_without_mcp(user: User) -> str:
    """It says that MCP was granted, and the issuer remembers that it was not."""
    return standing_id_token(user, granted="openid profile")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TokenStore:
    monkeypatch.setattr("mcp_server.auth.token_store._has_keyring", lambda: False)
    return TokenStore(tokens.ISSUER, tmp_path)


@asynccontextmanager
async def started(settings: HttpService, store: TokenStore) -> AsyncIterator[Client]:
    async def show(_: str) -> None:
        """Nobody looks."""

    login = Login.at_issuer("http://127.0.0.1:1", store, show)
    async with Database.of(settings) as database:
        server = build_server(Direct(database, *door_of(login, Verifier.of(settings))))
        async with Client(server) as client:
            yield client
    await login.aclose()


def keep(store: TokenStore, id_token: str) -> None:
    store.write({"access_token": "unused", "id_token": id_token, "expires_at": 2**40})


async def test_the_person_who_is_logged_in_is_the_one_who_asks(
    settings: HttpService, store: TokenStore, user: User, id_token: str
) -> None:
    keep(store, id_token)
    async with started(settings, store) as client:
        answer = await client.call_tool("get_study_count", {})
    assert answer.structured_content["total"] == 1  # type: ignore[index]
    [row] = await trail(settings)
    assert (row["user_id"], row["client_id"], row["source"]) == (user.pk, tokens.STDIO_CLIENT, "stdio")


async def test_a_login_that_was_narrowed_sees_what_is_left(
    settings: HttpService, store: TokenStore, narrowed_id_token: str
) -> None:
    keep(store, narrowed_id_token)
    async with started(settings, store) as client:
        answer = await client.call_tool("list_studies", {})
    assert [study["name"] for study in answer.structured_content["studies"]] == ["The one"]  # type: ignore[index]


async def test_a_login_that_hides_what_it_was_narrowed_to_answers_nothing(
    settings: HttpService, store: TokenStore, id_token_that_hides_its_narrowing: str
) -> None:
    keep(store, id_token_that_hides_its_narrowing)
    async with started(settings, store) as client:
        answer = await client.call_tool("list_studies", {})
    assert answer.is_error


async def test_an_access_token_in_the_place_of_an_id_token_is_refused(
    settings: HttpService, store: TokenStore, user: User
) -> None:
    keep(store, tokens.access_token(user.pk))
    async with started(settings, store) as client:
        answer = await client.call_tool("get_study_count", {})
    assert answer.content[0].text == "This is not an ID token."  # type: ignore[union-attr]


async def test_an_id_token_of_another_client_is_refused(settings: HttpService, store: TokenStore, user: User) -> None:
    keep(store, tokens.id_token(user.pk, aud="some-app"))
    async with started(settings, store) as client:
        answer = await client.call_tool("get_study_count", {})
    assert answer.is_error


async def test_a_login_that_another_program_has_renewed_is_used_within_the_same_call(
    settings: HttpService, store: TokenStore, id_token: str, next_id_token: str
) -> None:
    keep(store, id_token)
    async with started(settings, store) as client:
        assert not (await client.call_tool("get_study_count", {})).is_error
        async with owner_of(settings) as owner:
            await owner.execute("DELETE FROM oauth2_provider_accesstoken WHERE token = $1", _row_of(id_token))
        await asyncio.to_thread(keep, store, next_id_token)
        answer = await client.call_tool("get_study_count", {})
    assert not answer.is_error
    assert [row["outcome"] for row in await trail(settings)] == ["success", "refused", "success"]


async def test_a_login_that_was_not_granted_mcp_answers_nothing(
    settings: HttpService, store: TokenStore, id_token_without_mcp: str
) -> None:
    keep(store, id_token_without_mcp)
    async with started(settings, store) as client:
        answer = await client.call_tool("get_study_count", {})
    assert answer.is_error
    assert [row["outcome"] for row in await trail(settings)] == ["refused"]


async def test_a_login_that_was_revoked_answers_nothing(
    settings: HttpService, store: TokenStore, id_token: str
) -> None:
    keep(store, id_token)
    async with started(settings, store) as client:
        async with owner_of(settings) as owner:
            await owner.execute("DELETE FROM oauth2_provider_accesstoken")
        answer = await client.call_tool("get_study_count", {})
    assert answer.is_error
    assert [row["outcome"] for row in await trail(settings)] == ["refused"]


def _row_of(id_token: str) -> str:
    claims = tokens.jwt.decode(id_token, options={"verify_signature": False})
    return hashlib.sha256(claims["jti"].encode()).hexdigest()
