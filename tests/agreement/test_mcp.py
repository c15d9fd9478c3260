"""Every MCP tool says what the rules say, for everybody in random worlds, and again, with the same tokens, after rights
were taken away."""

import asyncio
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.actions.clients import register_stdio_client
from core.models import AuditEvent, Narrowing, User
from core.oauth.claims import claims_of
from core.policy.claims import principal_from
from core.policy.principal import Principal
from mcp_server.auth.caller import Caller
from mcp_server.backends.direct import Direct
from mcp_server.database import Database
from mcp_server.tools import TOOLS
from tests.agreement.oracle import Oracle, World, oracle_of
from tests.agreement.worlds import RANDOM_WORLDS, READINGS, Rows, build, take_a_right_away, worlds
from tests.bearer import token_of

pytestmark = pytest.mark.django_db(transaction=True)


def log_in(rows: Rows) -> list[Principal]:
    """A token for everybody, as the provider would give it at this moment."""
    return [_log_in(user, narrowing) for user, narrowing in zip(rows.users, rows.narrowings, strict=True)]


def _log_in(user: User, narrowing: Narrowing | None) -> Principal:
    token_key = hashlib.sha256(token_of(user, scope="mcp", narrowing=narrowing).encode()).hexdigest()
    claims = claims_of(user, narrowing and narrowing.pk)
    return principal_from({"sub": str(user.pk), "scope": "mcp", **claims}, token_key=token_key)


class Asking:
    """One person at the MCP server."""

    def __init__(self, database: Database, principal: Principal) -> None:
        self.database, self.principal = database, principal
        self.calls = 0

    async def __call__(self, tool: str, **arguments: Any) -> dict[str, Any] | None:
        """The structured answer; None when the tool refused."""
        self.calls += 1
        result = await Direct(self.database, self._caller).call(TOOLS[tool], arguments, None)
        if result.is_error:
            assert result.structured_content is None
            return None
        return result.structured_content

    async def _caller(self, _context: object) -> Caller:
        return Caller(self.principal, "127.0.0.1")


def positions(rows, ids):
    assert len(ids) == len(set(ids)), "a row is seen twice"
    return {position for position, row in enumerate(rows) if row.pk in ids}


async def check_studies(ask: Asking, oracle: Oracle, rows: Rows) -> None:
    listed = await ask("list_studies")
    assert positions(rows.studies, [s["study_id"] for s in listed["studies"]]) == oracle.studies()
    assert listed["total"] == len(oracle.studies())
    counted = await ask("get_study_count")
    assert counted["total"] == len(oracle.studies())
    assert sum(o["studies"] for o in counted["organizations"]) == len(oracle.studies())
    for position, study in enumerate(rows.studies):
        seen, enrolled = position in oracle.studies(), len(oracle.enrolled(position))
        about = await ask("get_study_metadata", study_id=study.pk)
        assert (about is not None) == seen
        patients = await ask("list_study_patients", study_id=study.pk)
        assert (patients is not None) == seen
        people = await ask("get_patient_demographics", study_id=study.pk)
        assert (people is not None) == seen
        found = await ask("search_patients", study_id=study.pk)
        assert (found is not None) == seen
        if seen:
            assert about["observations"] == READINGS * len(oracle.study_grants(position))
            assert about["patients"] == patients["total"] == people["total"] == found["total"] == enrolled
            for answer in (patients, people, found):
                ids = [p["patient_id"] for p in answer["patients"]]
                assert positions(rows.patients, ids) == oracle.enrolled(position)


async def check_patients(ask: Asking, oracle: Oracle, rows: Rows) -> None:
    found = await ask("search_patients")
    assert positions(rows.patients, [p["patient_id"] for p in found["patients"]]) == oracle.patients()
    for position, patient in enumerate(rows.patients):
        person = await ask("get_patient_demographics", patient_id=patient.pk)
        assert (person is not None) == (position in oracle.patients())
        granted = {c for p, c in oracle.grants() if p == position}
        read = await ask("get_patient_observations", patient_id=patient.pk)
        kinds = [o["data_type"] for o in (read or {"observations": []})["observations"]]
        assert sorted(kinds) == sorted([rows.codes[c].coding_code for c in granted] * READINGS)
        glucose = await ask("get_glucose_metrics", patient_id=patient.pk)
        readings = sum(p["n"] for p in (glucose or {"patients": []})["patients"])
        assert readings == (READINGS if 0 in granted else 0)


async def check_glucose_of_studies(ask: Asking, oracle: Oracle, rows: Rows) -> None:
    for position, study in enumerate(rows.studies):
        answer = await ask("get_glucose_metrics", study_id=study.pk)
        assert (answer is not None) == (position in oracle.studies())
        people = [p["patient_id"] for p in (answer or {"patients": []})["patients"] if p["n"]]
        assert positions(rows.patients, people) == {p for p, c in oracle.study_grants(position) if c == 0}


async def check_everybody(url: str, world: World, rows: Rows, principals: list[Principal]) -> int:
    """Returns how many calls were made."""
    calls = 0
    async with Database(url, size=2, wait=5, statement_timeout=10) as database:
        for number, principal in enumerate(principals):
            ask, oracle = Asking(database, principal), oracle_of(world, number)
            if oracle.active:
                await check_studies(ask, oracle, rows)
                await check_patients(ask, oracle, rows)
                await check_glucose_of_studies(ask, oracle, rows)
            else:
                assert [await ask(tool) for tool in ("list_studies", "get_study_count", "search_patients")] == [
                    None
                ] * 3
            calls += ask.calls
    return calls


@RANDOM_WORLDS
@given(world=worlds(), data=st.data())
def test_each_person_learns_from_every_tool_what_the_rules_say(mcp_database_url, world, data):
    rows = build(world)
    register_stdio_client()
    principals = log_in(rows)
    calls = asyncio.run(check_everybody(mcp_database_url, world, rows, principals))
    take_a_right_away(world, rows, data)
    calls += asyncio.run(check_everybody(mcp_database_url, world, rows, principals))
    assert AuditEvent.objects.count() == calls, "each call leaves one audit row"


def test_every_tool_is_held_against_the_rules():
    with open(__file__) as source:
        text = source.read()
    assert [tool for tool in TOOLS if f'ask("{tool}"' not in text] == []
