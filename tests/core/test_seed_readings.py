"""The readings of the demos: valid Open mHealth, the same on every machine, like those of people."""

from statistics import mean, stdev

import pytest
from django.core.management import call_command
from omh_shim import known_ids
from omh_shim._schema_loader import HEADER_SCHEMA_ID
from omh_shim._validate import validate_output

from core.models import Observation, Patient, Study
from core.seed import curves, demo_world, large, scopes
from core.seed.readings import Wearer, data_points
from tests import personas

KINDS = (*large.STUDY.scopes, scopes.BODY_TEMPERATURE, scopes.OXYGEN_SATURATION)


@pytest.mark.parametrize("unit", ["mg/dL", "mmol/L"])
@pytest.mark.parametrize("code", KINDS)
def test_header_and_body_of_every_kind_are_valid_open_mhealth(code: str, unit: str) -> None:
    assert code in known_ids()
    wearer = Wearer("somebody", 330, days=3, glucose_unit=unit, glucose_every=30)
    points = [point for _, point in data_points(wearer, [code])]
    assert points
    for point in points:
        validate_output(point["header"], HEADER_SCHEMA_ID)
        validate_output(point["body"], code)


def test_the_same_person_has_the_same_readings_and_another_has_others() -> None:
    first, again, other = (
        list(data_points(Wearer(key, -420, days=2), KINDS)) for key in ("cgm-01", "cgm-01", "cgm-02")
    )
    assert first == again
    assert first != other


def test_times_carry_the_wearers_own_offset() -> None:
    (_, point), *_ = data_points(Wearer("somebody", 330, days=1), [scopes.BLOOD_GLUCOSE])
    assert point["body"]["effective_time_frame"]["date_time"].endswith("+05:30")


def test_no_two_readings_share_an_identifier() -> None:
    points = [point for _, point in data_points(Wearer("somebody", 0, days=3), KINDS)]
    assert len({point["header"]["uuid"] for point in points}) == len(points)


def values(profile: curves.GlucoseProfile) -> list[float]:
    return [value for _, value in curves.glucose("somebody", profile, days=14, step=5)]


def share(values: list[float], *, below: float = 1_000, above: float = 0) -> float:
    return sum(above < value < below for value in values) / len(values)


def test_glucose_of_a_person_without_diabetes_is_nearly_always_in_range() -> None:
    steady = values(curves.STEADY)
    assert 85 < mean(steady) < 115
    assert share(steady, above=70, below=180) > 0.95


def test_the_other_profiles_show_their_lows_and_highs() -> None:
    assert share(values(curves.LOWS), below=70) > 0.04
    assert share(values(curves.HIGHS), above=250) > 0.15
    type_1 = values(curves.TYPE_1)
    assert 0.3 < stdev(type_1) / mean(type_1) < 0.5


def test_a_sensor_has_gaps_and_stays_in_its_range() -> None:
    readings = list(curves.glucose("somebody", curves.TYPE_1, days=14, step=5))
    assert 0.9 < len(readings) / (14 * 288) < 0.99
    assert all(40 <= value <= 400 for _, value in readings)


def test_the_larger_demo_has_twenty_people_of_varied_age_sex_and_zone() -> None:
    people = large.PATIENTS
    assert len({person.key for person in people}) == len(people) == 20
    assert len({person.utc_offset_minutes for person in people}) > 5
    assert {person.gender for person in people} == {"male", "female", "other"}
    assert [person.given for person in people if not person.answered] == ["Nora"]
    assert [person.withdrew for person in people if person.withdrew] == [scopes.HEART_RATE]


@pytest.fixture
def larger_demo(db: None, monkeypatch: pytest.MonkeyPatch) -> Study:
    """Of its people the four who differ: one withdrew, one uses mmol/L, one stopped sending, one never answered."""
    people = {person.given: person for person in large.PATIENTS}
    monkeypatch.setattr(large, "PATIENTS", [people[name] for name in ("Thomas", "Ingrid", "Samuel", "Nora")])
    call_command("seed", allow_demo_passwords=True, large=True)
    return personas.study_of("CGM & Wearables Demo")


def kinds_that(name: str, given: str) -> set[str]:
    """The kinds of a patient's data that a persona sees."""
    visible = Observation.objects.visible_to(personas.principal_of(personas.user_of(name)))
    return set(visible.filter(patient__name_given=given).values_list("code__coding_code", flat=True))


def test_mary_sees_the_larger_demo_and_nobody_else_does(larger_demo: Study) -> None:
    assert larger_demo.organization.name == demo_world.PLANETARY
    for name in personas.PRACTITIONERS:
        principal = personas.principal_of(personas.user_of(name))
        sees = Study.objects.visible_to(principal).filter(pk=larger_demo.pk).exists()
        assert sees is (name == "manager_mary")
    assert kinds_that("manager_mary", "Ingrid") == set(large.STUDY.scopes)
    assert kinds_that("manager_mark", "Ingrid") == set()


def test_the_withdrawn_scope_is_there_and_seen_by_nobody(larger_demo: Study) -> None:
    thomas = Patient.objects.get(name_given="Thomas")
    assert thomas.observations.filter(code__coding_code=scopes.HEART_RATE).exists()
    assert kinds_that("manager_mary", "Thomas") == set(large.STUDY.scopes) - {scopes.HEART_RATE}
    assert kinds_that("admin", "Thomas") == set(large.STUDY.scopes) - {scopes.HEART_RATE}


def test_the_one_who_has_not_answered_is_enrolled_and_has_sent_nothing(larger_demo: Study) -> None:
    nora = Patient.objects.get(name_given="Nora")
    assert nora.studies.get() == larger_demo
    assert not nora.consents.exists()
    assert not nora.observations.exists()


def test_readings_keep_unit_offset_and_typed_value(larger_demo: Study) -> None:
    reading = Observation.objects.filter(patient__name_given="Ingrid", code__coding_code=scopes.BLOOD_GLUCOSE).first()
    assert reading is not None
    assert (reading.value_unit, reading.utc_offset_minutes) == ("mmol/L", 120)
    assert reading.value_quantity == reading.omh_data["body"]["blood_glucose"]["value"]


def test_a_second_run_adds_no_reading(larger_demo: Study) -> None:
    before = Observation.objects.count()
    call_command("seed", allow_demo_passwords=True, large=True)
    assert Observation.objects.count() == before
