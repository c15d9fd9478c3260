"""Every list, record, lookup and consent of REST says what the rules say, for everybody in random worlds, and again,
with the same tokens and the same cursors, after rights were taken away."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from core.actions.clients import register_stdio_client
from core.models import AuditEvent
from tests.agreement.oracle import Oracle, World, oracle_of
from tests.agreement.readings import Readings
from tests.agreement.worlds import RANDOM_WORLDS, Rows, build, take_a_right_away, worlds

pytestmark = pytest.mark.django_db(transaction=True)

FEW_RANDOM_WORLDS = hypothesis_settings(RANDOM_WORLDS, max_examples=12)  # a world is some 300 requests


@dataclass
class Asking:
    """One person at the REST door."""

    client: Client
    calls: int = 0

    def __call__(self, path: str, **asked: Any) -> Any:
        """The answer; None for what is not there for them."""
        self.calls += 1
        answer = self.client.get(path if "://" in path else f"/api/v1/{path}", asked)
        assert answer.status_code in (200, 404), answer.content
        return answer.json() if answer.status_code == 200 else None

    def pages(self, page: Any) -> Iterator[Any]:
        """All rows of a page and of those that follow it."""
        yield from page["results"]
        while page["next"]:
            page = self(page["next"])
            yield from page["results"]

    def ids(self, path: str, **asked: Any) -> list[int]:
        return [row["id"] for row in self.pages(self(path, page_size=2, **asked))]


def positions(rows: Any, ids: list[int]) -> set[int]:
    assert len(ids) == len(set(ids)), "a row is seen twice"
    assert ids == sorted(ids)
    return {position for position, row in enumerate(rows) if row.pk in ids}


def check_organizations_and_studies(ask: Asking, oracle: Oracle, rows: Rows) -> None:
    assert positions(rows.organizations, ask.ids("organizations")) == oracle.organizations()
    assert positions(rows.studies, ask.ids("studies")) == oracle.studies()
    for position, organization in enumerate(rows.organizations):
        seen = ask(f"organizations/{organization.pk}")
        assert (seen is not None) == (position in oracle.organizations())
        patients = {p for p, o in oracle.world.patient_organizations if o == position}
        known = patients & (oracle.patients() if position in oracle.organizations() else oracle.own)
        found = ask.ids("patients", organization_id=organization.pk)
        assert positions(rows.patients, found) == known
    for position, study in enumerate(rows.studies):
        assert (ask(f"studies/{study.pk}") is not None) == (position in oracle.studies())
        assert positions(rows.patients, ask.ids("patients", study_id=study.pk)) == oracle.enrolled(position)


def check_patients(ask: Asking, oracle: Oracle, rows: Rows) -> None:
    assert positions(rows.patients, ask.ids("patients")) == oracle.patients()
    me = ask("patients/me")
    assert {rows.patients[p].pk for p in oracle.own} == ({me["id"]} if me else set())
    for position, patient in enumerate(rows.patients):
        seen = position in oracle.patients()
        record = ask(f"patients/{patient.pk}")
        assert (record is not None) == seen
        if record:
            belongs = {o for p, o in oracle.world.patient_organizations if p == position}
            known = belongs if position in oracle.own else belongs & oracle.organizations()
            assert positions(rows.organizations, sorted(o["id"] for o in record["organizations"])) == known
        if patient.user is not None:
            found = ask("patients/global_lookup", email=patient.user.email.upper())
            assert [each["id"] for each in found] == ([patient.pk] if seen else [])


def check_consents(ask: Asking, oracle: Oracle, rows: Rows) -> None:
    for position, patient in enumerate(rows.patients):
        answer = ask(f"patients/{patient.pk}/consents")
        assert (answer is not None) == (position in oracle.patients())
        if answer:
            expected = {(s, c): yes for (s, p, c), yes in oracle.world.consents.items() if p == position}
            seen = {s for s in range(len(rows.studies)) if position in oracle.enrolled(s)}
            given = {key: yes for key, yes in expected.items() if key[0] in seen}
            asked = {(s, c): None for s, c in oracle.world.requests if s in seen} | given
            assert said(answer, rows) == asked
            consolidated = sorted({rows.codes[c].pk for (_, c), yes in given.items() if yes})
            assert [code["id"] for code in answer["consolidatedConsentedScopes"]] == consolidated


def said(answer: Any, rows: Rows) -> dict[tuple[int, int], bool | None]:
    """(study, code) -> the answer to it."""
    studies, codes = [study.pk for study in rows.studies], [code.pk for code in rows.codes]
    lists = [(s["id"], s["scopeConsents"]) for s in answer["studies"]]
    lists += [(s["id"], s["pendingScopeConsents"]) for s in answer["studiesPendingConsent"]]
    pairs = [(study, scope) for study, scopes in lists for scope in scopes]
    found = {(studies.index(s), codes.index(scope["code"]["id"])): scope["consented"] for s, scope in pairs}
    assert len(found) == len(pairs)
    return found


def check_observations(ask: Asking, oracle: Oracle, rows: Rows) -> None:
    readings, grants = Readings.of(rows), oracle.grants()
    assert ask.ids("observations") == readings.granted(grants)
    assert ask("observations", count="true", page_size=1)["count"] == len(readings.granted(grants))
    for position, study in enumerate(rows.studies):
        assert ask.ids("observations", study_id=study.pk) == readings.granted(oracle.study_grants(position))
    for position, patient in enumerate(rows.patients):
        own = {(p, c) for p, c in grants if p == position}
        assert ask.ids("observations", patient_id=patient.pk) == readings.granted(own)
    for pk, patient, code in readings.all[::2]:  # two readings of a kind are seen alike
        assert (ask(f"observations/{pk}") is not None) == ((patient, code) in grants)


def check_everybody(world: World, rows: Rows, people: list[Asking]) -> None:
    for number, ask in enumerate(people):
        oracle = oracle_of(world, number)
        if oracle.active:
            check_organizations_and_studies(ask, oracle, rows)
            check_patients(ask, oracle, rows)
            check_consents(ask, oracle, rows)
            check_observations(ask, oracle, rows)
        else:
            assert ask.client.get("/api/v1/patients").status_code == 401


@FEW_RANDOM_WORLDS
@given(world=worlds(), data=st.data())
def test_each_person_gets_from_every_route_what_the_rules_say(settings, world, data):
    settings.RATE_LIMIT = "10000/s"
    rows = build(world)
    register_stdio_client()
    people = [Asking(rows.client(n)) for n in range(world.users)]
    begin = AuditEvent.objects.count()
    check_everybody(world, rows, people)
    take_a_right_away(world, rows, data)
    check_everybody(world, rows, people)
    assert AuditEvent.objects.count() - begin == sum(ask.calls for ask in people), "each request leaves one audit row"


@FEW_RANDOM_WORLDS
@given(world=worlds(), data=st.data())
def test_a_cursor_that_was_handed_out_before_shows_what_may_be_seen_now(settings, world, data):
    settings.RATE_LIMIT = "10000/s"
    rows = build(world)
    register_stdio_client()
    people = {n: Asking(rows.client(n)) for n in range(world.users) if oracle_of(world, n).active}
    lists = ("observations", "patients", "studies", "organizations")
    first = {(n, name): ask(name, page_size=1) for n, ask in people.items() for name in lists}
    take_a_right_away(world, rows, data)
    readings = Readings.of(rows)
    for (number, name), page in first.items():
        if page["next"]:
            oracle, last = oracle_of(world, number), page["results"][-1]["id"]
            rest = [row["id"] for row in people[number].pages(people[number](page["next"]))]
            if name == "observations":
                assert rest == readings.granted(oracle.grants(), after=last)
            else:
                of = {"patients": rows.patients, "studies": rows.studies, "organizations": rows.organizations}[name]
                expected = {position for position in getattr(oracle, name)() if of[position].pk > last}
                assert positions(of, rest) == expected
