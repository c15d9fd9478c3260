"""Who looked at a patient, and what somebody may see and why."""

from dataclasses import replace

import pytest

from core.actions.audit import record_access
from core.actions.clients import register_stdio_client
from core.models import Narrowing, PractitionerOrganization
from core.policy.permissions import Permission
from tests.bearer import client_of
from tests.factories import (
    EnrolmentFactory,
    MembershipFactory,
    PatientFactory,
    PractitionerFactory,
    StudyFactory,
    UserFactory,
)
from tests.mcp_server.tools.world import glucose, record

LOG, MINE = "get_access_log", "get_my_access"


def look(user, *patients, study=None, **fields):
    return record_access(
        **{
            "door": "rest",
            "action": "GET patients",
            "outcome": "success",
            "user_id": user and user.pk,
            "client_id": "app",
            "token_key": "a hash",
            "source": "192.0.2.1",
            "detail": {"name": "Zed"},
            "study_id": study and study.pk,
            "patient_ids": [patient.pk for patient in patients],
            **fields,
        }
    )


def told(answer):
    return [access["access_id"] for access in answer["accesses"]]


def test_a_manager_reads_who_looked_at_a_patient_newest_first(as_user, clinic):
    patient, viewer = clinic.patient(), clinic.practitioner
    first, _, last = look(viewer, patient), look(viewer, clinic.patient()), look(None, patient, door="command")
    answer = as_user(clinic.member("manager")).answer(LOG, patient_id=patient.pk)
    assert (told(answer), answer["sees"], answer["total"]) == ([last, first], "everybody", 2)
    nobody, somebody = answer["accesses"]
    assert (nobody["who"], nobody["role"]) == ("The exchange itself", "exchange")
    name = f"{viewer.practitioner.name_given} {viewer.practitioner.name_family}"
    assert (somebody["who"], somebody["role"], somebody["is_you"]) == (name, "practitioner", False)
    assert (somebody["client"], somebody["door"], somebody["action"]) == ("app", "rest", "GET patients")
    assert (somebody["outcome"], somebody["address"]) == ("success", "192.0.2.1")
    assert "a hash" not in str(answer)
    assert "Zed" not in str(answer)


def test_a_patient_reads_who_looked_but_not_from_where_and_of_no_other_patient(as_user, clinic):
    peter, pamela = clinic.patient(login=True), clinic.patient(login=True)
    both, own = look(clinic.practitioner, peter, pamela), look(peter.user, peter)
    by_pamela = look(pamela.user, peter, outcome="refused")
    person = as_user(peter.user)
    answer = person.answer(LOG, patient_id=peter.pk)
    assert (told(answer), answer["sees"]) == ([by_pamela, own, both], "everybody")
    refused, mine, shared = answer["accesses"]
    assert (refused["who"], refused["role"], refused["outcome"]) == ("A patient", "patient", "refused")
    assert (mine["who"], mine["is_you"], mine["address"]) == (
        f"{peter.name_given} {peter.name_family}",
        True,
        "192.0.2.1",
    )
    assert shared["address"] is None
    assert str(pamela.pk) not in str(answer)
    assert person.refusal(LOG, patient_id=pamela.pk) == f"No patient {pamela.pk} that you can see."


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_who_manages_nobody_reads_what_they_did_themselves(as_user, clinic, role):
    patient, person = clinic.patient(), clinic.member(role)
    own, _ = look(person, patient), look(clinic.member("manager"), patient)
    answer = as_user(person).answer(LOG, patient_id=patient.pk)
    assert (told(answer), answer["sees"], answer["total"]) == ([own], "yourself", 1)


def test_a_manager_elsewhere_and_one_who_is_no_more_read_nothing(as_user, clinic):
    patient, manager = clinic.patient(), clinic.member("manager")
    look(clinic.practitioner, patient)
    stranger = MembershipFactory(role="manager").practitioner.user
    refused = as_user(stranger).refusal(LOG, patient_id=patient.pk)
    assert refused == f"No patient {patient.pk} that you can see."
    person = as_user(manager)
    tried, looked = person.answer(LOG, patient_id=patient.pk)["accesses"]
    assert (tried["action"], tried["outcome"], looked["outcome"]) == (LOG, "refused", "success")
    PractitionerOrganization.objects.filter(practitioner__user=manager).update(role="viewer")
    assert [a["is_you"] for a in person.answer(LOG, patient_id=patient.pk)["accesses"]] == [True]
    PractitionerOrganization.objects.filter(practitioner__user=manager).delete()
    assert person.refusal(LOG, patient_id=patient.pk) == f"No patient {patient.pk} that you can see."


def test_everybody_reads_the_rows_that_fhir_tells_them_of(as_user, clinic):
    register_stdio_client()
    patient, other = clinic.patient(login=True), clinic.patient()
    manager, viewer, admin = clinic.member("manager"), clinic.practitioner, UserFactory(is_superuser=True)
    practitioner = PractitionerFactory(user=UserFactory())
    for user in (manager, viewer, patient.user, practitioner.user, admin, None):
        look(user, patient)
        look(user, patient, other, study=clinic.study)
        look(user, other)
    for user in (manager, viewer, patient.user, admin):
        answer = as_user(user).answer(LOG, patient_id=patient.pk)
        found = client_of(user).get("/FHIR/R5/AuditEvent", {"patient": f"Patient/{patient.pk}", "_count": 1000})
        events = {int(e["resource"]["id"]): e["resource"] for e in found.json()["entry"]}
        shown = {a["access_id"]: a for a in answer["accesses"]}
        assert sorted(shown) == sorted(id_ for id_ in events if id_ <= max(shown))
        for id_, access in shown.items():
            agent = events[id_]["agent"][0]
            assert (access["address"] or "") == agent.get("networkString", "")
            if access["role"] == "practitioner":
                assert access["who"] == agent["who"]["display"]


def test_accesses_come_in_pages_and_within_days_of_utc(as_user, clinic):
    patient = clinic.patient()
    ids = [look(clinic.practitioner, patient) for _ in range(60)]
    person = as_user(clinic.member("manager"))
    pages = list(person.pages(LOG, patient_id=patient.pk))
    assert [id_ for page in pages for id_ in told(page)] == ids[::-1]
    assert [page["returned"] for page in pages] == [50, 10]
    day = pages[-1]["accesses"][-1]["time"][:10]
    assert person.answer(LOG, patient_id=patient.pk, start=day, end=day)["total"] >= 60
    assert person.answer(LOG, patient_id=patient.pk, end="2020-01-01")["total"] == 0
    assert pages[0]["time_zone"] == "UTC"


def test_a_look_at_the_log_is_in_the_log(as_user, clinic, audit):
    patient, person = clinic.patient(), as_user(clinic.member("manager"))
    assert person.answer(LOG, patient_id=patient.pk)["total"] == 0
    assert (audit().action, audit().patient_ids) == (LOG, [patient.pk])
    assert person.answer(LOG, patient_id=patient.pk)["accesses"][0]["action"] == LOG


def test_a_practitioner_is_told_what_they_reach_and_why(as_user, clinic):
    clinic.patient()
    silent = clinic.patient(consents=False)
    EnrolmentFactory(study=clinic.study, patient=silent)
    answer = as_user(clinic.practitioner).answer(MINE)
    assert (answer["user_id"], answer["user_type"], answer["patient_id"]) == (
        clinic.practitioner.pk,
        "practitioner",
        None,
    )
    assert [(role["role"], "observation:read" in role["permissions"]) for role in answer["roles"]] == [("viewer", True)]
    assert answer["organizations"] == [{"organization_id": clinic.organization.pk, "name": "Lab", "roles": ["viewer"]}]
    [study] = answer["studies"]
    assert (study["study_id"], study["roles"], study["patients"]) == (clinic.study.pk, ["viewer"], 2)
    assert study["scopes"] == [
        {"data_type": "omh:blood-glucose:4.0", "consented": 1},
        {"data_type": "omh:blood-pressure:4.0", "consented": 1},
    ]
    assert (answer["patients"], answer["total"], answer["truncated"], answer["is_superuser"]) == (2, 1, False, False)
    token = answer["token"]
    assert (token["scopes"], token["permissions"], token["narrowed"], token["studies_left_out"]) == (
        ["mcp"],
        None,
        None,
        0,
    )


def test_a_managers_role_says_all_that_it_does(as_user, clinic):
    [role] = [role for role in as_user(clinic.member("manager")).answer(MINE)["roles"] if role["role"] == "manager"]
    assert role["means"] == (
        "Reads the organization's studies, patients and consented data. Also manages patients, studies and enrolments. "
        "Also manages practitioners, sub-organizations and tokens."
    )


def test_a_patient_is_told_their_own_record_and_what_they_share(as_user, clinic):
    peter = clinic.patient(login=True)
    clinic.patient()
    answer = as_user(peter.user).answer(MINE)
    assert (answer["user_type"], answer["patient_id"], answer["patients"]) == ("patient", peter.pk, 1)
    assert {role["role"] for role in answer["roles"]} == {"self", "participant"}
    [study] = answer["studies"]
    assert [scope["consented"] for scope in study["scopes"]] == [1, 1]
    assert study["patients"] == 1


def test_a_superuser_is_told_so_and_of_the_first_of_many_studies(as_user, clinic):
    for _ in range(21):
        EnrolmentFactory()
    answer = as_user(UserFactory(is_superuser=True)).answer(MINE)
    assert answer["is_superuser"]
    assert (answer["total"], answer["returned"], answer["truncated"]) == (22, 20, True)
    assert answer["organizations_total"] == 22


def test_long_names_of_many_studies_still_make_one_answer(as_user, clinic):
    for _ in range(20):
        clinic.study.pk, clinic.study.name, clinic.study._state.adding = None, "é" * 255, True
        clinic.study.save()
    answer = as_user(clinic.practitioner).answer(MINE)
    assert (answer["total"], answer["truncated"]) == (21, True)
    assert 10 < answer["returned"] == len(answer["studies"]) < 21


def test_a_study_that_came_after_the_login_is_said_to_be_left_out(as_user, clinic):
    person = as_user(clinic.practitioner)
    clinic.study.pk, clinic.study._state.adding = None, True
    clinic.study.save()
    answer = person.answer(MINE)
    assert (answer["total"], answer["token"]["studies_left_out"]) == (1, 1)


def test_nobodys_access_is_told_to_whom_it_does_not_belong(as_user, clinic):
    clinic.patient()
    PatientFactory()
    answer = as_user(UserFactory()).answer(MINE)
    assert (answer["patients"], answer["total"], answer["organizations"], answer["roles"]) == (0, 0, [], [])


def test_what_is_read_of_somebody_is_recorded(as_user, clinic, audit):
    peter = clinic.patient(login=True)
    record(peter, clinic.glucose, glucose(100, "2026-11-01T12:00:00Z"))
    as_user(peter.user).answer(MINE)
    assert audit().patient_ids == [peter.pk]


def test_a_narrowed_token_is_told_what_it_leaves_and_reads_no_log_of_its_own(as_user, clinic):
    patient, other = clinic.patient(), StudyFactory(organization=clinic.organization)
    look(clinic.practitioner, patient)
    narrowing = Narrowing.objects.create(user=clinic.practitioner, patient=patient, every_code=False)
    narrowing.studies.add(clinic.study)
    narrowing.codes.add(clinic.glucose, through_defaults={"letters": "rs"})
    person = as_user(clinic.practitioner, narrowing)
    answer = person.answer(MINE)
    assert [study["study_id"] for study in answer["studies"]] == [clinic.study.pk]
    assert other.pk not in answer["token"]["narrowed"]["studies"]
    assert answer["token"]["narrowed"] == {
        "studies": [clinic.study.pk],
        "organizations": [],
        "data_types": ["omh:blood-glucose:4.0"],
        "everywhere": False,
        "every_data_type": False,
        "patient_id": patient.pk,
        "truncated": False,
    }
    assert [organization["roles"] for organization in answer["organizations"]] == [["named"]]
    log = person.answer(LOG, patient_id=patient.pk)
    assert (log["sees"], log["total"], log["accesses"]) == ("nobody", 0, [])


def test_a_managers_narrowed_token_reads_the_log_of_the_patient_that_it_leaves(as_user, clinic):
    patient, other, manager = clinic.patient(), clinic.patient(), clinic.member("manager")
    ids = [look(clinic.practitioner, patient, other), look(clinic.practitioner, other)]
    narrowing = Narrowing.objects.create(user=manager, everywhere=True, patient=patient)
    person = as_user(manager, narrowing)
    assert told(person.answer(LOG, patient_id=patient.pk)) == ids[:1]
    assert person.refusal(LOG, patient_id=other.pk) == f"No patient {other.pk} that you can see."


def test_a_managers_token_for_a_study_tells_of_no_access_in_another_nor_outside_of_studies(as_user, clinic):
    register_stdio_client()
    patient, manager = clinic.patient(), clinic.member("manager")
    other = StudyFactory(organization=clinic.organization)
    EnrolmentFactory(study=other, patient=patient)
    inside = look(clinic.practitioner, patient, study=clinic.study)
    for user in (clinic.practitioner, manager):
        for study in (other, None):
            look(user, patient, study=study)
    narrowing = Narrowing.objects.create(user=manager)
    narrowing.studies.add(clinic.study)
    answer = as_user(manager, narrowing).answer(LOG, patient_id=patient.pk)
    assert (told(answer), answer["total"], answer["sees"]) == ([inside], 1, "studies")
    fhir = client_of(manager, narrowing=narrowing)
    found = fhir.get("/FHIR/R5/AuditEvent", {"patient": f"Patient/{patient.pk}"})
    assert [int(entry["resource"]["id"]) for entry in found.json()["entry"]] == [inside]
    narrowing.studies.clear()
    assert fhir.get("/FHIR/R5/AuditEvent").json()["total"] == 0


def test_a_token_without_the_permission_is_refused_instead_of_hearing_that_nobody_looked(as_user, clinic, audit):
    patient, person = clinic.patient(), as_user(clinic.member("manager"))
    look(clinic.practitioner, patient)
    person.principal = replace(person.principal, permissions=frozenset({Permission.PATIENT_READ}))
    assert person.refusal(LOG, patient_id=patient.pk) == "The token does not include access_log:read."
    assert (audit().action, audit().outcome) == (LOG, "refused")
    answer = person.answer(MINE)
    assert (answer["total"], answer["patients"], answer["token"]["is_mcp_token"]) == (0, 1, True)
    assert {tuple(role["permissions"]) for role in answer["roles"]} == {("patient:read",)}
