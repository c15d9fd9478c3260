"""How often somebody may ask: counted per person and client, told as 429, on both doors."""

import runpy
from collections.abc import Iterator

import pytest
from django.core.cache import caches
from django.test import Client
from oauth2_provider.models import Application

from core.models import AuditEvent, User
from tests.bearer import client_of
from tests.factories import MembershipFactory

REST = "/api/v1/organizations"
FHIR = "/FHIR/R5/Organization/20001"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def three_a_day(settings) -> Iterator[None]:
    settings.RATE_LIMIT = settings.ANONYMOUS_RATE_LIMIT = "3/d"
    caches["process"].clear()
    yield
    caches["process"].clear()


@pytest.fixture
def viewer() -> User:
    return MembershipFactory().practitioner.user


def statuses(client: Client, path: str, times: int) -> list[int]:
    return [client.get(path).status_code for _ in range(times)]


@pytest.mark.parametrize("path", [REST, FHIR])
def test_somebody_who_asks_too_often_is_told_when_to_come_back(viewer, path):
    client = client_of(viewer)
    assert 429 not in statuses(client, path, 3)
    refused = client.get(path)
    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 86_400
    assert f"wait {refused['Retry-After']} s, then send this one again" in refused.content.decode()


def test_both_doors_and_all_tokens_of_a_client_share_one_allowance(viewer):
    assert 429 not in statuses(client_of(viewer), REST, 2) + statuses(client_of(viewer), FHIR, 1)
    assert client_of(viewer).get(FHIR).status_code == 429
    assert client_of(viewer).get(REST).status_code == 429


def test_another_person_and_another_client_are_not_held_up(viewer):
    statuses(client_of(viewer), REST, 4)
    assert client_of(MembershipFactory().practitioner.user).get(REST).status_code == 200
    other = Application.objects.create(
        name="Other",
        client_id="an id with spaces " + "x" * 80,
        client_type=Application.CLIENT_PUBLIC,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        redirect_uris="https://other.example.org/",
    )
    assert client_of(viewer, application=other).get(REST).status_code == 200


def test_a_request_that_comes_too_often_looks_at_nothing_and_leaves_no_row(viewer):
    statuses(client_of(viewer), REST, 3)
    rows = AuditEvent.objects.count()
    assert client_of(viewer).get(REST).status_code == 429
    assert AuditEvent.objects.count() == rows


def test_without_a_token_there_is_no_allowance_to_use_up(viewer):
    assert set(statuses(Client(), REST, 5)) == {401}
    assert client_of(viewer).get(REST).status_code == 200


def test_a_rate_that_cannot_be_read_ends_the_start(monkeypatch, settings):
    monkeypatch.setenv("JHE_RATE_LIMIT", "often")
    with pytest.raises(SystemExit, match="It must be a number, a slash and s, m, h or d"):
        runpy.run_path(str(settings.BASE_DIR / "jhe" / "env.py"))
