"""/client_consents: each person sees what they let clients do, and ends it."""

import pytest
from django.conf import settings
from django.test import Client
from oauth2_provider.models import AccessToken, Application

from core.actions.clients import STDIO_CLIENT_ID
from core.actions.narrowings import narrow
from core.models import AuditEvent, ClientConsent
from tests import personas
from tests.bearer import client_of
from tests.mcp_tokens import made_for
from tests.oauth import flow

PATH = "/api/v1/client_consents"

pytestmark = [pytest.mark.usefixtures("demo_world"), pytest.mark.django_db]


def as_(name: str) -> Client:
    return client_of(personas.user_of(name))


def stdio() -> int:
    return Application.objects.get(client_id=STDIO_CLIENT_ID).pk


def connect(name: str, **answer) -> dict:
    client = Client()
    client.force_login(personas.user_of(name))
    page = flow.ask(client, scope="openid mcp")
    return flow.redeem(flow.said(flow.answer(page, **answer))["code"]).json()


def test_somebody_lists_what_they_let_a_client_do():
    connect("manager_mary")
    [row] = as_("manager_mary").get(PATH).json()
    assert row.pop("since") <= row.pop("lastToken")
    assert row == {
        "id": stdio(),
        "clientId": STDIO_CLIENT_ID,
        "name": "JupyterHealth MCP on this computer",
        "scopes": ["openid", "mcp"],
        "resources": [settings.MCP_URL],
        "studies": None,
    }


def test_a_client_that_is_narrowed_is_listed_with_its_studies():
    study = personas.study_of(personas.BP)
    connect("manager_mary", reached=[study.pk])
    assert as_("manager_mary").get(f"{PATH}/{stdio()}").json()["studies"] == [{"id": study.pk, "name": study.name}]


def test_withdrawing_ends_the_tokens_at_once_and_is_in_the_trail():
    given = connect("manager_mary")
    mary = personas.user_of("manager_mary")
    other = Application.objects.create(name="A console", client_type="public", authorization_grant_type="x")
    console = client_of(mary, application=other)
    assert console.delete(f"{PATH}/{stdio()}").status_code == 204
    assert not flow.stands(given["access_token"])
    assert flow.refused(flow.refresh(given["refresh_token"])) == "invalid_grant"
    assert not ClientConsent.objects.exists()
    row = AuditEvent.objects.get(action="withdraw_client_consent")
    assert (row.door, row.user_id, row.detail["client"]) == ("rest", mary.pk, STDIO_CLIENT_ID)
    assert console.delete(f"{PATH}/{stdio()}").status_code == 404


@pytest.mark.parametrize("name", ["admin", "viewer_victor", "ll_patient_peter"])
def test_nobody_sees_or_ends_what_somebody_else_let_a_client_do(name):
    given = connect("manager_mary")
    assert as_(name).get(PATH).json() == []
    for method in ("get", "delete"):
        assert getattr(as_(name), method)(f"{PATH}/{stdio()}").status_code == 404
    assert flow.stands(given["access_token"])


def test_a_patients_app_is_among_their_own():
    connect("ll_patient_peter")
    assert [row["clientId"] for row in as_("ll_patient_peter").get(PATH).json()] == [STDIO_CLIENT_ID]


@pytest.mark.parametrize("scope", ["openid", "openid user/*.rs", "user/Device.r user/Observation.cruds"])
def test_a_token_that_was_given_for_less_ends_nothing(scope):
    connect("manager_mary")
    mary = client_of(personas.user_of("manager_mary"), scope=scope)
    assert mary.delete(f"{PATH}/{stdio()}").status_code == 403
    assert ClientConsent.objects.exists()
    assert AccessToken.objects.count() == 2


def test_a_token_that_can_do_less_than_its_person_sees_and_ends_no_other_app():
    connect("manager_mary")
    mary = personas.user_of("manager_mary")
    study = personas.study_of(personas.BP)
    _, agent = made_for("manager_mary")
    narrowed = client_of(mary, narrowing=narrow(mary, studies=[study.pk]))
    for client in (agent, narrowed):
        assert client.get(PATH).json() == []
        assert client.get(f"{PATH}/{stdio()}").status_code == 404
    assert narrowed.delete(f"{PATH}/{stdio()}").status_code == 404
    assert agent.delete(f"{PATH}/{stdio()}").status_code == 403
    assert ClientConsent.objects.filter(narrowing=None).exists()
    assert client_of(mary).delete(f"{PATH}/{stdio()}").status_code == 204
