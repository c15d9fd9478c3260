"""/api/v1/practitioners: colleagues, and who looks after their records."""

from typing import Any

import orjson
import pytest
from django.test import Client

from core.models import Practitioner, User
from tests.bearer import client_of
from tests.factories import MembershipFactory
from tests.personas import organization_of, user_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("demo_world")]

URL = "/api/v1/practitioners"


@pytest.fixture
def mary() -> Client:
    return client_of(user_of("manager_mary"))


def send(client: Client, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    data = orjson.dumps(body) if body is not None else b""
    return client.generic(method, f"{URL}{path}", data, content_type="application/json")


def emails(answer: Any) -> list[str]:
    return [row["telecomEmail"].partition("@")[0] for row in answer.json()["results"]]


def test_megan_sees_her_colleagues_and_of_their_places_those_she_shares() -> None:
    answer = client_of(user_of("member_megan")).get(URL)
    assert emails(answer) == ["manager_mary", "member_megan", "viewer_victor", "three_org_tom"]
    tom, lab = user_of("three_org_tom"), organization_of("Lifespan Lab")
    assert answer.json()["results"][3] == {
        "id": tom.practitioner.pk,
        "jheUserId": tom.pk,
        "identifier": "",
        "nameFamily": "Torres",
        "nameGiven": "Tom",
        "birthDate": None,
        "telecomPhone": "",
        "telecomEmail": "three_org_tom@example.com",
        "organizations": [{"id": lab.pk, "name": "Lifespan Lab", "type": "laboratory", "role": "viewer"}],
    }


def test_a_superuser_sees_everybody_who_works_anywhere() -> None:
    Practitioner.objects.filter(user=user_of("member_megan")).get().memberships.all().delete()
    assert len(emails(client_of(user_of("admin")).get(URL))) == 5


def test_a_patient_sees_no_practitioner() -> None:
    assert emails(client_of(user_of("ll_patient_peter")).get(URL)) == []


def test_the_list_can_be_narrowed() -> None:
    tom = client_of(user_of("three_org_tom"))
    cosmic, foreign = organization_of("Cosmic Cardio Lab").pk, organization_of("Cardiology Division").pk
    assert emails(tom.get(URL, {"organizationId": cosmic})) == ["three_org_tom"]
    assert emails(tom.get(URL, {"organization_id": foreign})) == []
    assert emails(tom.get(URL, {"search": "MAS"})) == ["manager_mary"]


def test_mary_registers_a_practitioner_whose_account_nobody_can_log_in_to_yet(mary: Client) -> None:
    lab = organization_of("Lifespan Lab").pk
    body = {
        "telecomEmail": "Nora@Example.com",
        "nameFamily": "Novak",
        "nameGiven": "Nora",
        "organizationId": lab,
        "role": "member",
        "isSuperuser": True,
    }
    made = send(mary, "POST", "", body)
    assert made.status_code == 201
    assert (made.json()["telecomEmail"], made.json()["organizations"][0]["role"]) == ("nora@example.com", "member")
    account = User.objects.get(email="nora@example.com")
    assert (account.has_usable_password(), account.is_superuser, account.is_staff) == (False, False, False)


@pytest.mark.parametrize("email", ["member_megan", "ll_patient_peter", "admin", "ADMIN"])
def test_an_account_that_is_there_is_never_taken_over(mary: Client, email: str) -> None:
    body = {
        "telecomEmail": f"{email}@example.com",
        "organization": organization_of("Lifespan Lab").pk,
        "role": "viewer",
    }
    before = list(Practitioner.objects.values("pk", "user"))
    assert send(mary, "POST", "", body).status_code == 409
    assert list(Practitioner.objects.values("pk", "user")) == before


def test_mary_corrects_a_colleagues_record_and_nothing_else_of_them(mary: Client) -> None:
    megan = user_of("member_megan")
    body = {"nameFamily": "Miller", "telecomEmail": "other@example.com", "jheUserId": 1, "role": "manager"}
    changed = send(mary, "PATCH", f"/{megan.practitioner.pk}", body).json()
    assert (changed["nameFamily"], changed["nameGiven"]) == ("Miller", "Megan")
    assert (changed["telecomEmail"], changed["organizations"][0]["role"]) == ("member_megan@example.com", "member")


def test_a_manager_does_not_touch_the_record_of_a_superuser(mary: Client) -> None:
    tom = user_of("three_org_tom")
    User.objects.filter(pk=tom.pk).update(is_superuser=True)
    path = f"/{tom.practitioner.pk}"
    assert mary.get(f"{URL}{path}").status_code == 200
    assert send(mary, "PATCH", path, {"nameFamily": "X"}).status_code == 403
    assert send(mary, "DELETE", path).status_code == 403


def test_who_also_works_elsewhere_is_not_deleted_by_one_of_their_managers(mary: Client) -> None:
    tom = user_of("three_org_tom").practitioner
    refused = send(mary, "DELETE", f"/{tom.pk}")
    assert (refused.status_code, "remove them from yours" in refused.json()["detail"]) == (409, True)


def test_a_deleted_practitioner_keeps_the_account_and_loses_every_right(mary: Client) -> None:
    megan = user_of("member_megan")
    client = client_of(megan)
    assert send(mary, "DELETE", f"/{megan.practitioner.pk}").status_code == 204
    assert client.get("/api/v1/studies").json()["results"] == []
    assert User.objects.get(pk=megan.pk).is_active


def test_two_managers_of_different_organizations_do_not_see_each_other() -> None:
    one, other = MembershipFactory(role="manager").practitioner, MembershipFactory(role="manager").practitioner
    assert client_of(one.user).get(f"{URL}/{other.pk}").status_code == 404
