"""Tokens for the MCP endpoint of one study (RFC 8707)."""

from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from core.models import ClientConsent, User
from core.oauth.claims import claims_of
from tests import personas
from tests.oauth import flow

ORIGIN = "{0.scheme}://{0.netloc}".format(urlsplit(settings.MCP_URL))
STUDY = f"{ORIGIN}/studies/30001/mcp"


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_token_for_a_study_is_for_that_endpoint_alone_and_says_whose_it_is(mary: User, slash: str) -> None:
    study = personas.study_of(personas.BP)
    claims = flow.verified(flow.tokens(mary, resource=endpoint(study.pk) + slash)["access_token"], endpoint(study.pk))
    assert claims["aud"] == endpoint(study.pk)
    narrowing = ClientConsent.objects.get().narrowing
    assert claims.items() >= claims_of(mary, narrowing.pk).items()
    assert claims["jhe_permissions"]["studies"] == [study.pk]


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
    study = personas.study_of(personas.BP)
    page = asked(mary, endpoint(study.pk))
    assert f"within the study {study.pk} alone" in page.content.decode()
    assert [pk for pk, _ in page.context["form"].fields["reached"].choices] == [study.pk]
    assert "come later" not in page.content.decode()
    assert "It reaches nothing else" in page.content.decode()


def test_what_mary_agrees_to_is_that_study_and_the_apps_page_says_so(mary: User) -> None:
    study = personas.study_of(personas.BP)
    flow.said(flow.answer(asked(mary, endpoint(study.pk))))
    assert list(ClientConsent.objects.get().narrowing.studies.all()) == [study]
    other = personas.study_of(personas.BP_AND_HR)
    assert flow.answer(asked(mary, endpoint(study.pk)), reached=[study.pk, other.pk]).status_code == 400


@pytest.mark.parametrize("study", [99_999_999, None])
def test_a_study_of_others_and_none_are_asked_about_in_the_same_words(mary: User, study: int | None) -> None:
    page = asked(mary, endpoint(study or personas.study_of(personas.O2).pk))
    assert "You see no such study at the moment: it will reach nothing." in page.content.decode()


def test_a_client_of_the_whole_endpoint_too_is_asked_about_every_study(mary: User) -> None:
    page = asked(mary, endpoint(personas.study_of(personas.BP).pk), settings.MCP_URL)
    assert len(page.context["form"].fields["reached"].choices) == 2
    assert "come later" in page.content.decode()


def asked(person: User, *resources: str) -> HttpResponse:
    browser = Client()
    browser.force_login(person)
    return flow.ask(browser, resource=list(resources))


def endpoint(study_id: int) -> str:
    return f"{ORIGIN}/studies/{study_id}/mcp"
