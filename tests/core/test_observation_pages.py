"""Pages of observations: only what the caller may read, along every order, with nothing lost or told twice."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from core.models import Observation, PractitionerOrganization, StudyPatientScopeConsent
from core.models.observation_pages import Cursor, Order, Which, count, ids_named, page
from core.policy.errors import InvalidInput
from tests.factories import (
    CodeFactory,
    ConsentFactory,
    DataSourceFactory,
    MembershipFactory,
    ObservationFactory,
    ObservationIdentifierFactory,
    PatientFactory,
    StudyFactory,
    UserFactory,
)
from tests.personas import principal_of

NOON = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def at(hours):
    return NOON + timedelta(hours=hours)


@pytest.fixture
def glucose():
    return CodeFactory(coding_code="omh:blood-glucose:4.0", text="Blood glucose")


@pytest.fixture
def pulse():
    return CodeFactory(coding_code="omh:heart-rate:2.0", text="Heart rate")


@pytest.fixture
def study(glucose, pulse):
    return StudyFactory(scopes=[glucose, pulse])


@pytest.fixture
def member(study):
    return principal_of(MembershipFactory(organization=study.organization, role="member").practitioner.user)


@pytest.fixture
def peter(study, glucose, pulse):
    """Consents to both kinds; has a login."""
    patient = PatientFactory(user=UserFactory())
    for code in (glucose, pulse):
        ConsentFactory(study=study, patient=patient, code=code)
    return patient


@pytest.fixture
def pamela(study, glucose):
    """Consents to glucose alone."""
    patient = PatientFactory()
    ConsentFactory(study=study, patient=patient, code=glucose)
    return patient


@pytest.fixture
def readings(peter, pamela, glucose, pulse):
    """Of every patient and kind three, of which two are at the same moment."""
    return [
        ObservationFactory(patient=patient, code=code, effective_start=at(hours))
        for patient in (peter, pamela)
        for code in (glucose, pulse)
        for hours in (0, 1, 1)
    ]


def ids(rows):
    return [row.id for row in rows]


def all_pages(principal, which, order, size):
    found, after = [], None
    while True:
        rows = page(principal, which, order=order, after=after, limit=size)
        found += rows
        if len(rows) < size:
            return found
        after = rows[-1].cursor(order)


def test_a_member_reads_what_was_consented_to_and_nothing_else(member, readings, pamela, pulse):
    seen = {row.id for row in page(member, Which(), limit=100)}
    refused = {o.pk for o in readings if (o.patient, o.code) == (pamela, pulse)}
    assert len(refused) == 3
    assert seen == {o.pk for o in readings} - refused
    assert count(member, Which()) == len(seen)


def test_a_stranger_finds_nothing_and_a_patient_their_own(readings, peter):
    stranger = principal_of(UserFactory())
    assert page(stranger, Which(), limit=100) == []
    assert count(stranger, Which()) == 0
    assert {row.patient_id for row in page(principal_of(peter.user), Which(), limit=100)} == {peter.pk}


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("size", [1, 2, 4])
def test_pages_follow_one_another_without_gap_or_repeat(member, readings, order, size):
    found = ids(all_pages(member, Which(), order, size))
    whole = ids(page(member, Which(), order=order, limit=100))
    assert found == whole
    field = "last_updated" if order in (Order.LAST_CHANGED, Order.FIRST_CHANGED) else "effective_start"
    expected = Observation.objects.visible_to(member).order_by(field, "id").values_list("id", flat=True)
    newest_first = order in (Order.NEWEST, Order.LAST_CHANGED)
    assert whole == (list(expected)[::-1] if newest_first else list(expected))


def test_a_cursor_stands_while_rows_come_and_go(member, readings, peter, glucose):
    first = page(member, Which(patients=[peter.pk], codes=[glucose.pk]), limit=2)
    Observation.objects.filter(pk=first[-1].id).delete()
    ObservationFactory(patient=peter, code=glucose, effective_start=at(5))
    rest = page(member, Which(patients=[peter.pk], codes=[glucose.pk]), limit=2, after=first[-1].cursor(Order.NEWEST))
    assert ids(rest) == [readings[0].pk]


def test_a_consent_withdrawn_between_two_pages_ends_the_listing(member, readings, peter):
    first = page(member, Which(patients=[peter.pk]), limit=2)
    assert len(first) == 2
    StudyPatientScopeConsent.objects.filter(patient=peter).update(consented=False)
    assert page(member, Which(patients=[peter.pk]), limit=2, after=first[-1].cursor(Order.NEWEST)) == []


def test_a_membership_that_ended_between_two_pages_ends_the_listing(member, readings):
    first = page(member, Which(), limit=2)
    PractitionerOrganization.objects.all().delete()
    assert page(member, Which(), limit=2, after=first[-1].cursor(Order.NEWEST)) == []


def test_a_person_with_two_ways_to_a_reading_sees_it_once(member, readings, study, peter, glucose):
    other = StudyFactory(organization=study.organization, scopes=[glucose])
    ConsentFactory(study=other, patient=peter, code=glucose)
    which = Which(patients=[peter.pk], codes=[glucose.pk])
    assert len(page(member, which, limit=100)) == count(member, which) == 3


def test_a_study_finds_what_was_consented_to_in_it(member, readings, study, peter, glucose):
    other = StudyFactory(organization=study.organization, scopes=[glucose])
    ConsentFactory(study=other, patient=peter, code=glucose)
    which = Which(studies=[other.pk])
    for reader in (member, principal_of(peter.user)):
        rows = page(reader, which, limit=100)
        assert {(row.patient_id, row.code_id) for row in rows} == {(peter.pk, glucose.pk)}
        assert count(reader, which) == len(rows) == 3


def test_an_organization_finds_what_is_of_its_patients(member, readings, study):
    assert count(member, Which(organizations=[study.organization_id])) == count(member, Which()) > 0
    assert count(member, Which(organizations=[study.organization_id + 1])) == 0


def test_an_empty_list_finds_nothing(member, readings):
    for nothing in (Which(patients=[]), Which(studies=[]), Which(ids=[]), Which(codes=[]), Which(statuses=[])):
        assert page(member, nothing, limit=10) == []
        assert count(member, nothing) == 0


def test_ids_status_device_and_change_narrow(member, readings, peter, glucose):
    device = DataSourceFactory()
    reading = ObservationFactory(patient=peter, code=glucose, data_source=device, status="amended")
    for which in (
        Which(ids=[reading.pk, 1]),
        Which(statuses=["amended"]),
        Which(data_sources=[device.pk]),
        Which(updated_from=reading.last_updated),
    ):
        assert ids(page(member, which, limit=10)) == [reading.pk]
        assert ids(page(member, which, limit=10, order=Order.FIRST_CHANGED)) == [reading.pk]
        assert count(member, which) == 1
    assert count(member, Which(updated_before=reading.last_updated)) == count(member, Which()) - 1


def test_an_id_that_is_not_readable_is_not_found_by_it(member, readings, pamela, pulse):
    hidden = Observation.objects.filter(patient=pamela, code=pulse)
    assert page(member, Which(ids=[o.pk for o in hidden]), limit=10) == []


@pytest.mark.parametrize("order", Order)
def test_what_overlaps_a_range_is_found_also_when_it_began_before(member, peter, glucose, order):
    night = ObservationFactory(patient=peter, code=glucose, effective_start=at(-8), effective_end=at(1))
    early = ObservationFactory(patient=peter, code=glucose, effective_start=at(-9), effective_end=at(-1))
    instant = ObservationFactory(patient=peter, code=glucose, effective_start=at(2))
    late = ObservationFactory(patient=peter, code=glucose, effective_start=at(4), effective_end=at(6))

    def found(**times):
        which = Which(**times)
        rows = page(member, which, order=order, limit=10)
        assert rows == all_pages(member, which, order, 1)
        assert count(member, which) == len(rows)
        return set(ids(rows))

    assert found(lasts_until=at(0)) == {night.pk, instant.pk, late.pk}
    assert found(lasts_until=at(0), starts_before=at(4)) == {night.pk, instant.pk}
    assert found(starts_from=at(0)) == {instant.pk, late.pk}
    assert found(ends_before=at(0)) == {early.pk}
    assert found(starts_from=at(2), ends_before=at(5)) == {instant.pk}


def test_an_identifier_finds_its_reading_if_the_caller_may_read_it(member, readings, pamela, pulse):
    shown, hidden = readings[0], Observation.objects.filter(patient=pamela, code=pulse).first()
    ObservationIdentifierFactory(observation=shown, system="urn:a", value="1")
    ObservationIdentifierFactory(observation=hidden, system="urn:a", value="2")
    assert ids_named(member, Which(), [("urn:a", "1"), ("urn:a", "2")]) == [shown.pk]
    assert ids_named(member, Which(), [(None, "1")]) == [shown.pk]
    assert ids_named(member, Which(), [("", "1"), ("urn:b", "1")]) == []
    assert ids_named(member, Which(patients=[pamela.pk]), [(None, "1")]) == []


def test_a_row_has_what_its_rendering_needs(member, peter, glucose):
    reading = ObservationFactory(patient=peter, code=glucose, value_quantity=101.5, value_unit="mg/dL")
    ObservationIdentifierFactory(observation=reading, system="urn:a", value="1")
    ObservationIdentifierFactory(observation=reading, system="urn:a", value="2")
    [row] = page(member, Which(), limit=10)
    assert (row.coding_system, row.coding_code, row.code_text) == (
        glucose.coding_system,
        glucose.coding_code,
        glucose.text,
    )
    assert (row.value_quantity, row.value_unit, row.patient_id, row.status) == (101.5, "mg/dL", peter.pk, "final")
    assert row.identifiers == '[{"system" : "urn:a", "value" : "1"}, {"system" : "urn:a", "value" : "2"}]'
    assert row.data_point == '{"body": {}, "header": {}}'


def test_a_cursor_survives_a_url_and_nothing_else_does():
    cursor = Cursor(at(0), 60001)
    assert Cursor.parse(str(cursor)) == cursor
    for text in ("", "60001", "_", "2026-09-01T12:00:00_60001", f"{at(0).isoformat()}_-1", f"{at(0).isoformat()}_x"):
        with pytest.raises(InvalidInput, match="follow the link"):
            Cursor.parse(text)


@pytest.mark.parametrize("order", Order)
def test_a_deep_page_visits_no_more_rows_than_it_shows(member, peter, glucose, order):
    Observation.objects.bulk_create(
        Observation(patient=peter, code=glucose, effective_start=at(n), omh_data={}) for n in range(2_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE core_observation")
    middle = page(member, Which(), order=order, limit=1_000)[-1].cursor(order)
    visited = []

    def explained(execute, sql, params, many, context):
        with context["connection"].connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
            visited.append(rows_read(cursor.fetchone()[0][0]["Plan"]))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explained):
        assert len(page(member, Which(), order=order, after=middle, limit=20)) == 20
    assert visited[0] <= 2 * 20, "along the index, and each row of the page by its id"


def rows_read(plan):
    """Rows of observations that the scans of a plan gave or threw away."""
    own = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    scanned = own if plan.get("Relation Name") == "core_observation" else 0
    return scanned + sum(rows_read(below) for below in plan.get("Plans", ()))
