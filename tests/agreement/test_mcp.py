"""Every MCP tool, resource, completion and study endpoint says what the rules say, for everybody in random worlds, and
again, with the same tokens, after rights were taken away."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.actions.clients import register_stdio_client
from core.models import AuditEvent
from core.policy.principal import Principal
from mcp_server.database import Database
from mcp_server.resources import PATIENT, STUDY
from mcp_server.resources import READINGS as READINGS_OF
from mcp_server.tools import TOOLS
from tests.agreement.asking import Asking, log_in
from tests.agreement.oracle import Oracle, World, oracle_at, oracle_of
from tests.agreement.worlds import KINDS, RANDOM_WORLDS, READINGS, Rows, build, take_a_right_away, worlds

pytestmark = pytest.mark.django_db(transaction=True)

GLUCOSE = 0
"""Its position among the kinds."""
NEEDS_NO_DATA = {"get_omh_schema", "get_server_capabilities"}
"""Tools that say the same to everybody whose token stands."""


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
        await check_data_of_study(ask, oracle, rows, position)


async def check_data_of_study(ask: Asking, oracle: Oracle, rows: Rows, position: int) -> None:
    study, seen, grants = rows.studies[position], position in oracle.studies(), oracle.study_grants(position)
    counted = await ask("count_study_observations", study_id=study.pk, by_patient=True)
    assert (counted is not None) == seen
    if seen:
        assert counted["total"] == READINGS * len(grants)
        each = {p["patient_id"]: p["n"] for p in counted["by_patient"]["patients"]}
        kinds = Counter(p for p, _ in grants)
        assert each == {rows.patients[p].pk: READINGS * n for p, n in kinds.items()}
    wearers = {p for p, c in grants if c == GLUCOSE}
    requested = seen and (position, GLUCOSE) in oracle.world.requests
    glucose = await ask("get_glucose_metrics", study_id=study.pk)
    assert (glucose is not None) == seen
    people = [p["patient_id"] for p in (glucose or {"patients": []})["patients"] if p["n"]]
    assert positions(rows.patients, people) == wearers
    cohort = await ask("summarize_study_cohort", study_id=study.pk, data_type=KINDS[GLUCOSE])
    assert (cohort is not None) == requested
    gaps = await ask("find_data_gaps", study_id=study.pk, data_type=KINDS[GLUCOSE], longer_than="PT2M")
    assert (gaps is not None) == requested
    if requested:
        assert (cohort["total"], cohort["with_data"]) == (len(wearers), len(wearers))
        assert sum(m["readings"]["n"] for m in cohort["measures"]) == READINGS * len(wearers)
        assert positions(rows.patients, [p["patient_id"] for p in gaps["patients"]]) == wearers


async def check_patients(ask: Asking, oracle: Oracle, rows: Rows) -> None:
    found = await ask("search_patients")
    assert positions(rows.patients, [p["patient_id"] for p in found["patients"]]) == oracle.patients()
    for position, patient in enumerate(rows.patients):
        person = await ask("get_patient_demographics", patient_id=patient.pk)
        assert (person is not None) == (position in oracle.patients())
        log = await ask("get_access_log", patient_id=patient.pk)
        assert (log is not None) == (position in oracle.patients())
        granted = {c for p, c in oracle.grants() if p == position}
        await check_data_of_patient(ask, rows, position, granted, is_seen=position in oracle.patients())


async def check_data_of_patient(ask: Asking, rows: Rows, position: int, granted: set[int], *, is_seen: bool) -> None:
    patient, kinds = rows.patients[position], sorted(rows.codes[c].coding_code for c in granted)
    wears = GLUCOSE in granted
    read = await ask("get_patient_observations", patient_id=patient.pk)
    assert sorted(o["data_type"] for o in (read or {"observations": []})["observations"]) == sorted(kinds * READINGS)
    glucose = await ask("get_glucose_metrics", patient_id=patient.pk)
    assert sum(p["n"] for p in (glucose or {"patients": []})["patients"]) == (READINGS if wears else 0)
    series = await ask("get_observation_series", patient_id=patient.pk, data_type=KINDS[GLUCOSE])
    assert (series or {"observations": 0})["observations"] == (READINGS if wears else 0)
    gaps = await ask("find_data_gaps", patient_id=patient.pk, data_type=KINDS[GLUCOSE], longer_than="PT2M")
    assert sum(p["gaps_total"] for p in (gaps or {"patients": []})["patients"]) == (READINGS - 1 if wears else 0)
    dates = await ask("get_patient_date_range", patient_id=patient.pk)
    counted = await ask("count_patient_observations", patient_id=patient.pk, by_day=True)
    summaries = await ask("summarize_patient_observations", patient_id=patient.pk)
    for answer in (read, dates, counted, summaries):
        assert (answer is not None) == is_seen
    if is_seen:
        assert (dates["n"], counted["total"], read["total"]) == (READINGS * len(granted),) * 3
        assert sorted(kind["data_type"] for kind in dates["data_types"]) == kinds
        assert sum(day["n"] for day in counted["by_day"]["days"]) == counted["total"]
        assert sorted(s["data_type"] for s in summaries["summaries"]) == kinds
        assert all((s["n"], s["mean"]) == (READINGS, 100.5) for s in summaries["summaries"])


async def check_own_access(ask: Asking, oracle: Oracle, rows: Rows) -> None:
    mine = await ask("get_my_access")
    assert positions(rows.studies, [s["study_id"] for s in mine["studies"]]) == oracle.studies()
    assert (mine["total"], mine["patients"]) == (len(oracle.studies()), len(oracle.patients()))
    for study in mine["studies"]:
        [position] = positions(rows.studies, [study["study_id"]])
        assert study["patients"] == len(oracle.enrolled(position))
    for tool, arguments in {"get_omh_schema": {"name": "blood-glucose"}, "get_server_capabilities": {}}.items():
        assert await ask(tool, **arguments) is not None


async def check_resources(ask: Asking, oracle: Oracle, rows: Rows) -> None:
    """And what completes their variables."""
    seen = {str(study.pk) for position, study in enumerate(rows.studies) if position in oracle.studies()}
    people = {str(patient.pk) for position, patient in enumerate(rows.patients) if position in oracle.patients()}
    async with ask.browsing() as host:
        listed = {uri for uri in await host.listed() if uri.startswith("jhe://studies/")}
        assert listed == {STUDY.format(study_id=study_id) for study_id in seen}
        assert (await host.read("jhe://studies"))["total"] == len(seen)
        assert await host.completed(STUDY, "study_id") == seen
        assert await host.completed(PATIENT, "patient_id") == people
        for study in rows.studies:
            assert (await host.read(STUDY.format(study_id=study.pk)) is not None) == (str(study.pk) in seen)
        for position, patient in enumerate(rows.patients):
            granted = {rows.codes[c].coding_code for p, c in oracle.grants() if p == position}
            read = await host.read(PATIENT.format(patient_id=patient.pk))
            assert (read is not None) == (str(patient.pk) in people)
            glucose = await host.read(READINGS_OF.format(patient_id=patient.pk, data_type=KINDS[GLUCOSE]))
            assert (glucose or {"total": 0})["total"] == (READINGS if KINDS[GLUCOSE] in granted else 0)
            assert await host.completed(READINGS_OF, "data_type", patient_id=str(patient.pk)) == granted


async def check_study_endpoints(ask: Asking, world: World, number: int, rows: Rows) -> None:
    """The same person, with the same token, at the endpoint of each study."""
    oracle = oracle_of(world, number)
    for position, study in enumerate(rows.studies):
        there = await ask.at_study(study.pk)
        assert (there is not None) == (position in oracle.studies())
        if there is not None:
            narrowed = oracle_at(world, number, position)
            await check_studies(there, narrowed, rows)
            await check_patients(there, narrowed, rows)
            await check_own_access(there, narrowed, rows)
            await check_resources(there, narrowed, rows)
            ask.calls += there.calls


async def check_everybody(url: str, world: World, rows: Rows, principals: list[Principal]) -> int:
    """Returns how many calls were made."""
    calls = 0
    async with Database(url, size=2, wait=5, statement_timeout=10) as database:
        for number, principal in enumerate(principals):
            ask, oracle = Asking.as_principal(database, principal), oracle_of(world, number)
            if oracle.active:
                await check_studies(ask, oracle, rows)
                await check_patients(ask, oracle, rows)
                await check_own_access(ask, oracle, rows)
                await check_resources(ask, oracle, rows)
            else:
                assert [await ask(tool) for tool in ("list_studies", "get_server_capabilities", "search_patients")] == [
                    None
                ] * 3
            calls += ask.calls
    return calls


async def check_endpoints(url: str, world: World, rows: Rows, principals: list[Principal]) -> int:
    calls = 0
    async with Database(url, size=2, wait=5, statement_timeout=10) as database:
        for number, principal in enumerate(principals):
            if oracle_of(world, number).active:
                ask = Asking.as_principal(database, principal)
                await check_study_endpoints(ask, world, number, rows)
                calls += ask.calls
    return calls


@pytest.mark.parametrize("check", [check_everybody, check_endpoints])
@RANDOM_WORLDS
@given(world=worlds(), data=st.data())
def test_each_person_learns_from_every_tool_what_the_rules_say(mcp_database_url, check, world, data):
    rows = build(world)
    register_stdio_client()
    principals = log_in(rows)
    calls = asyncio.run(check(mcp_database_url, world, rows, principals))
    take_a_right_away(world, rows, data)
    calls += asyncio.run(check(mcp_database_url, world, rows, principals))
    assert AuditEvent.objects.count() == calls, "each call leaves one audit row"


def test_every_tool_is_held_against_the_rules():
    with open(__file__) as source:
        text = source.read()
    assert [tool for tool in TOOLS if f'ask("{tool}"' not in text and tool not in NEEDS_NO_DATA] == []
