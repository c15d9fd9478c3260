"""Single sign-on at a SAML identity provider: what is signed, for us, now, and nothing else."""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth import get_user
from django.test import Client
from lxml import etree

from jhe.sso import providers
from tests.accounts.people import MARY, is_logged_in, person
from tests.accounts.saml_provider import ENTITY_ID, SSO_URL, Says, key_and_certificate

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _campus(settings: Any) -> None:
    _, certificate = key_and_certificate("idp")
    described = {
        "type": "saml",
        "id": "campus",
        "name": "Campus",
        "entity_id": ENTITY_ID,
        "sso_url": SSO_URL,
        "x509cert": certificate,
        "domains": ["test.invalid"],
        "by_email": True,
    }
    settings.SOCIALACCOUNT_PROVIDERS = providers(json.dumps([described]))


def browser() -> Client:
    return Client(headers={"Host": "testserver"})


def begin(client: Client) -> str:
    """The id of the AuthnRequest that the provider is sent."""
    location = client.post("/accounts/saml/campus/login/?process=login")["Location"]
    assert location.startswith(SSO_URL)
    request = parse_qs(urlsplit(location).query)["SAMLRequest"][0]
    return str(etree.fromstring(zlib.decompress(b64decode(request), -15)).get("ID"))


def come_back(client: Client, response: str) -> Any:
    return client.post("/accounts/saml/campus/acs/", {"SAMLResponse": response}, follow=True)


def test_what_the_campus_signs_of_mary_logs_her_in() -> None:
    mary = person()
    client = browser()
    says = Says(begin(client))
    come_back(client, says.response(says.signed()))
    assert get_user(client) == mary  # type: ignore[arg-type]


def _unsigned(says: Says) -> str:
    return says.response(says.assertion())


def _signed_by_another(says: Says) -> str:
    return says.response(says.signed("evil"))


def _changed(says: Says) -> str:
    return says.response(says.signed().replace("mary@", "eve@"))


def _wrapped(says: Says) -> str:
    """XML signature wrapping: what is signed stays somewhere, what is read is another assertion."""
    forged = Says(says.in_response_to, email=MARY, assertion_id="_forged").assertion()
    eve = Says(says.in_response_to, email="eve@test.invalid").signed()
    return says.response(forged.replace("</saml:Issuer>", f"</saml:Issuer><x>{eve}</x>", 1))


def _wrapped_beside(says: Says) -> str:
    forged = Says(says.in_response_to, email=MARY, assertion_id="_forged").assertion()
    return says.response(forged, Says(says.in_response_to, email="eve@test.invalid").signed())


def _wrapped_with_the_same_id(says: Says) -> str:
    forged = Says(says.in_response_to, email=MARY).assertion()
    return says.response(Says(says.in_response_to, email="eve@test.invalid").signed(), forged)


def _comment_in_the_e_mail(says: Says) -> str:
    signed = Says(says.in_response_to, email="mary@test.invalid.evil.example.org").signed()
    return says.response(signed.replace("test.invalid.evil", "test.invalid<!-- -->.evil"))


def _with(**changes: Any) -> Callable[[Says], str]:
    def forged(says: Says) -> str:
        other = Says(**{**vars(says), **changes})
        return other.response(other.signed())

    return forged


FORGED = {
    "unsigned": _unsigned,
    "signed by another key": _signed_by_another,
    "changed after signing": _changed,
    "wrapped": _wrapped,
    "wrapped beside": _wrapped_beside,
    "wrapped with the same id": _wrapped_with_the_same_id,
    "comment in the e-mail": _comment_in_the_e_mail,
    "foreign audience": _with(audience="https://other.example.org/metadata/"),
    "foreign recipient": _with(recipient="https://other.example.org/acs/"),
    "foreign issuer": _with(issuer="https://evil.example.org/metadata"),
    "expired": _with(valid_for=timedelta(minutes=-9)),
    "answer to nobody": _with(in_response_to=""),
    "answer to another request": _with(in_response_to="ONELOGIN_0123"),
    "foreign domain": _with(email="mary@evil.example.org"),
    "no assertion": lambda says: says.response(),
    "no XML": lambda _: b64encode(b"<").decode(),
    "no base64": lambda _: "%",
    "empty": lambda _: "",
    "entities": lambda _: b64encode(b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>').decode(),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_anything_else_logs_nobody_in(forge: Callable[[Says], str]) -> None:
    person()
    person("eve@test.invalid")
    client = browser()
    answer = come_back(client, forge(Says(begin(client))))
    assert answer.status_code < 500
    assert not is_logged_in(client)


def test_an_answer_is_taken_once_and_by_the_browser_that_asked() -> None:
    person()
    client, other = browser(), browser()
    says = Says(begin(client))
    response = says.response(says.signed())
    come_back(other, response)
    assert not is_logged_in(other)
    come_back(client, response)
    assert is_logged_in(client)
    client.post("/accounts/logout/")
    come_back(client, response)
    assert not is_logged_in(client)


def test_the_campus_can_read_our_metadata() -> None:
    metadata = browser().get("/accounts/saml/campus/metadata/")
    assert metadata.status_code == 200
    assert b"AssertionConsumerService" in metadata.content
