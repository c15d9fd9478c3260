"""Recording in sets: typed columns on every path, once per identifier, all or nothing."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.db import ProgrammingError, connection

from core.actions.observations import NewObservation, record_observations
from core.models import CodeableConcept, Ingest, Observation, ObservationIdentifier, Patient
from core.models.code import OPEN_MHEALTH
from core.policy.errors import InvalidInput
from core.policy.principal import Principal, UserType

SYSTEM = "urn:example:app"


@pytest.fixture
def glucose(db):
    return CodeableConcept.objects.create(
        coding_system=OPEN_MHEALTH, coding_code="omh:blood-glucose:4.0", text="Blood glucose"
    )


@pytest.fixture
def patient(db):
    return Patient.objects.create(name_family="Example", name_given="Erin")


def record(observations):
    return record_observations(actor=None, door="fhir", activity="batch", observations=observations)


def reading(patient, code, *identifiers, value=120, when="2026-03-01T08:30:00-08:00"):
    return NewObservation(
        patient_id=patient.pk,
        code_id=code.pk,
        code=code.coding_code,
        data_point={
            "header": {},
            "body": {
                "blood_glucose": {"value": value, "unit": "mg/dL"},
                "effective_time_frame": {"date_time": when},
            },
        },
        identifiers=tuple((SYSTEM, identifier) for identifier in identifiers),
    )


def test_a_reading_is_kept_whole_and_beside_it_its_time_and_number(patient, glucose):
    sent = reading(patient, glucose, "a")
    recorded = record([sent])
    kept = Observation.objects.get(pk=recorded[0])
    assert kept.omh_data == sent.data_point
    assert kept.effective_start == datetime(2026, 3, 1, 16, 30, tzinfo=UTC)
    assert (kept.effective_end, kept.utc_offset_minutes) == (None, -480)
    assert (kept.value_quantity, kept.value_unit, kept.status) == (120.0, "mg/dL", "final")
    assert list(kept.identifiers.values_list("system", "value")) == [(SYSTEM, "a")]


def test_what_comes_again_is_not_a_second_row(patient, glucose):
    batch = [reading(patient, glucose, "a"), reading(patient, glucose, "b"), reading(patient, glucose, "a", value=1)]
    assert sorted(record(batch)) == [0, 1]
    assert record(batch) == {}
    assert record([*batch, reading(patient, glucose, "c")]).keys() == {3}
    assert Observation.objects.count() == ObservationIdentifier.objects.count() == 3


def test_any_identifier_that_is_known_makes_it_a_repeat_and_claims_none_of_the_others(patient, glucose):
    record([reading(patient, glucose, "a")])
    assert record([reading(patient, glucose, "a", "b")]) == {}
    assert record([reading(patient, glucose, "b")]).keys() == {0}


def test_an_identifier_belongs_to_its_patient_so_nobody_can_squat_it_for_another(patient, glucose):
    other = Patient.objects.create(name_family="Other", name_given="Olu")
    record([reading(other, glucose, "a")])
    assert record([reading(patient, glucose, "a")]).keys() == {0}


def test_without_an_identifier_each_is_its_own(patient, glucose):
    batch = [reading(patient, glucose)]
    assert record(batch) != record(batch)


def test_nothing_is_recorded_of_a_batch_with_an_impossible_time(patient, glucose):
    batch = [reading(patient, glucose, "a"), reading(patient, glucose, "b", when="2026-02-30T00:00:00Z")]
    with pytest.raises(InvalidInput, match="date_time"):
        record(batch)
    assert not Observation.objects.exists()


def test_an_empty_batch_records_nothing(db):
    assert record([]) == {}


@pytest.mark.django_db(transaction=True)
def test_eight_senders_of_the_same_readings_make_one_row_each(patient, glucose):
    batch = [reading(patient, glucose, f"first-{n}", f"second-{n}") for n in range(50)]

    def send(turn):
        try:
            return len(record(batch if turn % 2 else batch[::-1]))
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as senders:
        recorded = list(senders.map(send, range(8)))
    assert sum(recorded) == Observation.objects.count() == 50
    assert ObservationIdentifier.objects.count() == 100


def test_an_ingest_remembers_who_sent_what_and_how(patient, glucose):
    other = Patient.objects.create(name_family="Other", name_given="Olu")
    record([reading(patient, glucose, "a")])
    batch = [reading(patient, glucose, "a"), reading(patient, glucose, "b"), reading(other, glucose, "c")]
    actor = Principal(user_id=7, user_type=UserType.PATIENT, client_id="an-app")
    recorded = record_observations(actor=actor, door="fhir", activity="transaction", observations=batch)
    ingest = Observation.objects.get(pk=recorded[1]).ingest
    assert (ingest.user_id, ingest.client_id, ingest.door, ingest.activity) == (7, "an-app", "fhir", "transaction")
    assert (ingest.patient_ids, ingest.recorded_count, ingest.known_count) == ([patient.pk, other.pk], 2, 1)
    assert list(ingest.observations.values_list("pk", flat=True)) == sorted(recorded.values())


def test_a_batch_of_which_all_is_known_leaves_no_ingest(patient, glucose):
    record([reading(patient, glucose, "a")])
    record([reading(patient, glucose, "a")])
    assert Ingest.objects.get().recorded_count == 1


@pytest.mark.parametrize("change", ["UPDATE core_ingest SET door = ''", "DELETE FROM core_ingest"])
def test_nobody_changes_where_an_observation_came_from(patient, glucose, change):
    record([reading(patient, glucose, "a")])
    with pytest.raises(ProgrammingError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(change)
