"""Consents to clients in the admin: looked at, and withdrawn with all that came of them."""

import pytest
from django.test import Client

from core.models import AuditEvent, ClientConsent, User
from tests import personas
from tests.oauth import flow

LIST = "/admin/core/clientconsent/"


@pytest.fixture
def admin(db: None) -> Client:
    personas.seed_demo_world()
    client = Client()
    client.force_login(User.objects.get(email="admin@example.com"))
    return client


def narrowed() -> dict[str, str]:
    browser = Client()
    browser.force_login(personas.user_of("manager_mary"))
    study = personas.study_of(personas.BP)
    return flow.redeem(flow.said(flow.answer(flow.ask(browser), reached=[study.pk]))["code"]).json()


def test_a_superuser_sees_what_a_client_was_let_do_and_for_which_studies(admin: Client) -> None:
    narrowed()
    consent = ClientConsent.objects.get()
    assert "manager_mary@example.com" in admin.get(LIST).content.decode()
    page = admin.get(f"{LIST}{consent.pk}/change/").content.decode()
    assert f"{personas.study_of(personas.BP).pk} ({personas.BP})" in page
    assert str(consent.family) not in page
    assert admin.get(f"{LIST}add/").status_code == 403


@pytest.mark.parametrize("way", ["page", "list"])
def test_a_superuser_who_deletes_a_consent_ends_its_tokens(admin: Client, way: str) -> None:
    given = narrowed()
    pk = ClientConsent.objects.get().pk
    if way == "page":
        admin.post(f"{LIST}{pk}/delete/", {"post": "yes"})
    else:
        admin.post(LIST, {"action": "delete_selected", "_selected_action": [pk], "post": "yes"})
    assert not ClientConsent.objects.exists()
    assert not flow.stands(given["access_token"])
    assert flow.refused(flow.refresh(given["refresh_token"])) == "invalid_grant"
    row = AuditEvent.objects.get(action="withdraw_client_consent")
    assert (row.door, row.detail["person"]) == ("admin", personas.user_of("manager_mary").pk)


def test_nobody_else_looks(admin: Client) -> None:
    browser = Client()
    browser.force_login(personas.user_of("manager_mary"))
    assert browser.get(LIST).status_code == 302
