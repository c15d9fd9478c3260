"""Who asks reaches every tool as one object that nobody changes, and that no other request ever sees."""

import asyncio
from dataclasses import FrozenInstanceError, fields, is_dataclass

import pytest

from core.models import User
from core.policy.principal import Principal, UserType
from mcp_server.auth.caller import Caller
from mcp_server.settings import HttpService
from mcp_server.tool import Answer, Arguments, Ask, Output, Tool
from mcp_server.tools import TOOLS
from tests import tokens
from tests.factories import MembershipFactory
from tests.mcp_server.service import called, served, standing_token

PEOPLE = 12


class Nothing(Output):
    pass


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Caller, Caller]]:
    """The callers that a tool was given, before and after others have asked: it waits until everybody is there."""
    callers: list[tuple[Caller, Caller]] = []
    everybody = asyncio.Barrier(PEOPLE)

    async def look(_: Arguments, ask: Ask) -> Answer:
        before = ask.caller
        await everybody.wait()
        await ask("get_study_count", limit=1)
        callers.append((before, ask.caller))
        return Answer(str(ask.caller.principal.user_id), {})

    monkeypatch.setitem(TOOLS, "look", Tool("look", "Look", "Looks.", Arguments, Nothing, look))
    return callers


@pytest.fixture
def people(transactional_db: None) -> dict[int, str]:
    """Users with their tokens."""
    users: list[User] = [MembershipFactory().practitioner.user for _ in range(PEOPLE)]
    return {user.pk: standing_token(user, client_id=f"client-of-{user.pk}") for user in users}


async def test_people_who_ask_at_the_same_time_never_see_each_other(
    settings: HttpService, people: dict[int, str], seen: list[tuple[Caller, Caller]]
) -> None:
    proxied = settings.model_copy(update={"client_ip_header": "Fly-Client-IP"})
    async with served(proxied) as http, asyncio.timeout(30):
        asked = [
            called(http, "look", token=token, **{"Fly-Client-IP": f"192.0.2.{number}"})
            for number, token in enumerate(people.values())
        ]
        answers = await asyncio.gather(*asked)
    said = [int(answer.json()["result"]["content"][0]["text"]) for answer in answers]
    assert said == list(people)
    assert all(before is after for before, after in seen)
    callers = {caller.principal.user_id: caller for caller, _ in seen}
    for number, user_id in enumerate(people):
        caller = callers[user_id]
        assert caller.source == f"192.0.2.{number}"
        assert caller.subject == str(user_id)
        assert caller.issuer == tokens.ISSUER
        assert caller.principal.client_id == f"client-of-{user_id}"
        assert caller.principal.scopes == {"openid", "mcp"}
        assert 0 < caller.expires - tokens.time.time() < 3_700


def test_nobody_changes_who_asks() -> None:
    caller = Caller(Principal(user_id=1, user_type=UserType.PATIENT), "192.0.2.1", "https://jhe.example.org", 5)
    for field in fields(caller):
        with pytest.raises(FrozenInstanceError):
            setattr(caller, field.name, None)
    with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
        caller.superuser = True  # type: ignore[attr-defined]
    with pytest.raises(FrozenInstanceError):
        caller.principal.user_id = 2  # type: ignore[misc]


def test_all_of_it_is_frozen_and_none_of_it_can_be_called() -> None:
    caller = Caller(Principal(user_id=1, user_type=UserType.PATIENT, permissions=frozenset()), "192.0.2.1")
    assert hash(caller) == hash(Caller(caller.principal, "192.0.2.1"))
    for part in (caller, caller.principal):
        assert is_dataclass(part)
        assert not any(callable(getattr(part, field.name)) and field.name != "user_type" for field in fields(part))
    assert caller.principal.token_key not in repr(caller) or caller.principal.token_key == ""
