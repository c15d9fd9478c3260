"""GET and PATCH /users/profile: who the caller is, and what they may change of themselves."""

import pytest

from core.models import AuditEvent, User
from tests import personas
from tests.bearer import client_of

PROFILE = "/api/v1/users/profile"


pytestmark = [pytest.mark.usefixtures("demo_world"), pytest.mark.django_db]


@pytest.fixture
def mary() -> User:
    return personas.user_of("manager_mary")


def change(user: User, **body):
    return client_of(user).patch(PROFILE, body, content_type="application/json")


def test_a_practitioner_learns_who_they_are(mary):
    assert client_of(mary).get(PROFILE).json() == {
        "id": mary.pk,
        "email": "manager_mary@example.com",
        "firstName": mary.first_name,
        "lastName": mary.last_name,
        "patient": None,
        "userType": "practitioner",
        "isSuperuser": False,
        "settings": {},
    }


def test_a_superuser_learns_that_they_are_one():
    said = client_of(personas.user_of("admin")).get(PROFILE).json()
    assert (said["isSuperuser"], said["userType"]) == (True, "practitioner")


def test_a_patient_gets_their_record_and_the_trail_says_so():
    peter = personas.patient_of("ll_patient_peter")
    said = client_of(peter.user).get(PROFILE).json()
    assert said["userType"] == "patient"
    assert (said["patient"]["id"], said["patient"]["jheUserId"]) == (peter.pk, peter.user_id)
    assert [organization["name"] for organization in said["patient"]["organizations"]] == ["Lifespan Lab"]
    assert AuditEvent.objects.latest("id").patient_ids == [peter.pk]


@pytest.mark.parametrize("name", personas.EVERYBODY)
def test_everybody_costs_the_same_queries(name, django_assert_max_num_queries):
    client = client_of(personas.user_of(name))
    with django_assert_max_num_queries(5):
        assert client.get(PROFILE).status_code == 200


def test_a_person_changes_their_names_and_settings(mary):
    response = change(mary, firstName="Marie", last_name="Curie", settings={"theme": {"darkMode": True}})
    assert response.status_code == 200
    said = client_of(mary).get(PROFILE).json()
    assert said == response.json()
    assert (said["firstName"], said["lastName"]) == ("Marie", "Curie")
    assert said["settings"] == {"theme": {"darkMode": True}}
    event = AuditEvent.objects.get(action="update_profile")
    assert (event.user_id, event.outcome) == (mary.pk, "success")


def test_what_is_not_sent_stays(mary):
    change(mary, settings={"a": 1})
    assert change(mary, firstName="Marie").json()["settings"] == {"a": 1}


@pytest.mark.parametrize(
    "field",
    [
        {"isSuperuser": True},
        {"is_superuser": True},
        {"isStaff": True},
        {"isActive": False},
        {"userType": "patient"},
        {"email": "admin@example.com"},
        {"id": 10001},
        {"password": "x"},
        {"patient": 40001},
        {"groups": [1]},
        {"dateJoined": "2020-01-01"},
    ],
)
def test_no_role_or_login_is_written_here(field):
    victor = personas.user_of("viewer_victor")
    before = User.objects.filter(pk=victor.pk).values().get()
    assert change(victor, firstName=victor.first_name, **field).status_code == 200
    assert User.objects.filter(pk=victor.pk).values().get() == before


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"firstName": "x" * 151}, "firstName"),
        ({"firstName": None}, "firstName"),
        ({"settings": [1]}, "settings"),
        ({"settings": "x"}, "settings"),
        ({"settings": {"x": "y" * 20_000}}, "settings"),
    ],
)
def test_a_value_that_cannot_be_kept_is_refused_with_its_place(mary, body, place):
    response = change(mary, **body)
    assert response.status_code == 400
    assert response.json()["detail"].startswith(f"{place}:")


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_a_profile_is_neither_made_nor_deleted(mary, method):
    assert getattr(client_of(mary), method)(PROFILE).status_code == 405


@pytest.mark.parametrize(
    ("name", "scope", "missing"),
    [
        ("manager_mary", "user/Patient.cruds", "user/Practitioner.r"),
        ("manager_mary", "patient/*.cruds", "user/Practitioner.r"),
        ("ll_patient_peter", "patient/Observation.cruds", "patient/Patient.r"),
    ],
)
def test_a_token_without_the_scope_is_refused(name, scope, missing):
    response = client_of(personas.user_of(name), scope=scope).get(PROFILE)
    assert response.status_code == 403
    assert f'scope="{missing}"' in response["WWW-Authenticate"]


def test_a_patients_app_reads_with_patient_scopes_and_writes_only_with_that_letter():
    peter = client_of(personas.user_of("ll_patient_peter"), scope="patient/*.rs")
    assert peter.get(PROFILE).status_code == 200
    assert peter.patch(PROFILE, {"firstName": "P"}, content_type="application/json").status_code == 403
