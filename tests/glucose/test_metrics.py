"""What glucose metrics say where it is easy to be wrong: limits, units, local days, too little data."""

from datetime import UTC, datetime, timedelta
from statistics import mean, quantiles, stdev

import pytest

from core.models import CodeableConcept, Observation, Patient
from tests.factories import ConsentFactory, PatientFactory


@pytest.fixture
def code(study) -> CodeableConcept:
    return study.scopes.get()


@pytest.fixture
def patient(study, code) -> Patient:
    """A patient who consents to glucose, and has none yet."""
    patient = PatientFactory(organizations=[study.organization])
    ConsentFactory(study=study, patient=patient, code=code, consented=True)
    return patient


def record(patient, code, values, *, start=datetime(2026, 3, 1, tzinfo=UTC), every=5, unit="mg/dL", offset=0, **more):
    Observation.objects.bulk_create(
        Observation(
            patient=patient,
            code=code,
            effective_start=start + timedelta(minutes=every * place),
            utc_offset_minutes=offset,
            value_quantity=value,
            value_unit=unit,
            omh_data={},
            **more,
        )
        for place, value in enumerate(values)
    )


async def only(asked) -> dict:
    answer = await asked
    assert (answer["total"], answer["unit"]) == (1, "mg/dL")
    return answer["patients"][0]


@pytest.fixture
def limits(patient, code):
    """One reading on each side of each limit of the five ranges."""
    record(patient, code, [53.9, 54, 69.9, 70, 180, 180.1, 250, 250.1])


async def test_each_limit_belongs_to_the_range_that_the_consensus_puts_it_in(limits, ask, patient):
    found = await only(ask(patient_id=patient.pk))
    assert found["time_in_range"] == {"very_low": 12.5, "low": 25, "target": 25, "high": 25, "very_high": 12.5}


@pytest.fixture
def in_mmol(patient, code):
    record(patient, code, [2.9, 3.0, 3.8, 3.9, 10.0, 10.1], unit="mmol/L")


async def test_mmol_per_litre_count_as_18_mg_per_decilitre_and_fall_into_the_ranges_named_in_mmol(
    in_mmol, ask, patient
):
    found = await only(ask(patient_id=patient.pk))
    assert found["mean"] == pytest.approx(18 * mean([2.9, 3.0, 3.8, 3.9, 10.0, 10.1]))
    assert found["time_in_range"] == pytest.approx(
        {"very_low": 100 / 6, "low": 200 / 6, "target": 200 / 6, "high": 100 / 6, "very_high": 0}
    )


@pytest.fixture
def travelling(patient, code):
    """An hour at home and an hour eight zones away: by the clock on the wall both are from 8 to 9."""
    record(patient, code, range(100, 112), start=datetime(2026, 3, 1, 8, tzinfo=UTC), offset=0)
    record(patient, code, range(200, 212), start=datetime(2026, 3, 2, 16, tzinfo=UTC), offset=-480)


async def test_hours_are_those_of_the_clock_where_the_patient_was(travelling, ask, patient):
    found = await only(ask(patient_id=patient.pk))
    values = [*range(100, 112), *range(200, 212)]
    cuts = quantiles(values, n=20, method="inclusive")
    [hour] = found["hours"]
    assert hour == pytest.approx(
        {"hour": 8, "n": 24, "p05": cuts[0], "p25": cuts[4], "median": cuts[9], "p75": cuts[14], "p95": cuts[18]}
    )
    assert found["sufficiency"]["days_with_data"] == 2
    assert (found["first_reading"], found["last_reading"]) == ("2026-03-01T08:00:00+00:00", "2026-03-02T08:55:00-08:00")


async def test_a_window_of_local_days_takes_the_days_as_the_patient_lived_them(travelling, ask, patient):
    found = await only(ask(patient_id=patient.pk, start="2026-03-02", end="2026-03-02"))
    assert (found["n"], found["min"]) == (12, 200)


@pytest.fixture
def two_weeks(patient, code):
    """Fourteen days of a reading every five minutes, but for two days in the middle."""
    ten_days = [100 + place % 7 for place in range(10 * 288)]
    record(patient, code, ten_days)
    record(patient, code, ten_days[: 2 * 288], start=datetime(2026, 3, 13, tzinfo=UTC))


async def test_fourteen_days_with_seventy_percent_of_the_readings_are_sufficient(two_weeks, ask, patient):
    found = await only(ask(patient_id=patient.pk))
    assert found["sufficiency"] == pytest.approx(
        {
            "days_with_data": 12,
            "days": 14,
            "interval_minutes": 5,
            "active_percent": 100 * 12 / 14,
            "sufficient": True,
        }
    )


async def test_fourteen_days_whose_last_reading_is_half_an_hour_before_midnight_are_sufficient(two_weeks, ask, patient):
    found = await only(ask(patient_id=patient.pk, end="2026-03-14T23:31:00Z"))
    assert found["sufficiency"]["days"] < 14
    assert found["sufficiency"]["sufficient"] is True


@pytest.mark.parametrize("window", [{"end": "2026-03-13"}, {"end": "2026-03-14T22:00:00Z"}, {"start": "2026-03-09"}])
async def test_less_is_not_sufficient(two_weeks, ask, patient, window):
    found = await only(ask(patient_id=patient.pk, **window))
    assert found["sufficiency"]["sufficient"] is False


async def test_a_patient_without_readings_has_no_metrics_rather_than_zeros(ask, patient):
    found = await only(ask(patient_id=patient.pk))
    assert (found["n"], found["hours"]) == (0, [])
    for metric in ("mean", "sd", "cv", "gmi", "mage", "median", "time_in_range", "first_reading"):
        assert found[metric] is None
    assert found["sufficiency"] == {
        "days_with_data": 0,
        "days": None,
        "interval_minutes": None,
        "active_percent": None,
        "sufficient": False,
    }


@pytest.fixture
def one(patient, code):
    record(patient, code, [100])


async def test_one_reading_has_a_mean_but_no_deviation_and_no_interval(one, ask, patient):
    found = await only(ask(patient_id=patient.pk))
    assert (found["mean"], found["gmi"]) == (100, pytest.approx(3.31 + 2.392))
    assert (found["sd"], found["cv"], found["mage"], found["sufficiency"]["days"]) == (None, None, None, None)


@pytest.fixture
def mistaken(patient, code):
    record(patient, code, [100, 110])
    record(patient, code, [900], start=datetime(2026, 3, 2, tzinfo=UTC), status="entered-in-error")
    record(patient, code, [900], start=datetime(2026, 3, 2, tzinfo=UTC), unit="mg/mL")


async def test_what_was_entered_in_error_or_is_in_no_unit_of_glucose_does_not_count(mistaken, ask, patient):
    found = await only(ask(patient_id=patient.pk))
    assert (found["n"], found["sd"]) == (2, pytest.approx(stdev([100, 110])))


@pytest.fixture
def neighbours(study, code, patient):
    """Another consenting patient with readings, one who declined, and the first patient's readings."""
    record(patient, code, [100, 110])
    for consented, values in ((True, [200, 210]), (False, [300, 310])):
        other = PatientFactory(organizations=[study.organization])
        ConsentFactory(study=study, patient=other, code=code, consented=consented)
        record(other, code, values)


async def test_a_study_has_each_consenting_patients_metrics_and_nobody_elses(neighbours, ask, study):
    answer = await ask(study_id=study.pk)
    assert answer["total"] == 2
    assert [found["mean"] for found in answer["patients"]] == [105, 205]
