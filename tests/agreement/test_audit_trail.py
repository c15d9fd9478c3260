"""Everybody reads of the audit trail what the rules say, in random worlds, and again after rights were taken away."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from core.actions.audit import record_access
from core.actions.clients import register_stdio_client
from core.models import AuditEvent, AuditReach
from core.policy.principal import Principal
from mcp_server.database import Database
from tests.agreement.asking import Asking, log_in
from tests.agreement.oracle import Limit, NarrowedOracle, Oracle, World
from tests.agreement.worlds import RANDOM_WORLDS, Rows, build, take_a_right_away, worlds

pytestmark = pytest.mark.django_db(transaction=True)

FEW_RANDOM_WORLDS = hypothesis_settings(RANDOM_WORLDS, max_examples=20)
SECRETS = {"client_id": "app", "token_key": "token", "source": "192.0.2.1"}
DETAIL = {"name": "somebody searched for"}


@dataclass(frozen=True)
class Event:
    user: int | None
    study: int | None
    patients: frozenset[int]


class Reader:
    """What one user may read of the trail, in plain Python from the rules alone."""

    def __init__(self, world: World, user: int) -> None:
        self.oracle = oracle = Oracle(world, user)
        self.organizations = {
            o for (u, o), role in world.roles.items() if u == user and role == "manager" and oracle.active
        }
        self.user, self.active, self.everything = user, oracle.active, oracle.superuser
        self.reads_own = oracle.active
        self.studies = {s for s, o in world.studies.items() if o in self.organizations}
        self.managed = {p for p, o in world.patient_organizations if o in self.organizations}
        self.patients = self.managed | oracle.own

    def whole(self, event: Event) -> bool:
        return self.everything or (self.reads_own and event.user == self.user)

    def sees(self, event: Event) -> bool:
        return self.whole(event) or event.study in self.studies or bool(event.patients & self.patients)

    def patients_of(self, event: Event) -> set[int]:
        return set(event.patients if self.whole(event) else event.patients & self.patients)

    def detail_of(self, event: Event) -> dict[str, str]:
        return DETAIL if self.patients_of(event) == event.patients else {}

    def sees_source(self, event: Event) -> bool:
        return self.whole(event) or event.study in self.studies or bool(event.patients & self.managed)


class NarrowedReader(Reader):
    """With a token that is narrowed: a superuser's is a manager's, and what somebody did is no reason of its own."""

    def __init__(self, world: World, user: int, limit: Limit) -> None:
        super().__init__(world, user)
        self.oracle = oracle = NarrowedOracle(world, user, limit)
        managed = set(range(world.organizations)) if self.everything else self.organizations
        whole = managed & oracle.whole_organizations()
        led = {s for s in oracle.led_studies() if world.studies[s] in managed}
        enrolled = {p for s, p in world.enrolments if s in led} & oracle.person.patients()
        self.everything = self.reads_own = False
        self.studies = led if limit.patient is None else set()
        self.managed = {p for p, o in world.patient_organizations if o in whole} | enrolled
        self.managed &= oracle.in_question()
        self.patients = self.managed | oracle.own
        self.within = None if limit.everywhere else oracle.left()

    def sees(self, event: Event) -> bool:
        return super().sees(event) and (self.within is None or event.study in self.within)


def reader_of(world: World, user: int) -> Reader:
    return NarrowedReader(world, user, world.limits[user]) if user in world.limits else Reader(world, user)


def events(world: World) -> st.SearchStrategy[list[Event]]:
    event = st.builds(
        Event,
        user=st.none() | st.integers(0, world.users - 1),
        study=st.none() | (st.sampled_from(sorted(world.studies)) if world.studies else st.none()),
        patients=st.frozensets(st.sampled_from(sorted(world.patients))) if world.patients else st.just(frozenset()),
    )
    return st.lists(event, max_size=6)


def write(event: Event, rows: Rows) -> int:
    return record_access(
        door="rest",
        action="GET x",
        outcome="success",
        user_id=None if event.user is None else rows.users[event.user].pk,
        study_id=None if event.study is None else rows.studies[event.study].pk,
        patient_ids=[rows.patients[p].pk for p in event.patients],
        detail=DETAIL,
        **SECRETS,
    )


def check_everybody(world: World, rows: Rows, trail: dict[int, Event]) -> None:
    for number in range(world.users):
        reader, principal = reader_of(world, number), rows.principal(number)
        reach = AuditReach.of(principal)
        seen = {event.pk: event.as_seen_by(reach) for event in AuditEvent.objects.visible_to(principal)}
        assert set(seen) == {id_ for id_, event in trail.items() if reader.sees(event)}
        for id_, shown in seen.items():
            event = trail[id_]
            assert set(shown.patient_ids) == {rows.patients[p].pk for p in reader.patients_of(event)}
            assert shown.detail == reader.detail_of(event)
            secrets = ("token", "192.0.2.1") if reader.sees_source(event) else ("", "")
            assert (shown.token_key, shown.source) == secrets
        for p, patient in enumerate(rows.patients):
            found = AuditEvent.objects.within(reach).touching(patient.pk, reach)
            assert {event.pk for event in found} == {
                id_ for id_, event in trail.items() if reader.sees(event) and p in reader.patients_of(event)
            }


def check_over_fhir(world: World, rows: Rows, trail: dict[int, Event]) -> None:
    """AuditEvent says the same; what reading it leaves in the trail itself is not looked at."""
    for number in range(world.users):
        reader = reader_of(world, number)
        if reader.active:
            answer = rows.client(number).get("/FHIR/R5/AuditEvent", {"_count": 1000})
            assert answer.status_code == 200, answer.content
            found = {int(entry["resource"]["id"]): entry["resource"] for entry in answer.json()["entry"]}
            seen = {id_: resource for id_, resource in found.items() if id_ in trail}
            assert set(seen) == {id_ for id_, event in trail.items() if reader.sees(event)}
            for id_, resource in seen.items():
                patients = {rows.patients[p].pk for p in reader.patients_of(trail[id_])}
                assert touched(resource) == patients
                assert ("192.0.2.1" in json.dumps(resource)) == reader.sees_source(trail[id_])


async def check_over_mcp(
    url: str, world: World, rows: Rows, principals: list[Principal], trail: dict[int, Event]
) -> None:
    """get_access_log says the same of each patient; what reading it leaves in the trail itself is not looked at."""
    async with Database(url, size=2, wait=5, statement_timeout=10) as database:
        for number, principal in enumerate(principals):
            reader = reader_of(world, number)
            for p in reader.oracle.patients() if reader.active else ():
                told = await whole_log(Asking.as_principal(database, principal), rows.patients[p].pk)
                assert {
                    access["access_id"]: access["address"] is not None
                    for access in told
                    if access["access_id"] in trail
                } == {
                    id_: reader.sees_source(event)
                    for id_, event in trail.items()
                    if reader.sees(event) and p in reader.patients_of(event)
                }


async def whole_log(ask: Asking, patient_id: int) -> list[dict[str, Any]]:
    """Every page of it."""
    told: list[dict[str, Any]] = []
    more: dict[str, str] = {}
    while True:
        page = await ask("get_access_log", patient_id=patient_id, **more)
        assert page is not None
        told += page["accesses"]
        if page["next_cursor"] is None:
            return told
        more = {"cursor": page["next_cursor"]}


def touched(resource: dict[str, Any]) -> set[int]:
    named = [entity.get("what", {}).get("reference", "") for entity in resource.get("entity", [])]
    return {int(name.removeprefix("Patient/")) for name in named if name.startswith("Patient/")}


@RANDOM_WORLDS
@given(world=worlds(), data=st.data())
def test_everybody_reads_what_the_rules_say_and_no_more_once_they_change(world: World, data: st.DataObject) -> None:
    rows = build(world)
    trail = {write(event, rows): event for event in data.draw(events(world))}
    check_everybody(world, rows, trail)
    take_a_right_away(world, rows, data)
    check_everybody(world, rows, trail)


@FEW_RANDOM_WORLDS
@given(world=worlds(), data=st.data())
def test_fhir_tells_of_the_trail_what_the_rules_say(settings: Any, world: World, data: st.DataObject) -> None:
    settings.RATE_LIMIT = "10000/s"
    rows = build(world)
    register_stdio_client()
    trail = {write(event, rows): event for event in data.draw(events(world))}
    check_over_fhir(world, rows, trail)
    take_a_right_away(world, rows, data)
    check_over_fhir(world, rows, trail)


@FEW_RANDOM_WORLDS
@given(world=worlds(), data=st.data())
def test_mcp_tells_of_the_trail_what_the_rules_say(mcp_database_url: str, world: World, data: st.DataObject) -> None:
    rows = build(world)
    register_stdio_client()
    principals = log_in(rows)
    trail = {write(event, rows): event for event in data.draw(events(world))}
    asyncio.run(check_over_mcp(mcp_database_url, world, rows, principals, trail))
    take_a_right_away(world, rows, data)
    asyncio.run(check_over_mcp(mcp_database_url, world, rows, principals, trail))
