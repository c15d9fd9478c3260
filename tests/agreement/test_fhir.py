"""Every search, read, include, history and operation of FHIR says what the rules say, for everybody in random worlds,
and again, with the same tokens and the same cursors, after rights were taken away."""

from collections.abc import Iterable, Iterator
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

FEW_RANDOM_WORLDS = hypothesis_settings(RANDOM_WORLDS, max_examples=10)  # a world is some 500 requests


@dataclass
class Asking:
    """One person at the FHIR door."""

    client: Client
    calls: int = 0

    def __call__(self, path: str, *asked: tuple[str, Any]) -> Any:
        """The resource or Bundle; None for what is not there for them, or not any more."""
        self.calls += 1
        url = path if "://" in path else f"/FHIR/R5/{path}"
        answer = self.client.get(url, list(asked) or None)
        assert answer.status_code in (200, 404, 410), answer.content
        return answer.json() if answer.status_code == 200 else None

    def pages(self, page: Any) -> Iterator[Any]:
        """All entries of a page and of those that follow it."""
        yield from page["entry"]
        while url := next_of(page):
            page = self(url)
            yield from page["entry"]

    def found(self, path: str, *asked: tuple[str, Any], mode: str = "match") -> list[Any]:
        """The resources that a search finds, or that it includes."""
        entries = self.pages(self(path, ("_count", 2), *asked))
        return [entry["resource"] for entry in entries if entry["search"]["mode"] == mode]

    def ids(self, path: str, *asked: tuple[str, Any]) -> list[int]:
        return [int(resource["id"]) for resource in self.found(path, *asked)]


def next_of(bundle: Any) -> str | None:
    return next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)


def positions(rows: Any, ids: Iterable[int]) -> set[int]:
    ids = list(ids)
    assert len(ids) == len(set(ids)), "a row is seen twice"
    return {position for position, row in enumerate(rows) if row.pk in ids}


def referred(resources: Iterable[Any]) -> set[int]:
    return {int(resource["subject"]["reference"].split("/")[1]) for resource in resources}


def check_organizations_and_studies(ask: Asking, oracle: Oracle, rows: Rows) -> None:
    assert positions(rows.organizations, ask.ids("Organization")) == oracle.organizations()
    assert positions(rows.studies, ask.ids("ResearchStudy")) == oracle.studies()
    assert positions(rows.studies, ask.ids("Group")) == oracle.studies()
    for position, organization in enumerate(rows.organizations):
        seen = position in oracle.organizations()
        assert (ask(f"Organization/{organization.pk}") is not None) == seen
        assert (ask(f"Organization/{organization.pk}/_history") is not None) == seen
    for position, study in enumerate(rows.studies):
        seen = position in oracle.studies()
        assert (ask(f"ResearchStudy/{study.pk}") is not None) == seen
        group = ask(f"Group/{study.pk}")
        assert (group is not None) == seen
        members = [int(member["entity"]["reference"].split("/")[1]) for member in (group or {}).get("member", [])]
        assert positions(rows.patients, members) == (oracle.enrolled(position) if seen else set())
        through = ask.ids("Patient", ("_has:Group:member:_id", study.pk))
        assert positions(rows.patients, through) == oracle.enrolled(position)


def check_patients(ask: Asking, oracle: Oracle, rows: Rows) -> None:
    assert positions(rows.patients, ask.ids("Patient")) == oracle.patients()
    assert ask("Patient", ("_summary", "count"))["total"] == len(oracle.patients())
    listed = [entry["resource"]["id"] for entry in ask("Patient/_history")["entry"] if "resource" in entry]
    assert positions(rows.patients, {int(id_) for id_ in listed}) == oracle.patients()
    for position, patient in enumerate(rows.patients):
        seen = position in oracle.patients()
        assert (ask(f"Patient/{patient.pk}") is not None) == seen
        assert (ask(f"Patient/{patient.pk}/_history/1") is not None) == seen
        by_name = ask.ids("Patient", ("family", patient.name_family))
        assert by_name == ([patient.pk] if seen else [])


def check_consents(ask: Asking, oracle: Oracle, rows: Rows) -> None:
    answered: dict[str, set[str]] = {}
    for (s, p, c), yes in oracle.world.consents.items():
        if p in oracle.enrolled(s):
            granted = answered.setdefault(f"{rows.studies[s].pk}-{rows.patients[p].pk}", set())
            if yes:
                granted.add(rows.codes[c].coding_code)
    found = {resource["id"]: resource for resource in ask.found("Consent")}
    assert {id_: said_yes(resource) for id_, resource in found.items()} == answered
    for s, p in oracle.world.enrolments:
        id_ = f"{rows.studies[s].pk}-{rows.patients[p].pk}"
        assert (ask(f"Consent/{id_}") is not None) == (id_ in answered)


def said_yes(consent: Any) -> set[str]:
    concepts = [concept for provision in consent.get("provision", []) for concept in provision["code"]]
    return {concept["coding"][0]["code"] for concept in concepts}


def check_observations(ask: Asking, oracle: Oracle, rows: Rows) -> None:
    readings, grants = Readings.of(rows), oracle.grants()
    granted = readings.granted(grants)
    assert ask.ids("Observation") == granted
    assert ask("Observation", ("_total", "accurate"), ("_count", 1))["total"] == len(granted)
    assert sorted(ask.ids("Observation", ("_sort", "_id"))) == sorted(granted)
    for position, study in enumerate(rows.studies):
        through = ask.ids("Observation", ("patient._has:Group:member:_id", study.pk))
        assert through == readings.granted(oracle.study_grants(position))
    for position, patient in enumerate(rows.patients):
        own = readings.granted({(p, c) for p, c in grants if p == position})
        assert ask.ids("Observation", ("patient", patient.pk)) == own
        by_chain = ask.ids("Observation", ("patient.family", patient.name_family))
        assert sorted(by_chain) == sorted(own if position in oracle.patients() else [])
        newest = ask("Observation/$lastn", ("patient", f"Patient/{patient.pk}"))
        codes = {c for p, c in grants if p == position}
        assert len(newest["entry"] if newest else []) == len(codes)
    for pk, patient, code in readings.all[::2]:
        seen = (patient, code) in grants
        assert (ask(f"Observation/{pk}") is not None) == seen
        assert (ask(f"Observation/{pk}/_history") is not None) == seen
        assert (ask(f"Observation/{pk}/_history/1") is not None) == seen


def check_what_comes_along(ask: Asking, oracle: Oracle, rows: Rows) -> None:
    """`_include`, `_revinclude`, Provenance and `$everything` show nothing that a search would not."""
    included = ask.found("Observation", ("_include", "Observation:patient"), mode="include")
    patients = {p for p, _ in oracle.grants()} & oracle.patients()
    assert {int(resource["id"]) for resource in included} == {rows.patients[p].pk for p in patients}
    granted = set(Readings.of(rows).granted(oracle.grants()))
    backwards = ask.found("Patient", ("_revinclude", "Observation:patient"), mode="include")
    with_patient = {pk for pk, p, c in Readings.of(rows).all if pk in granted and p in oracle.patients()}
    assert {int(resource["id"]) for resource in backwards} == with_patient
    targets = [target["reference"] for found in ask.found("Provenance") for target in found["target"]]
    assert sorted(int(target.split("/")[1]) for target in targets) == sorted(granted)
    for position, patient in enumerate(rows.patients):
        record = ask(f"Patient/{patient.pk}/$everything")
        assert (record is not None) == (position in oracle.patients())
        if record:
            resources = [entry["resource"] for entry in ask.pages(record)]
            seen = [int(r["id"]) for r in resources if r["resourceType"] == "Observation"]
            expected = {(p, c) for p, c in oracle.grants() if p == position}
            assert sorted(seen) == sorted(Readings.of(rows).granted(expected))


def check_everybody(world: World, rows: Rows, people: list[Asking]) -> None:
    for number, ask in enumerate(people):
        oracle = oracle_of(world, number)
        if oracle.active:
            check_organizations_and_studies(ask, oracle, rows)
            check_patients(ask, oracle, rows)
            check_consents(ask, oracle, rows)
            check_observations(ask, oracle, rows)
            check_what_comes_along(ask, oracle, rows)
        else:
            assert ask.client.get("/FHIR/R5/Patient").status_code == 401


@FEW_RANDOM_WORLDS
@given(world=worlds(), data=st.data())
def test_each_person_gets_from_every_interaction_what_the_rules_say(settings, world, data):
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
    first = {
        (n, name): ask(name, ("_count", 1))
        for n, ask in people.items()
        for name in ("Observation", "Patient", "ResearchStudy", "Organization")
    }
    take_a_right_away(world, rows, data)
    readings = Readings.of(rows)
    for (number, name), page in first.items():
        if url := next_of(page):
            oracle, last = oracle_of(world, number), int(page["entry"][0]["resource"]["id"])
            ask = people[number]
            rest = [int(entry["resource"]["id"]) for entry in ask.pages(ask(url))]
            if name == "Observation":
                assert rest == readings.granted(oracle.grants(), after=last)
            else:
                of, visible = {
                    "Patient": (rows.patients, oracle.patients()),
                    "ResearchStudy": (rows.studies, oracle.studies()),
                    "Organization": (rows.organizations, oracle.organizations()),
                }[name]
                assert positions(of, rest) == {position for position in visible if of[position].pk > last}
