"""`manage.py dev_token`: a real token for trying things with curl, in development only."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from oauth2_provider.models import AccessToken, Grant

from core.models import User
from tests.factories import PractitionerFactory
from tests.oauth import flow

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def development(settings) -> None:
    settings.DEBUG = True


@pytest.fixture
def mary() -> User:
    return PractitionerFactory(user__email="manager_mary@example.com").user


def printed(*arguments: str) -> str:
    out, err = StringIO(), StringIO()
    call_command("dev_token", *arguments, stdout=out, stderr=err)
    assert err.getvalue() == ""
    return out.getvalue()


def test_it_prints_a_token_for_the_mcp_server_and_nothing_else(mary: User, settings) -> None:
    token = printed("manager_mary@example.com")
    assert token.count("\n") == 1
    assert token.endswith("\n")
    claims = flow.verified(token.strip(), settings.MCP_URL)
    assert (claims["user_id"], claims["client_id"]) == (mary.pk, "jhe-mcp-stdio")
    assert "mcp" in claims["scope"].split()


def test_the_token_stands_in_the_database_like_one_of_a_login(mary: User) -> None:
    assert flow.stands(printed("manager_mary@example.com").strip())
    row = AccessToken.objects.get()
    assert (row.user, row.application.client_id) == (mary, "jhe-mcp-stdio")
    assert not Grant.objects.exists()


def test_it_prints_the_id_token_instead(mary: User) -> None:
    token = printed("manager_mary@example.com", "--id-token").strip()
    assert flow.verified(token, "jhe-mcp-stdio")["user_id"] == mary.pk
    assert flow.stands(token)


def test_it_makes_a_token_for_another_resource_or_for_none(mary: User, settings) -> None:
    web = printed("manager_mary@example.com", "--resource", settings.BASE_URL).strip()
    assert flow.verified(web, settings.BASE_URL)["aud"] == settings.BASE_URL
    assert "." not in printed("manager_mary@example.com", "--resource", "")


def test_it_refuses_where_debug_is_off(mary: User, settings) -> None:
    settings.DEBUG = False
    with pytest.raises(CommandError, match="in development only"):
        printed("manager_mary@example.com")
    assert not AccessToken.objects.exists()


def test_it_says_so_when_nobody_has_the_address() -> None:
    with pytest.raises(
        CommandError, match=r"^Nobody here has the e-mail nobody@example\.com: correct it, or seed first\.$"
    ):
        printed("nobody@example.com")


def test_it_refuses_somebody_who_is_deactivated(mary: User) -> None:
    User.objects.update(is_active=False)
    with pytest.raises(CommandError, match="deactivated"):
        printed("manager_mary@example.com")


def test_it_names_the_resources_when_another_is_asked_for(mary: User, settings) -> None:
    with pytest.raises(CommandError, match=settings.MCP_URL):
        printed("manager_mary@example.com", "--resource", "https://elsewhere.example.org")


def test_it_makes_a_token_for_less_and_refuses_what_is_not_offered(mary: User) -> None:
    token = printed("manager_mary@example.com", "--resource", "", "--scope", "user/Observation.rs").strip()
    assert flow.granted(token) == "user/Observation.rs"
    with pytest.raises(CommandError, match=r"Scopes for system are those of the client credentials grant"):
        printed("manager_mary@example.com", "--scope", "system/*.rs")
