"""SMART App Launch 2.2: which scopes a client may ask for, what a person is told of them, where apps learn of it."""

import pytest
from django.conf import settings
from django.test import Client

from core.models import User
from core.oauth.scopes import words_of
from tests.factories import CodeFactory
from tests.oauth import flow

PLACES = [f"{base}/.well-known/smart-configuration" for base in ("", "/FHIR/R5", "/fhir/r5")]


@pytest.fixture
def browser(somebody: User) -> Client:
    client = Client()
    client.force_login(somebody)
    return client


@pytest.mark.parametrize("scope", ["user/Observation.rs", "user/Observation.c", "patient/Consent.u", "patient/*.crs"])
def test_any_letters_for_a_type_are_granted_and_kept(somebody: User, scope: str) -> None:
    given = flow.tokens(somebody, scope=f"openid {scope}")
    assert given["scope"] == f"openid {scope}"
    assert flow.granted(given["access_token"]) == f"openid {scope}"


def test_a_person_is_told_in_words_what_a_scope_lets_an_app_do(browser: Client) -> None:
    asked = "user/Observation.rs patient/Consent.cruds patient/Observation.rs?category=vital-signs"
    CodeFactory(coding_code="omh:heart-rate:2.0", text="Heart rate")
    CodeFactory(coding_code="omh:rr-interval:1.0", text="RR interval")
    codes = "".join(f" patient/Observation.rs?code={code}" for code in ("omh:heart-rate:2.0", "omh:rr-interval:1.0"))
    page = flow.ask(browser, scope=asked + codes).content.decode()
    assert "Read and search health data on your behalf, as far as you may yourself<" in page
    assert "Read and search consents about you<" in page
    assert "Add, change and delete consents about you<" in page
    for kind in ("vital signs", "heart rate", "RR interval"):
        assert f"Read and search {kind} about you<" in page


@pytest.mark.parametrize(
    "scope",
    [
        "system/*.rs",
        "system/Observation.rs",
        "user/Observation.rs?status=final",
        "user/Patient.rs?code=https://w3id.org/openmhealth|omh:blood-glucose:4.0",
        "user/*.rs?category=vital-signs",
        "user/Observation.sr",
        "user/Observation.",
        "user/Observation",
        "user/Observation.read",
        "user/Observation.*",
        "user/Medication.rs",
        "user/observation.rs",
        "launch",
        "launch/encounter",
        "online_access",
    ],
)
def test_what_is_not_offered_is_refused_with_what_would_be(browser: Client, scope: str) -> None:
    said = flow.said(flow.ask(browser, scope=f"openid {scope}"))
    assert said["error"] == "invalid_scope"
    assert said["error_description"].startswith("A scope is one of this server's metadata, or user or patient, a slash")


def test_a_refresh_may_narrow_the_scope_and_never_widen_it(somebody: User) -> None:
    given = flow.tokens(somebody, scope="user/Observation.rs user/Patient.rs")
    assert flow.refused(flow.refresh(given["refresh_token"], scope="user/Observation.cruds")) == "invalid_scope"
    assert flow.refresh(given["refresh_token"], scope="user/Patient.rs").json()["scope"] == "user/Patient.rs"


@pytest.mark.parametrize("place", PLACES)
def test_an_app_finds_where_to_log_in_from_the_address_of_the_fhir_server(place: str) -> None:
    answer = Client().get(place, headers={"Origin": "https://app.example.org"})
    document = answer.json()
    assert (answer["Content-Type"], answer["Access-Control-Allow-Origin"]) == ("application/json", "*")
    assert document["issuer"] == settings.BASE_URL
    server = Client().get("/.well-known/oauth-authorization-server").json()
    shared = document.keys() - {"scopes_supported", "capabilities"}
    assert {name: document[name] for name in shared} == {name: server[name] for name in shared}
    assert document["code_challenge_methods_supported"] == ["S256"]


def test_every_scope_that_apps_are_told_of_is_granted(somebody: User) -> None:
    document = Client().get(PLACES[1]).json()
    scopes = document["scopes_supported"]
    assert {"openid", "patient/*.cruds", "user/Observation.rs", "system/Observation.rs", "launch/patient"} <= set(
        scopes
    )
    assert all(words_of(scope) for scope in scopes)
    of_a_login = [scope for scope in scopes if not scope.startswith("system/") and scope != "launch/patient"]
    assert flow.tokens(somebody, scope=" ".join(of_a_login))["scope"] == " ".join(of_a_login)


def test_what_is_claimed_is_there_and_nothing_else() -> None:
    capabilities = Client().get(PLACES[0]).json()["capabilities"]
    assert {"client-public", "permission-v2", "launch-standalone", "context-standalone-patient"} <= set(capabilities)
    assert not {"launch-ehr", "context-ehr-patient", "permission-v1", "client-confidential-asymmetric"} & set(
        capabilities
    )
