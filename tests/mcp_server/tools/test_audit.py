"""Each call, answered or refused, leaves one audit row that says whose data it was about and no more than that."""

import pytest

from core.models import AuditEvent
from mcp_server.tools import TOOLS
from tests.factories import EnrolmentFactory, PatientFactory, StudyFactory
from tests.mcp_server.tools.world import glucose, record


@pytest.fixture
def people(clinic):
    """One who consented, and one who is enrolled without an answer."""
    willing, silent = clinic.patient(), clinic.patient(consents=False, name_family="Ottokar")
    EnrolmentFactory(study=clinic.study, patient=silent)
    record(willing, clinic.glucose, glucose(100, "2026-11-01T12:00:00Z"))
    return willing, silent


def test_an_answer_names_the_patients_that_it_tells_of(as_user, clinic, people, audit):
    willing, silent = people
    both, study = [willing.pk, silent.pk], clinic.study.pk
    person = as_user(clinic.practitioner)
    calls = [
        ("get_study_count", {}, None, []),
        ("list_studies", {}, None, []),
        ("get_study_metadata", {"study_id": study}, study, both),
        ("list_study_patients", {"study_id": study}, study, both),
        ("search_patients", {}, None, both),
        ("search_patients", {"name": silent.name_family, "study_id": study}, study, [silent.pk]),
        ("get_patient_demographics", {"study_id": study}, study, both),
        ("get_patient_demographics", {"patient_id": silent.pk}, None, [silent.pk]),
        ("get_patient_observations", {"patient_id": willing.pk}, None, [willing.pk]),
        ("get_patient_date_range", {"patient_id": willing.pk}, None, [willing.pk]),
        ("count_patient_observations", {"patient_id": willing.pk}, None, [willing.pk]),
        ("count_study_observations", {"study_id": study}, study, [willing.pk]),
        ("summarize_patient_observations", {"patient_id": willing.pk}, None, [willing.pk]),
        ("get_observation_series", {"patient_id": willing.pk, "data_type": "blood-glucose"}, None, [willing.pk]),
        ("find_data_gaps", {"study_id": study, "data_type": "blood-glucose", "longer_than": "6h"}, study, [willing.pk]),
        ("get_glucose_metrics", {"patient_id": willing.pk}, None, [willing.pk]),
        ("get_glucose_metrics", {"study_id": study}, study, [willing.pk]),
        ("summarize_study_cohort", {"study_id": study, "data_type": "blood-glucose"}, study, [willing.pk]),
        ("get_access_log", {"patient_id": silent.pk}, None, [silent.pk]),
        ("get_my_access", {}, None, []),
        ("get_omh_schema", {"name": "blood-glucose"}, None, []),
        ("get_server_capabilities", {}, None, []),
    ]
    assert {tool for tool, *_ in calls} == set(TOOLS)
    for number, (tool, arguments, study_id, patients) in enumerate(calls, start=1):
        person.answer(tool, **arguments)
        assert AuditEvent.objects.count() == number
        row = audit()
        assert (row.door, row.action, row.outcome) == ("mcp", tool, "success")
        assert (row.user_id, row.token_key) == (clinic.practitioner.pk, person.principal.token_key)
        assert (row.study_id, sorted(row.patient_ids)) == (study_id, patients), tool
        assert row.source == "192.0.2.7"


def test_a_refusal_leaves_one_row_too(as_user, clinic, audit):
    foreign_patient, foreign_study = PatientFactory().pk, StudyFactory().pk
    person = as_user(clinic.practitioner)
    calls = [
        ("list_studies", {"organization_id": 999}),
        ("get_study_metadata", {"study_id": foreign_study}),
        ("list_study_patients", {"study_id": foreign_study}),
        ("search_patients", {"study_id": 999}),
        ("get_patient_demographics", {"patient_id": foreign_patient}),
        ("get_patient_observations", {"patient_id": foreign_patient, "data_type": "blood-glucose"}),
        ("get_patient_observations", {"patient_id": foreign_patient, "start": "tomorrow"}),
        ("get_patient_observations", {"patient_id": foreign_patient, "cursor": "?"}),
        ("get_patient_date_range", {"patient_id": foreign_patient}),
        ("count_patient_observations", {"patient_id": foreign_patient, "by_day": "yes"}),
        ("count_study_observations", {"study_id": foreign_study}),
        ("summarize_patient_observations", {"patient_id": foreign_patient}),
        ("get_observation_series", {"patient_id": foreign_patient, "data_type": "blood-glucose"}),
        ("find_data_gaps", {"study_id": foreign_study, "data_type": "blood-glucose", "longer_than": "soon"}),
        ("get_glucose_metrics", {"study_id": foreign_study}),
        ("get_glucose_metrics", {}),
        ("summarize_study_cohort", {"study_id": foreign_study, "data_type": "blood-glucose"}),
        ("get_access_log", {"patient_id": foreign_patient}),
        ("get_my_access", {"of": "everybody"}),
        ("get_omh_schema", {"name": "sugar"}),
        ("get_server_capabilities", {"of": "everybody"}),
        ("get_study_count", {"of": "everything"}),
    ]
    for number, (tool, arguments) in enumerate(calls, start=1):
        person.refusal(tool, **arguments)
        assert AuditEvent.objects.count() == number, tool
        assert (audit().action, audit().outcome) == (tool, "refused")


def test_the_row_tells_what_narrows_the_question_but_not_who_was_searched_for(as_user, clinic, people, audit):
    willing, _ = people
    person = as_user(clinic.practitioner)
    person.answer(
        "search_patients",
        name="Zed",
        family="Zed",
        given="Zed",
        birthdate="1971-03-09",
        identifier="Zed",
        study_id=clinic.study.pk,
    )
    assert audit().detail == {
        "name": True,
        "family": True,
        "given": True,
        "birthdate": True,
        "identifier": True,
        "study_id": clinic.study.pk,
    }
    person.answer("list_studies", query="Zed")
    assert audit().detail == {"query": True}
    person.answer("get_patient_observations", patient_id=willing.pk, data_type="blood-glucose", start="2026-11-01")
    assert audit().detail == {
        "patient_id": willing.pk,
        "data_type": "blood-glucose",
        "start": "2026-11-01",
        "order": "newest",
        "limit": 50,
        "verbosity": "slim",
    }


def test_only_the_page_that_was_told_is_recorded(as_user, clinic, audit):
    everybody = [clinic.patient().pk for _ in range(51)]
    person = as_user(clinic.practitioner)
    first = person.answer("search_patients")
    assert sorted(audit().patient_ids) == everybody[:50]
    person.answer("search_patients", cursor=first["next_cursor"])
    assert audit().patient_ids == everybody[50:]
    assert audit().detail == {"cursor": True}
