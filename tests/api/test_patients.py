"""/api/v1/patients: who sees whom, what an answer holds, and who may change it."""

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from core.actions.narrowings import narrow
from core.models import AuditEvent, Patient, PatientOrganization
from core.seed.demo_world import IDENTIFIER_SYSTEM
from tests.bearer import client_of
from tests.factories import ObservationFactory, PatientFactory, PatientIdentifierFactory, UserFactory
from tests.personas import BGL, BP, O2, organization_of, patient_of, seed_demo_world, study_of, user_of

pytestmark = pytest.mark.django_db

URL = "/api/v1/patients"
LIFESPAN, NEPTUNIAN, COSMIC, CARDIOLOGY = (
    "Lifespan Lab",
    "Neptunian Pulse Lab",
    "Cosmic Cardio Lab",
    "Cardiology Division",
)


@pytest.fixture(autouse=True)
def world() -> None:
    seed_demo_world()


def as_(name: str, **fields: Any) -> Client:
    return client_of(user_of(name), **fields)


def send(client: Client, method: str, url: str, body: Any = None) -> Any:
    return getattr(client, method)(url, json.dumps(body), content_type="application/json")


def trail() -> list[tuple[str, str, list[int], int | None]]:
    rows = AuditEvent.objects.filter(door="rest").order_by("pk")
    return list(rows.values_list("action", "outcome", "patient_ids", "study_id"))


def names(answer: Any) -> list[str]:
    return [patient["nameGiven"] for patient in answer.json()["results"]]


def test_mary_reads_of_peter_what_clients_rely_on() -> None:
    peter, lab = patient_of("ll_patient_peter"), organization_of(LIFESPAN)
    answer = as_("manager_mary").get(f"{URL}/{peter.pk}")
    assert answer.json() == {
        "id": peter.pk,
        "jheUserId": user_of("ll_patient_peter").pk,
        "identifiers": [{"id": peter.identifiers.get().pk, "system": IDENTIFIER_SYSTEM, "value": "ll_patient_peter"}],
        "nameFamily": "Larsen",
        "nameGiven": "Peter",
        "birthDate": "1971-03-09",
        "gender": "male",
        "telecomPhone": None,
        "telecomEmail": "ll_patient_peter@example.com",
        "organizations": [{"id": lab.pk, "name": LIFESPAN, "type": "laboratory"}],
    }


@pytest.mark.parametrize(
    ("person", "seen"),
    [
        ("admin", ["Peter", "Pamela", "Percy", "Paul", "Pat"]),
        ("manager_mary", ["Peter", "Pamela"]),
        ("viewer_victor", ["Peter", "Pamela"]),
        ("three_org_tom", ["Peter", "Pamela", "Percy", "Paul", "Pat"]),
        ("manager_mark", ["Percy", "Pat"]),
        ("ll_patient_peter", ["Peter"]),
    ],
)
def test_each_person_lists_the_patients_they_see(person: str, seen: list[str]) -> None:
    client = as_(person)
    assert names(client.get(URL)) == seen
    for patient in Patient.objects.all():
        status = client.get(f"{URL}/{patient.pk}").status_code
        assert status == (200 if patient.name_given in seen else 404)


def test_what_is_missing_and_what_is_forbidden_look_the_same() -> None:
    megan, percy = as_("member_megan"), patient_of("npl_patient_percy")
    for pk in (percy.pk, 99_999_999):
        answer = megan.get(f"{URL}/{pk}")
        assert (answer.status_code, answer.json()) == (404, {"detail": f"No patient {pk} that you can see."})


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"name": "LAR peter"}, ["Peter"]),
        ({"name": "peter novak"}, []),
        ({"email": "LL_PATIENT_PAMELA@example.com"}, ["Pamela"]),
        ({"email": "pamela@example.com"}, []),
        ({"identifier": "ccl_patient_paul"}, ["Paul"]),
        ({"identifier": f"{IDENTIFIER_SYSTEM}|ccl_patient_paul"}, ["Paul"]),
        ({"identifier": "https://other.invalid|ccl_patient_paul"}, []),
        ({"organization_id": 99_999_999}, []),
        ({"organizationId": 99_999_999}, []),
        ({"study_id": 99_999_999}, []),
    ],
)
def test_tom_searches_for_patients(asked: dict[str, Any], found: list[str]) -> None:
    assert names(as_("three_org_tom").get(URL, asked)) == found


def test_patients_of_an_organization_and_of_a_study() -> None:
    tom, mark = as_("three_org_tom"), as_("manager_mark")
    assert names(tom.get(URL, {"organization_id": organization_of(COSMIC).pk})) == ["Paul", "Pat"]
    assert names(tom.get(URL, {"study_id": study_of(O2).pk})) == ["Paul", "Pat"]
    assert names(mark.get(URL, {"study_id": study_of(BGL).pk})) == ["Pat"]


def test_mark_does_not_learn_that_pat_is_treated_elsewhere_but_pat_does() -> None:
    pat, mark = patient_of("ccl_cardio_patient_pat"), as_("manager_mark")
    seen = mark.get(f"{URL}/{pat.pk}").json()["organizations"]
    assert [organization["name"] for organization in seen] == [CARDIOLOGY]
    assert names(mark.get(URL, {"organization_id": organization_of(COSMIC).pk})) == []
    assert names(mark.get(URL, {"study_id": study_of(O2).pk})) == []
    own = as_("ccl_cardio_patient_pat").get(f"{URL}/me").json()["organizations"]
    assert [organization["name"] for organization in own] == [CARDIOLOGY, COSMIC]


def test_me_is_the_patients_own_record_and_nothing_for_others() -> None:
    peter = patient_of("ll_patient_peter")
    assert as_("ll_patient_peter").get(f"{URL}/me").json()["id"] == peter.pk
    refused = as_("manager_mary").get(f"{URL}/me")
    assert (refused.status_code, refused.json()) == (404, {"detail": "You have no patient record here."})


def test_a_lookup_by_e_mail_is_a_bare_array_of_whom_the_person_sees() -> None:
    asked = {"email": "NPL_Patient_Percy@Example.com"}
    tom, megan, url = as_("three_org_tom"), as_("member_megan"), f"{URL}/global_lookup"
    assert [patient["nameGiven"] for patient in tom.get(url, asked).json()] == ["Percy"]
    assert megan.get(url, asked).json() == []
    assert tom.get(url, {"email": "percy@example.com"}).json() == []
    assert tom.get(url).json() == {"detail": "email: This field is required."}


def test_a_lookup_finds_a_patient_by_the_e_mail_of_their_login_too() -> None:
    peter = patient_of("ll_patient_peter")
    Patient.objects.filter(pk=peter.pk).update(telecom_email="")
    found = as_("member_megan").get(f"{URL}/global_lookup", {"email": "LL_patient_peter@example.com"})
    assert [patient["id"] for patient in found.json()] == [peter.pk]


def test_a_page_costs_the_same_queries_however_many_patients_it_has(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    megan, lab = as_("member_megan"), organization_of(LIFESPAN)
    megan.get(URL)  # the library's settings are read once
    queries = 5  # token with its user, patients, identifiers, organizations, audit row
    with django_assert_num_queries(queries):
        assert len(names(megan.get(URL))) == 2
    for _ in range(15):
        PatientIdentifierFactory(patient=PatientFactory(organizations=[lab]))
    with django_assert_num_queries(queries):
        assert len(names(megan.get(URL))) == 17


def test_pages_follow_each_other() -> None:
    tom = as_("three_org_tom")
    first = tom.get(URL, {"page_size": 2, "count": "true", "name": "p"}).json()
    assert first["count"] == 5
    second = tom.get(first["next"]).json()
    third = tom.get(second["next"]).json()
    found = [patient["nameGiven"] for page in (first, second, third) for patient in page["results"]]
    assert found == ["Peter", "Pamela", "Percy", "Paul", "Pat"]
    assert third["next"] is None


NEW = {"nameFamily": "Nova", "nameGiven": "Nina", "birthDate": "1999-12-31"}


def test_megan_registers_a_patient() -> None:
    lab = organization_of(LIFESPAN)
    body = {
        **NEW,
        "organizations": [lab.pk],
        "telecomEmail": "nina@test.invalid",
        "identifiers": [{"system": "https://test.invalid/mrn", "value": "17"}],
    }
    answer = send(as_("member_megan"), "post", URL, body)
    assert answer.status_code == 201
    created = answer.json()
    assert created["jheUserId"] is None
    assert created["identifiers"][0]["value"] == "17"
    assert [organization["id"] for organization in created["organizations"]] == [lab.pk]
    assert trail() == [("register_patient", "success", [created["id"]], None)]


def test_snake_case_and_one_organization_are_understood_too() -> None:
    body = {"name_family": "Nova", "name_given": "Nina", "organization_id": organization_of(LIFESPAN).pk}
    assert send(as_("member_megan"), "post", URL, body).json()["nameFamily"] == "Nova"


@pytest.mark.parametrize(
    ("person", "organization", "status"),
    [
        ("viewer_victor", LIFESPAN, 403),
        ("three_org_tom", LIFESPAN, 403),
        ("member_megan", COSMIC, 404),
        ("ll_patient_peter", LIFESPAN, 404),
    ],
)
def test_a_patient_is_registered_only_where_the_person_manages_patients(
    person: str, organization: str, status: int
) -> None:
    body = {**NEW, "organizations": [organization_of(organization).pk]}
    answer = send(as_(person), "post", URL, body)
    assert answer.status_code == status
    assert Patient.objects.count() == 5
    assert trail() == [("POST api/v1/patients", "refused", [], None)]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"organizations": []}, "organizations: Name one organization at least, by its id."),
        ({"organizations": ["x"]}, "organizations[0]: A valid integer is required."),
        (
            {"birthDate": "1999-02-30"},
            "birthDate: Date has wrong format. Use one of these formats instead: YYYY-MM-DD.",
        ),
        ({"nameFamily": ""}, "nameFamily: This field may not be blank."),
        ({"gender": "f"}, 'gender: "f" is not a valid choice.'),
        ({"telecomEmail": "nina"}, "telecomEmail: Enter a valid email address."),
        ({"identifiers": [{"system": "s"}]}, "identifiers[0].value: This field is required."),
        ({"identifiers": {"system": "s"}}, 'identifiers: Expected a list of items but got type "dict".'),
    ],
)
def test_a_wrong_patient_is_refused_with_the_place_of_the_fault(wrong: dict[str, Any], sentence: str) -> None:
    body = {**NEW, "organizations": [organization_of(LIFESPAN).pk], **wrong}
    answer = send(as_("member_megan"), "post", URL, body)
    assert (answer.status_code, answer.json()) == (400, {"detail": sentence})


def test_an_e_mail_that_megan_knows_already_finds_the_patient() -> None:
    body = {
        "nameFamily": "Larsen",
        "nameGiven": "P.",
        "telecomEmail": "LL_Patient_Peter@example.com",
        "organizations": [organization_of(LIFESPAN).pk],
    }
    answer = send(as_("member_megan"), "post", URL, body)
    assert (answer.status_code, answer.json()["nameGiven"]) == (200, "Peter")
    assert Patient.objects.count() == 5


@pytest.mark.parametrize("email", ["npl_patient_percy@example.com", "admin@example.com", "manager_mark@example.com"])
def test_an_e_mail_of_somebody_elses_patient_or_account_is_neither_told_nor_attached(email: str) -> None:
    body = {**NEW, "telecomEmail": email, "organizations": [organization_of(LIFESPAN).pk]}
    answer = send(as_("member_megan"), "post", URL, body)
    assert (answer.status_code, answer.json()["jheUserId"]) == (201, None)
    unknown = send(as_("member_megan"), "post", URL, {**body, "telecomEmail": "nobody@test.invalid"})
    assert set(unknown.json()) == set(answer.json())
    percy = patient_of("npl_patient_percy")
    assert list(percy.organizations.all()) == [organization_of(NEPTUNIAN)]
    assert as_("member_megan").get(f"{URL}/{percy.pk}").status_code == 404


def test_anothers_identifier_is_a_conflict_that_tells_nothing_of_them() -> None:
    taken = {"system": IDENTIFIER_SYSTEM, "value": "npl_patient_percy"}
    body = {**NEW, "organizations": [organization_of(LIFESPAN).pk], "identifiers": [taken]}
    answer = send(as_("member_megan"), "post", URL, body)
    assert answer.status_code == 409
    assert "percy" not in answer.content.decode()
    assert Patient.objects.count() == 5


def test_megan_changes_peter_and_victor_may_not() -> None:
    url = f"{URL}/{patient_of('ll_patient_peter').pk}"
    changed = send(as_("member_megan"), "patch", url, {"telecomPhone": "+1 555 0100", "identifiers": []}).json()
    assert (changed["telecomPhone"], changed["nameGiven"], changed["identifiers"]) == ("+1 555 0100", "Peter", [])
    whole = send(as_("member_megan"), "put", url, {**changed, "telecomPhone": None, "nameGiven": "Pete"}).json()
    assert (whole["telecomPhone"], whole["nameGiven"]) == (None, "Pete")
    refused = send(as_("viewer_victor"), "patch", url, {"nameGiven": "No"})
    assert refused.status_code == 403
    assert send(as_("ll_patient_peter"), "patch", url, {"nameGiven": "No"}).status_code == 403
    assert send(as_("manager_mark"), "patch", url, {"nameGiven": "No"}).status_code == 404
    assert patient_of("ll_patient_peter").name_given == "Pete"


def test_a_login_is_not_changed_with_the_record() -> None:
    peter = patient_of("ll_patient_peter")
    body = {"jheUserId": user_of("admin").pk, "id": 1, "organizations": [0], "telecomEmail": "admin@example.com"}
    answer = send(as_("member_megan"), "patch", f"{URL}/{peter.pk}", body).json()
    assert (answer["id"], answer["jheUserId"]) == (peter.pk, user_of("ll_patient_peter").pk)
    assert len(answer["organizations"]) == 1


def test_only_a_patient_without_data_is_deleted_and_only_by_who_manages_them() -> None:
    lab, megan = organization_of(LIFESPAN), as_("member_megan")
    mistake = PatientFactory(organizations=[lab])
    assert as_("viewer_victor").delete(f"{URL}/{mistake.pk}").status_code == 403
    assert as_("manager_mark").delete(f"{URL}/{mistake.pk}").status_code == 404
    deleted = megan.delete(f"{URL}/{mistake.pk}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert megan.get(f"{URL}/{mistake.pk}").status_code == 404
    with_data = ObservationFactory(patient=PatientFactory(organizations=[lab])).patient
    refused = megan.delete(f"{URL}/{with_data.pk}")
    assert refused.status_code == 409
    assert Patient.objects.filter(pk=with_data.pk).exists()


def test_tom_shares_percy_with_his_other_lab_and_takes_it_back() -> None:
    percy, cosmic, tom = patient_of("npl_patient_percy"), organization_of(COSMIC), as_("three_org_tom")
    url = f"{URL}/{percy.pk}/organizations/{cosmic.pk}"
    assert [o["name"] for o in tom.put(url).json()["organizations"]] == [NEPTUNIAN, COSMIC]
    assert tom.put(url).status_code == 200
    assert tom.delete(url).status_code == 204
    assert PatientOrganization.objects.filter(patient=percy).count() == 1
    last = tom.delete(f"{URL}/{percy.pk}/organizations/{organization_of(NEPTUNIAN).pk}")
    assert last.status_code == 409


@pytest.mark.parametrize(
    ("person", "patient", "organization", "status"),
    [
        ("three_org_tom", "ll_patient_peter", COSMIC, 403),  # a viewer of Peter's lab
        ("three_org_tom", "npl_patient_percy", LIFESPAN, 403),  # a viewer there
        ("member_megan", "ll_patient_peter", COSMIC, 404),
        ("member_megan", "npl_patient_percy", LIFESPAN, 404),
        ("ll_patient_peter", "ll_patient_peter", COSMIC, 403),
    ],
)
def test_nobody_shares_a_patient_they_do_not_manage_or_with_whom_they_do_not(
    person: str, patient: str, organization: str, status: int
) -> None:
    url = f"{URL}/{patient_of(patient).pk}/organizations/{organization_of(organization).pk}"
    client = as_(person)
    assert client.put(url).status_code == status
    assert client.delete(url).status_code == status
    assert PatientOrganization.objects.count() == 6


def test_a_read_is_in_the_trail_with_whose_record_it_was_refused_ones_too() -> None:
    peter, megan = patient_of("ll_patient_peter"), as_("member_megan")
    megan.get(f"{URL}/{peter.pk}")
    as_("manager_mark").get(f"{URL}/{peter.pk}")
    megan.get(URL, {"study_id": study_of(BP).pk})
    pamela = patient_of("ll_patient_pamela")
    assert trail() == [
        ("GET api/v1/patients/<id:pk>", "success", [peter.pk], None),
        ("GET api/v1/patients/<id:pk>", "refused", [peter.pk], None),
        ("GET api/v1/patients", "success", [peter.pk, pamela.pk], study_of(BP).pk),
    ]


def test_no_log_and_no_refusal_tells_what_was_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    megan, taken = as_("member_megan"), {"system": IDENTIFIER_SYSTEM, "value": "npl_patient_percy"}
    body = {**NEW, "organizations": [organization_of(LIFESPAN).pk], "identifiers": [taken]}
    refused = [
        megan.get(URL, {"email": "percy@example.com", "cursor": "x"}),
        megan.get(URL, {"name": "percy", "study_id": "x"}),
        megan.get(f"{URL}/{patient_of('npl_patient_percy').pk}", {"email": "percy@example.com"}),
        send(megan, "post", URL, body),
    ]
    assert [answer.status_code for answer in refused] == [400, 400, 404, 409]
    assert "percy" not in "".join([caplog.text, *(answer.content.decode() for answer in refused)])


@pytest.mark.parametrize(
    ("scope", "method", "status"),
    [
        ("user/Patient.r", "get", 200),
        ("user/Patient.s", "get", 403),
        ("user/Observation.rs", "get", 403),
        ("user/Patient.rs", "delete", 403),
        ("patient/Patient.cruds", "get", 403),  # a practitioner's token is about nobody
        ("openid", "get", 403),
    ],
)
def test_a_token_does_what_it_was_given_for(scope: str, method: str, status: int) -> None:
    client = as_("manager_mary", scope=scope)
    assert getattr(client, method)(f"{URL}/{patient_of('ll_patient_peter').pk}").status_code == status


def test_nobody_is_asked_to_log_in() -> None:
    answer = Client().get(URL)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert trail() == []


def test_somebody_without_any_role_sees_nobody() -> None:
    assert names(client_of(UserFactory()).get(URL)) == []


def test_what_is_refused_in_the_end_has_not_happened():
    mary, peter = user_of("manager_mary"), patient_of("ll_patient_peter")
    about_peter = client_of(mary, narrowing=narrow(mary, patient=peter.pk))
    before = Patient.objects.count()
    body = {
        "nameFamily": "New",
        "nameGiven": "Nora",
        "birthDate": "1990-01-01",
        "organizationId": organization_of("Lifespan Lab").pk,
    }
    assert about_peter.post("/api/v1/patients", body, content_type="application/json").status_code == 404
    assert Patient.objects.count() == before
    assert AuditEvent.objects.order_by("pk").last().outcome == "refused"
