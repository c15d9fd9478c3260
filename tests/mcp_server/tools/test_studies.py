"""What the tools about studies answer, for whom."""

from dataclasses import replace

from core.models import Study, StudyPatientScopeConsent, User
from core.policy.principal import TokenLimits
from tests import personas
from tests.factories import (
    ConsentFactory,
    DataSourceFactory,
    EnrolmentFactory,
    MembershipFactory,
    OrganizationFactory,
    PractitionerFactory,
    StudyFactory,
    UserFactory,
)
from tests.mcp_server.tools.world import glucose, pressure, record

STUDIES = {
    "admin": {personas.BP_AND_HR, personas.BP, personas.BGL, personas.BT, personas.O2},
    "manager_mary": {personas.BP_AND_HR, personas.BP},
    "member_megan": {personas.BP_AND_HR, personas.BP},
    "viewer_victor": {personas.BP_AND_HR, personas.BP},
    "three_org_tom": {personas.BP_AND_HR, personas.BP, personas.BT, personas.O2},
    "manager_mark": {personas.BGL, personas.BT},
    "ll_patient_peter": {personas.BP_AND_HR, personas.BP},
    "ll_patient_pamela": {personas.BP_AND_HR, personas.BP},
    "npl_patient_percy": {personas.BT},
    "ccl_patient_paul": {personas.O2},
    "ccl_cardio_patient_pat": {personas.BGL, personas.O2},
}
PATIENTS = {personas.BP_AND_HR: 2, personas.BP: 2, personas.BGL: 1, personas.BT: 1, personas.O2: 2}


def names(page):
    return [study["name"] for study in page["studies"]]


def test_each_persona_sees_their_own_studies_in_the_list_and_in_the_count(as_user, transactional_db):
    personas.seed_demo_world()
    for name, expected in STUDIES.items():
        person = as_user(personas.user_of(name))
        listed, counted = person.answer("list_studies"), person.answer("get_study_count")
        assert sorted(names(listed)) == sorted(expected), name
        assert listed["total"] == listed["returned"] == counted["total"] == len(expected), name
        assert sum(organization["studies"] for organization in counted["organizations"]) == len(expected), name
        for study in listed["studies"]:
            assert study["patients"] == (1 if "_patient_" in name else PATIENTS[study["name"]]), name


def test_a_study_is_listed_with_its_organization_and_the_codes_of_its_scopes(as_user, clinic):
    [study] = as_user(clinic.practitioner).answer("list_studies")["studies"]
    assert study == {
        "study_id": clinic.study.pk,
        "name": "Sugar",
        "organization": {"organization_id": clinic.organization.pk, "name": "Lab"},
        "scopes": ["omh:blood-glucose:4.0", "omh:blood-pressure:4.0"],
        "patients": 0,
    }


def test_studies_are_found_by_all_words_of_the_query_in_name_or_description(as_user, clinic):
    StudyFactory(name="Sleep 100%", description="Nights of snake_case people", organization=clinic.organization)
    person = as_user(clinic.practitioner)
    assert names(person.answer("list_studies", query="SUGAR")) == ["Sugar"]
    assert names(person.answer("list_studies", query="people, sleep")) == ["Sleep 100%"]
    assert names(person.answer("list_studies", query="sugar sleep")) == []


def test_what_like_reads_as_wildcards_is_looked_for_as_it_stands(as_user, clinic):
    StudyFactory(name="Sleep 100%", description="Nights of snake_case people", organization=clinic.organization)
    person = as_user(clinic.practitioner)
    for query, found in (("100%", 1), ("%", 1), ("_", 1), ("snake_case", 1), ("snakeXcase", 0), ("\\", 0)):
        assert person.answer("list_studies", query=query)["total"] == found, query


def test_studies_of_one_organization(as_user, clinic):
    practitioner = clinic.practitioner.practitioner
    other = MembershipFactory(practitioner=practitioner).organization
    without_studies = MembershipFactory(practitioner=practitioner).organization
    StudyFactory(name="Elsewhere", organization=other)
    person = as_user(clinic.practitioner)
    assert names(person.answer("list_studies", organization_id=other.pk)) == ["Elsewhere"]
    assert names(person.answer("list_studies", organization_id=without_studies.pk)) == []


def test_a_foreign_organization_looks_like_a_missing_one(as_user, clinic):
    foreign = StudyFactory().organization
    person = as_user(clinic.practitioner)
    refused = person.refusal("list_studies", organization_id=foreign.pk)
    assert refused == f"No organization {foreign.pk} that you can see."
    assert person.refusal("list_studies", organization_id=999) == refused.replace(str(foreign.pk), "999")


def test_a_participant_can_name_the_organization_of_their_study(as_user, clinic):
    peter = clinic.patient(login=True)
    assert names(as_user(peter.user).answer("list_studies", organization_id=clinic.organization.pk)) == ["Sugar"]


def test_many_studies_come_in_pages_that_repeat_nothing_and_leave_nothing_out(as_user, clinic):
    StudyFactory.create_batch(119, organization=clinic.organization)
    pages = list(as_user(clinic.practitioner).pages("list_studies"))
    assert [page["returned"] for page in pages] == [50, 50, 20]
    assert [page["truncated"] for page in pages] == [True, True, False]
    assert {page["total"] for page in pages} == {120}
    ids = [study["study_id"] for page in pages for study in page["studies"]]
    assert ids == sorted(Study.objects.values_list("pk", flat=True))


def test_a_long_list_says_how_to_see_the_rest(as_user, clinic):
    StudyFactory.create_batch(60, organization=clinic.organization)
    person = as_user(clinic.practitioner)
    first = person.call("list_studies")
    assert first.content[0].text == (
        "Studies that you can see: 61, 50 of them here. "
        "Pass next_cursor as cursor for more, or narrow with organization_id or query."
    )
    last = person.call("list_studies", cursor=first.structured_content["next_cursor"])
    assert last.content[0].text == "Studies that you can see: 61, the last 11 of them here."


def test_the_count_stays_short_however_many_organizations_there_are(as_user, transactional_db):
    admin = UserFactory(is_superuser=True)
    for number in range(60):
        StudyFactory(organization=OrganizationFactory(name="O" * 250 + str(number)))
    counted = as_user(admin).answer("get_study_count")
    assert counted["total"] == 60
    assert counted["truncated"] is True
    assert counted["returned"] == len(counted["organizations"]) < 60


def test_somebody_with_two_roles_sees_nothing_twice(as_user, clinic):
    patient = clinic.patient(login=True)
    PractitionerFactory(user=patient.user)
    MembershipFactory(practitioner=patient.user.practitioner, organization=clinic.organization)
    User.objects.filter(pk=patient.user.pk).update(is_superuser=True)
    record(patient, clinic.glucose, glucose(100, "2026-11-01T12:00:00Z"))
    person = as_user(User.objects.get(pk=patient.user.pk))
    assert [study["patients"] for study in person.answer("list_studies")["studies"]] == [1]
    assert person.answer("get_study_count")["total"] == 1
    about = person.answer("get_study_metadata", study_id=clinic.study.pk)
    assert (about["patients"], about["observations"], about["scopes"][0]["consented"]) == (1, 1, 1)


def test_a_study_is_described_with_what_it_asks_for_and_who_sends_to_it(as_user, clinic):
    clinic.study.description = "Continuous glucose."
    clinic.study.save()
    clinic.study.data_sources.add(DataSourceFactory(name="Sensor"))
    about = as_user(clinic.practitioner).answer("get_study_metadata", study_id=clinic.study.pk)
    assert about["description"] == "Continuous glucose."
    assert [scope["data_type"] for scope in about["scopes"]] == ["omh:blood-glucose:4.0", "omh:blood-pressure:4.0"]
    assert [source["name"] for source in about["data_sources"]] == ["Sensor"]
    assert about["clients"] == []
    assert about["scopes"][0]["consent_rate"] is None
    assert (about["patients"], about["observations"], about["first_reading"]) == (0, 0, None)


def test_consent_is_told_per_scope_among_the_patients_that_one_may_see(as_user, clinic):
    for _ in range(2):
        clinic.patient()
    refuses, silent = clinic.patient(consents=False), clinic.patient(consents=False)
    ConsentFactory(study=clinic.study, patient=refuses, code=clinic.glucose, consented=False)
    EnrolmentFactory(study=clinic.study, patient=silent)
    about = as_user(clinic.practitioner).answer("get_study_metadata", study_id=clinic.study.pk)
    glucose_, pressure_ = about["scopes"]
    assert about["patients"] == 4
    assert [glucose_[key] for key in ("consented", "declined", "unanswered", "consent_rate")] == [2, 1, 1, 50.0]
    assert [pressure_[key] for key in ("consented", "declined", "unanswered", "consent_rate")] == [2, 0, 2, 50.0]


def test_only_consented_observations_count_and_only_until_the_consent_is_withdrawn(as_user, clinic):
    patient, silent = clinic.patient(), clinic.patient(consents=False)
    EnrolmentFactory(study=clinic.study, patient=silent)
    record(patient, clinic.glucose, glucose(100, "2026-11-01T12:00:00Z"), glucose(110, "2026-11-02T12:00:00+01:00"))
    record(patient, clinic.pressure, pressure(120, 80, "2026-11-05T12:00:00Z"))
    record(patient, clinic.sleep, glucose(1, "2026-11-09T12:00:00Z"))
    record(silent, clinic.glucose, glucose(100, "2020-11-01T12:00:00Z"))
    person = as_user(clinic.practitioner)
    about = person.answer("get_study_metadata", study_id=clinic.study.pk)
    assert about["observations"] == 3
    assert about["first_reading"] == "2026-11-01T12:00:00+00:00"
    assert about["last_reading"] == "2026-11-05T12:00:00+00:00"
    StudyPatientScopeConsent.objects.filter(code=clinic.pressure).update(consented=False)
    about = person.answer("get_study_metadata", study_id=clinic.study.pk)
    assert (about["observations"], about["last_reading"]) == (2, "2026-11-02T11:00:00+00:00")


def test_a_superuser_counts_consented_observations_only(as_user, clinic):
    silent = clinic.patient(consents=False)
    EnrolmentFactory(study=clinic.study, patient=silent)
    record(silent, clinic.glucose, glucose(100, "2026-11-01T12:00:00Z"))
    about = as_user(UserFactory(is_superuser=True)).answer("get_study_metadata", study_id=clinic.study.pk)
    assert (about["patients"], about["observations"]) == (1, 0)


def test_a_participant_counts_alone(as_user, clinic):
    peter, pamela = clinic.patient(login=True), clinic.patient()
    for patient in (peter, pamela):
        record(patient, clinic.glucose, glucose(100, "2026-11-01T12:00:00Z"))
    about = as_user(peter.user).answer("get_study_metadata", study_id=clinic.study.pk)
    assert (about["patients"], about["observations"], about["scopes"][0]["consented"]) == (1, 1, 1)


def test_claims_that_leave_a_study_out_hide_it_from_list_count_and_detail_alike(as_user, clinic):
    other = StudyFactory(organization=clinic.organization)
    person = as_user(clinic.practitioner)
    person.principal = replace(person.principal, limits=TokenLimits(studies=frozenset({clinic.study.pk})))
    assert names(person.answer("list_studies")) == ["Sugar"]
    assert person.answer("get_study_count")["total"] == 1
    refused = person.refusal("get_study_metadata", study_id=other.pk)
    assert refused == f'No study {other.pk} that you can see. Your studies: {clinic.study.pk} "Sugar".'
    assert person.refusal("get_study_metadata", study_id=999) == refused.replace(str(other.pk), "999")


def test_a_removed_member_sees_nothing_with_the_same_token(as_user, clinic):
    person = as_user(clinic.practitioner)
    assert person.answer("get_study_count")["total"] == 1
    clinic.practitioner.practitioner.memberships.all().delete()
    assert person.answer("get_study_count")["total"] == person.answer("list_studies")["total"] == 0
    assert (
        person.refusal("get_study_metadata", study_id=clinic.study.pk)
        == f"No study {clinic.study.pk} that you can see."
    )
