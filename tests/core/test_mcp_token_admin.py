"""MCP tokens in the admin: looked at and ended, never made, and never shown."""

import pytest
from django.test import Client

from core.actions.mcp_tokens import create_token
from core.models import AuditEvent, McpToken, Narrowing
from core.policy.mcp_tokens import PREFIX
from tests.factories import MembershipFactory, OrganizationFactory, PractitionerFactory, StudyFactory, UserFactory
from tests.mcp_tokens import bearer

pytestmark = pytest.mark.django_db

Made = tuple[McpToken, Client]
LIST = "/admin/core/mcptoken/"


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(UserFactory(is_superuser=True, is_staff=True))
    return client


@pytest.fixture
def token() -> Made:
    lab = OrganizationFactory()
    mary = MembershipFactory(practitioner=PractitionerFactory(), organization=lab, role="manager").practitioner.user
    row, written = create_token(
        actor=None, door="command", user=mary, studies=[StudyFactory(organization=lab, name="Sleep").pk]
    )
    return row, bearer(written)


def test_an_admin_sees_what_a_token_is_for_and_neither_token_nor_hash(admin: Client, token: Made) -> None:
    row, _ = token
    for path in (LIST, f"{LIST}{row.pk}/change/"):
        shown = admin.get(path).content.decode()
        assert row.user.email in shown
        assert row.token_hash not in shown
        assert PREFIX not in shown
    assert "Sleep" in shown


def test_an_admin_makes_and_changes_none(admin: Client, token: Made) -> None:
    row, _ = token
    assert admin.get(f"{LIST}add/").status_code == 403
    assert admin.post(f"{LIST}{row.pk}/change/", {"scope": "user/*.cruds"}).status_code == 403
    assert McpToken.objects.get().scope == "mcp user/*.rs"


def test_an_admin_revokes_tokens_at_once(admin: Client, token: Made) -> None:
    row, agent = token
    assert admin.post(LIST, {"action": "revoke", "_selected_action": [row.pk]}).status_code == 302
    assert agent.get("/api/v1/studies").status_code == 401
    event = AuditEvent.objects.get(action="revoke_mcp_token")
    assert (event.door, event.detail["mcp_token"]) == ("admin", row.pk)
    assert event.user_id is not None


@pytest.mark.parametrize("at_once", [True, False])
def test_an_admin_deletes_a_token_with_what_it_was_narrowed_to(admin: Client, token: Made, at_once: bool) -> None:
    row, agent = token
    if at_once:
        admin.post(LIST, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    else:
        admin.post(f"{LIST}{row.pk}/delete/", {"post": "yes"})
    assert agent.get("/api/v1/studies").status_code == 401
    assert not McpToken.objects.exists()
    assert not Narrowing.objects.exists()
    assert AuditEvent.objects.filter(action="delete_mcp_token").count() == 1
