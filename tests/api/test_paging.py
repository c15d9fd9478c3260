"""Lists: pages by cursor that survive what changes in between, and no query more for a larger page."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoDbBlocker

from core.api.urls import urlpatterns
from core.models import Organization, PractitionerOrganization
from tests.api.crowd import Crowd, crowd
from tests.bearer import client_of
from tests.factories import MembershipFactory, OrganizationFactory

pytestmark = pytest.mark.django_db

URL = "/api/v1/organizations"


@pytest.fixture(scope="module")
def everything(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Crowd]:
    with django_db_blocker.unblock(), transaction.atomic(), override_settings(RATE_LIMIT="10000/s"):
        yield crowd()
        transaction.set_rollback(True)


def list_routes() -> list[str]:
    return [
        str(pattern.pattern)
        for pattern in urlpatterns
        if (handler := getattr(pattern.callback.view_class, "get", None)) and handler.operation.is_page
    ]


@pytest.fixture
def manager(everything: Crowd) -> Client:
    return client_of(everything.manager)


@pytest.mark.parametrize("route", list_routes())
def test_a_page_of_twenty_takes_no_query_more_than_a_page_of_two(
    route: str, everything: Crowd, manager: Client
) -> None:
    path = "/api/v1/" + route.replace("<id:pk>", str(everything.ids.get(route.partition("/")[0])))
    queries, sizes = {}, {}
    for size in (2, 20):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            answer = manager.get(path, {"pageSize": size, "count": "true"})
        assert answer.status_code == 200, answer.json()
        queries[size] = [query["sql"].split(" WHERE ")[0][:200] for query in captured]
        sizes[size] = len(answer.json()["results"])
        assert answer.json()["count"] >= 20
    assert sizes == {2: 2, 20: 20}
    assert len(queries[20]) == len(queries[2]), queries


@pytest.mark.parametrize("route", list_routes())
def test_the_pages_of_a_list_together_hold_each_row_once(route: str, everything: Crowd, manager: Client) -> None:
    path = "/api/v1/" + route.replace("<id:pk>", str(everything.ids.get(route.partition("/")[0])))
    in_pages = list(rows_from(manager, f"{path}?page_size=7"))
    assert in_pages == manager.get(path, {"page_size": 1000}).json()["results"]
    assert len({row["id"] for row in in_pages}) == len(in_pages)


def rows_from(client: Client, url: str | None) -> Iterator[dict[str, Any]]:
    while url is not None:
        page = client.get(url).json()
        yield from page["results"]
        url = page["next"]


@pytest.fixture
def mary() -> Client:
    """A practitioner of three organizations."""
    practitioner = MembershipFactory().practitioner
    MembershipFactory.create_batch(2, practitioner=practitioner)
    return client_of(practitioner.user)


def names(page: dict[str, Any]) -> list[str]:
    return [row["name"] for row in page["results"]]


def test_a_row_that_comes_in_between_moves_no_other(mary: Client) -> None:
    first = mary.get(URL, {"page_size": 1}).json()
    expected = names(mary.get(first["next"]).json())
    member = PractitionerOrganization.objects.first()
    early = Organization.objects.create(pk=1, name="Earlier than all", type="team")
    MembershipFactory(practitioner=member.practitioner, organization=early)
    assert names(mary.get(first["next"]).json()) == expected


def test_a_right_that_ends_between_two_pages_is_gone_on_the_second(mary: Client) -> None:
    first = mary.get(URL, {"page_size": 1}).json()
    PractitionerOrganization.objects.all().delete()
    assert mary.get(first["next"]).json()["results"] == []


def test_a_cursor_of_somebody_else_shows_nobody_anything_new(mary: Client) -> None:
    cursor_of_mary = mary.get(URL, {"page_size": 1}).json()["next"]
    stranger = client_of(MembershipFactory(organization=OrganizationFactory(name="Strangers")).practitioner.user)
    assert names(stranger.get(cursor_of_mary).json()) == ["Strangers"]


def test_the_next_page_is_an_absolute_url_that_keeps_the_filters(mary: Client) -> None:
    answer = mary.get(URL, {"page_size": 1, "type": "laboratory"}).json()
    assert answer["next"].startswith("http://testserver/api/v1/organizations?page_size=1&type=laboratory&cursor=")


def test_the_last_page_has_no_next_and_the_first_no_previous(mary: Client) -> None:
    first = mary.get(URL, {"page_size": 2}).json()
    last = mary.get(first["next"]).json()
    assert (first["previous"], last["next"]) == (None, None)
    assert len(last["results"]) == 1
    assert mary.get(last["previous"]).json()["results"] == first["results"]


@pytest.mark.parametrize("name", ["pageSize", "page_size"])
def test_the_size_of_a_page_is_understood_in_both_spellings(mary: Client, name: str) -> None:
    assert len(mary.get(URL, {name: 2}).json()["results"]) == 2


def test_more_rows_than_a_page_can_hold_are_the_most_it_can(mary: Client) -> None:
    assert mary.get(URL, {"page_size": 5000}).status_code == 200


@pytest.mark.parametrize("size", ["0", "-1", "many", "1.5", "", "9" * 5000])
def test_a_page_size_that_is_none_is_refused(mary: Client, size: str) -> None:
    answer = mary.get(URL, {"page_size": size})
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("pageSize: ")


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "%00",
        "bnVsbA",  # null
        "W10",  # []
        "W2ZhbHNlXQ",  # [false]
        "W2ZhbHNlLCJ4Il0",  # [false,"x"]
        "W2ZhbHNlLG51bGxd",  # [false,null]
        "W2ZhbHNlLHt9XQ",  # [false,{}]
        "W2ZhbHNlLDEsMl0",  # [false,1,2]
        "WzEsMV0",  # [1,1]
        "W2ZhbHNlLDk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OV0",  # [false,99999999999999999999999999]
        "ü",
        "A" * 4000,
    ],
)
def test_a_cursor_that_is_none_of_this_list_is_refused(mary: Client, cursor: str) -> None:
    answer = mary.get(URL, {"cursor": cursor})
    assert answer.status_code == 400, answer.json()
    assert answer.json()["detail"].startswith("cursor: ")


def test_a_parameter_in_two_spellings_is_refused(mary: Client) -> None:
    answer = mary.get(URL, {"page_size": 2, "pageSize": 3})
    assert (answer.status_code, answer.json()["detail"]) == (
        400,
        "pageSize: Comes twice, in two spellings: send one.",
    )


def test_a_parameter_that_a_route_does_not_know_is_ignored(mary: Client) -> None:
    assert mary.get(URL, {"_": "1730000000"}).status_code == 200
