"""Tokens for the MCP endpoint of one study (RFC 8707)."""

from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client

from core.models import User
from core.oauth.claims import claims_of
from tests.oauth import flow

ORIGIN = "{0.scheme}://{0.netloc}".format(urlsplit(settings.MCP_URL))
STUDY = f"{ORIGIN}/studies/30001/mcp"


@pytest.mark.parametrize("spelled", [STUDY, f"{STUDY}/"])
def test_a_token_for_a_study_is_for_that_endpoint_alone_and_says_whose_it_is(mary: User, spelled: str) -> None:
    claims = flow.verified(flow.tokens(mary, resource=spelled)["access_token"], STUDY)
    assert claims["aud"] == STUDY
    assert claims.items() >= claims_of(mary).items()


def test_whether_there_is_such_a_study_does_not_show(mary: User) -> None:
    nowhere = f"{ORIGIN}/studies/99999999/mcp"
    assert flow.verified(flow.tokens(mary, resource=nowhere)["access_token"], nowhere)["aud"] == nowhere


@pytest.mark.parametrize(
    "resource",
    [
        f"{ORIGIN}/studies//mcp",
        f"{ORIGIN}/studies/abc/mcp",
        f"{ORIGIN}/studies/30001x/mcp",
        f"{ORIGIN}/studies/030001/mcp",
        f"{ORIGIN}/studies/-1/mcp",
        f"{ORIGIN}/studies/0/mcp",
        f"{ORIGIN}/studies/99999999999999999999/mcp",
        f"{ORIGIN}/studies/30001%2fmcp",
        f"{ORIGIN}/studies/30001/mcp//",
        f"{ORIGIN}/studies/30001/mcp?x",
        f"{ORIGIN}.evil.example/studies/30001/mcp",
        f"{settings.BASE_URL}/studies/30001/mcp",
        "/studies/30001/mcp",
    ],
)
def test_what_only_looks_like_a_study_is_no_resource(mary: User, resource: str) -> None:
    code = flow.code(mary, resource=[settings.MCP_URL])
    assert flow.refused(flow.redeem(code, resource=resource)) == "invalid_target"


def test_a_consent_to_one_study_gives_no_token_for_all_of_them_nor_for_another(mary: User) -> None:
    code = flow.code(mary, resource=STUDY)
    for wider in (settings.MCP_URL, settings.BASE_URL, f"{ORIGIN}/studies/30002/mcp"):
        assert flow.refused(flow.redeem(code, resource=wider)) == "invalid_target"


def test_mary_is_asked_about_the_one_study(mary: User) -> None:
    browser = Client()
    browser.force_login(mary)
    page = flow.ask(browser, resource=STUDY)
    assert "within the study 30001 alone" in page.content.decode()
