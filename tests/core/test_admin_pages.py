"""Every page of the admin: who may open it, that it opens, and that what it costs does not grow with what it shows."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoDbBlocker

from core.models import (
    AuditEvent,
    ConsentedToken,
    DeviceRequest,
    Narrowing,
    NarrowingCode,
    NarrowingOrganization,
    NarrowingStudy,
    Observation,
    PeerOrganization,
    SignUp,
    UsedAssertion,
    User,
)
from core.oauth.issue import issue
from tests import personas

pytestmark = pytest.mark.django_db

REGISTERED = sorted(admin.site._registry, key=lambda model: model._meta.label)
LABELS = [model._meta.label for model in REGISTERED]


def page(model: type[Model], kind: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{kind}", args=args)


@pytest.fixture(scope="module")
def demo(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Made once for this file and taken back after it; each test stands on a savepoint of its own."""
    with django_db_blocker.unblock(), transaction.atomic():
        call_command("seed", allow_demo_passwords=True)
        issue(personas.user_of("manager_mary"))
        yield
        transaction.set_rollback(True)


@pytest.fixture
def superuser(demo: None, db: None) -> Client:
    client = Client()
    client.force_login(personas.user_of("admin"))
    return client


def test_every_model_of_the_exchange_is_registered_and_no_view() -> None:
    ours = set(apps.get_app_config("core").get_models())
    rows = {model for model in ours if model._meta.managed and not model._meta.proxy}
    narrowings = {Narrowing, NarrowingStudy, NarrowingOrganization, NarrowingCode}
    parts = narrowings | {ConsentedToken, DeviceRequest, PeerOrganization, SignUp, UsedAssertion}  # of something else
    assert rows - parts == {m for m in REGISTERED if m._meta.app_label == "core"}


@pytest.mark.parametrize("model", REGISTERED, ids=LABELS)
def test_list_search_add_and_change_pages_open(model: type[Model], superuser: Client) -> None:
    assert superuser.get(page(model, "changelist")).status_code == 200
    for words in ("mary", "40001", "9" * 30, "nobody has this"):
        assert superuser.get(page(model, "changelist"), {"q": words}).status_code == 200
    may_add = admin.site._registry[model].has_add_permission(superuser.get("/admin/").wsgi_request)
    assert superuser.get(page(model, "add")).status_code == (200 if may_add else 403)
    for row in model._default_manager.all()[:3]:
        assert superuser.get(page(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize("model", REGISTERED, ids=LABELS)
def test_every_filter_opens(model: type[Model], superuser: Client) -> None:
    changelist = superuser.get(page(model, "changelist")).context["cl"]
    for choices in (list(spec.choices(changelist)) for spec in changelist.filter_specs):
        for choice in choices:
            assert superuser.get(page(model, "changelist") + choice["query_string"]).status_code == 200


@pytest.mark.parametrize("model", REGISTERED, ids=LABELS)
def test_a_longer_list_takes_no_more_queries(
    model: type[Model], superuser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            superuser.get(page(model, "changelist"))
        return len(captured)

    queries()  # the first visit also fills caches
    all_of_them = queries()
    monkeypatch.setattr(admin.site._registry[model], "list_per_page", 1)
    assert all_of_them == queries()


@pytest.mark.parametrize("name", [name for name in personas.EVERYBODY if name != "admin"])
def test_the_admin_is_closed_to_everybody_else(name: str, superuser: Client) -> None:
    client = Client()
    client.force_login(personas.user_of(name))
    response = client.get("/admin/core/patient/")
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/admin/login/")


def test_staff_alone_and_djangos_own_permissions_open_nothing(superuser: Client) -> None:
    mary = personas.user_of("manager_mary")
    User.objects.filter(pk=mary.pk).update(is_staff=True)
    permission = apps.get_model("auth", "Permission").objects.get(codename="view_patient")
    mary.user_permissions.add(permission)
    client = Client()
    client.force_login(User.objects.get(pk=mary.pk))
    assert client.get("/admin/core/patient/").status_code == 302


def test_a_deactivated_superuser_is_out_at_once(superuser: Client) -> None:
    User.objects.filter(email="admin@example.com").update(is_active=False)
    assert superuser.get("/admin/core/patient/").status_code == 302


def test_strangers_are_sent_to_the_login() -> None:
    assert Client().get("/admin/core/patient/").status_code == 302


def test_a_list_of_observations_shows_no_payload_and_a_page_shows_one(superuser: Client) -> None:
    observation = Observation.objects.filter(code__coding_code="omh:blood-pressure:4.0").first()
    assert observation is not None
    assert "systolic" not in superuser.get(page(Observation, "changelist")).content.decode()
    assert "systolic" in superuser.get(page(Observation, "change", observation.pk)).content.decode()


def test_no_list_counts_further_than_its_bound(superuser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.admin.base.BoundedPaginator.LIMIT", 7)
    changelist = superuser.get(page(Observation, "changelist")).context["cl"]
    assert changelist.result_count == 7
    assert changelist.full_result_count is None


def secrets() -> Iterator[str]:
    """Every hash and token that the database holds."""
    tables = [
        ("core.User", "password"),
        ("oauth2_provider.Application", "client_secret"),
        ("oauth2_provider.AccessToken", "token"),
        ("oauth2_provider.AccessToken", "token_checksum"),
        ("oauth2_provider.RefreshToken", "token"),
        ("oauth2_provider.RefreshToken", "token_checksum"),
        ("oauth2_provider.Grant", "code"),
    ]
    for label, column in tables:
        yield from (value for value in apps.get_model(label)._default_manager.values_list(column, flat=True) if value)


@pytest.mark.parametrize("model", REGISTERED, ids=LABELS)
def test_no_secret_is_readable_on_any_page(model: type[Model], superuser: Client) -> None:
    held = list(secrets())
    assert len(held) > len(personas.EVERYBODY)
    pages = [page(model, "changelist"), *(page(model, "change", row.pk) for row in model._default_manager.all()[:3])]
    for url in pages:
        text = superuser.get(url).content.decode()
        assert not [secret for secret in held if secret in text]


@pytest.mark.parametrize(
    "wrong",
    ["recorded__year=99999", "recorded__year=0", "recorded__year=-1", "action__regex=(", "recorded=%00", "q=%00"],
)
def test_a_filter_that_cannot_be_is_refused(superuser: Client, wrong: str) -> None:
    assert superuser.get(f"{page(AuditEvent, 'changelist')}?{wrong}").status_code == 400


@pytest.mark.parametrize("term", ["%00", "p%00"])
def test_a_search_term_that_cannot_be_is_refused(superuser: Client, term: str) -> None:
    where = {"app_label": "core", "model_name": "study", "field_name": "organization"}
    assert superuser.get(f"/admin/autocomplete/?{urlencode(where)}&term={term}").status_code == 400


def test_a_number_finds_the_patient_it_belongs_to(superuser: Client) -> None:
    peter = personas.patient_of("ll_patient_peter")
    found = superuser.get("/admin/core/patient/", {"q": str(peter.pk)}).context["cl"].result_list
    assert list(found) == [peter]
    found = superuser.get("/admin/core/observation/", {"q": str(peter.pk)}).context["cl"].result_list
    assert found
    assert {observation.patient_id for observation in found} == {peter.pk}
