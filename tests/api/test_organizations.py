"""/api/v1/organizations: who sees which, and what an answer holds."""

import pytest

from tests.bearer import client_of
from tests.personas import organization_of, seed_demo_world, user_of

pytestmark = pytest.mark.django_db

URL = "/api/v1/organizations"


@pytest.fixture(autouse=True)
def world() -> None:
    seed_demo_world()


def test_mary_lists_the_organizations_she_works_for_and_what_she_is_in_each() -> None:
    answer = client_of(user_of("manager_mary")).get(URL).json()
    assert answer["count"] == 3
    assert (answer["next"], answer["previous"]) == (None, None)
    assert answer["results"][1] == {
        "id": organization_of("Saturn School of Data Science").pk,
        "name": "Saturn School of Data Science",
        "type": "team",
        "partOf": organization_of("Planetary Research Institute").pk,
        "children": [{"id": organization_of("Lifespan Lab").pk, "name": "Lifespan Lab", "type": "laboratory"}],
        "currentUserRole": "manager",
    }


def test_megan_gets_one_organization_and_no_other() -> None:
    megan = client_of(user_of("member_megan"))
    lab, foreign = organization_of("Lifespan Lab"), organization_of("Cosmic Cardio Lab")
    assert megan.get(f"{URL}/{lab.pk}").json()["currentUserRole"] == "member"
    refused = megan.get(f"{URL}/{foreign.pk}")
    assert (refused.status_code, refused.json()) == (
        404,
        {"detail": f"No organization {foreign.pk} that you can see."},
    )


def test_pages_follow_each_other_forwards_and_back() -> None:
    admin = client_of(user_of("admin"))
    first = admin.get(URL, {"page_size": 4}).json()
    second = admin.get(first["next"]).json()
    third = admin.get(second["next"]).json()
    assert [len(page["results"]) for page in (first, second, third)] == [4, 4, 1]
    assert third["next"] is None
    assert admin.get(third["previous"]).json()["results"] == second["results"]
    assert admin.get(second["previous"]).json() == first
