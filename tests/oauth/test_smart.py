"""SMART apps in Python: the package fhirclient, as it is, through a standalone launch and as a script of one's own.

Its requests go to the exchange in this process; the person presses the buttons of the pages.
"""

import io
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from django.conf import settings
from django.http import HttpResponse
from django.test import Client as Browser
from fhirclient.client import FHIRClient
from fhirclient.models.patient import Patient
from fhirclient.server import FHIRUnauthorizedException
from requests.adapters import BaseAdapter

from tests import personas
from tests.bearer import client_of
from tests.oauth import flow

pytestmark = [pytest.mark.usefixtures("demo_world"), pytest.mark.django_db]


class InThisProcess(BaseAdapter):
    """What the package sends, answered by the exchange without a network."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        body = request.body or b""
        answered: HttpResponse = Browser().generic(
            str(request.method),
            str(request.path_url),
            body.encode() if isinstance(body, str) else body,
            content_type=request.headers.get("Content-Type", "application/octet-stream"),
            headers=dict(request.headers),
        )
        response = requests.Response()
        response.status_code, response.url, response.request = answered.status_code, str(request.url), request
        response.headers.update(answered.headers)
        response.raw = io.BytesIO(answered.content)
        return response

    def close(self) -> None:
        pass


def smart(**changes: Any) -> FHIRClient:
    given = {
        "app_id": "jhe-mcp-stdio",
        "api_base": f"{settings.BASE_URL}/FHIR/R5",
        "redirect_uri": flow.REDIRECT_URI,
        "scope": "openid fhirUser patient/*.rs",
        **changes,
    }
    client = FHIRClient(settings=given)
    client.server.session.mount(settings.BASE_URL, InThisProcess())
    return client


def allow(name: str, url: str, **answer: str) -> str:
    """Where somebody who logs in and allows what is asked is sent on to."""
    browser = Browser()
    browser.force_login(personas.user_of(name))
    parts = urlsplit(url)
    page = browser.get(parts.path, dict(parse_qsl(parts.query)))
    assert page.status_code == 200, page.content
    return str(flow.answer(page, **answer)["Location"])


@pytest.mark.parametrize(
    ("name", "answer"), [("ll_patient_peter", {}), ("viewer_victor", {"patient": "ll_patient_peter@example.com"})]
)
def test_an_app_is_launched_and_reads_the_patient_it_is_about(name: str, answer: dict[str, str]) -> None:
    app = smart()
    assert app.prepare() is False
    app.handle_callback(allow(name, app.authorize_url, **answer))
    peter = personas.patient_of("ll_patient_peter")
    assert (app.ready, app.patient_id) == (True, str(peter.pk))
    assert app.patient.name[0].family == peter.name_family
    found = Patient.where({}).perform_resources_iter(app.server)
    assert [patient.id for patient in found] == [str(peter.pk)]


def test_an_app_stays_connected_and_knows_its_patient_again() -> None:
    app = smart(scope="openid offline_access patient/*.rs")
    app.prepare()
    app.handle_callback(allow("ll_patient_peter", app.authorize_url))
    assert app.reauthorize()
    assert app.launch_context["patient"] == app.patient_id


def test_an_app_without_a_launch_reads_nothing() -> None:
    app = smart()
    app.prepare()
    with pytest.raises(FHIRUnauthorizedException):
        list(Patient.where({}).perform_resources_iter(app.server))


def test_a_practitioners_script_reads_what_its_owner_sees() -> None:
    mary = client_of(personas.user_of("manager_mary"))
    body = {"name": "Nightly report", "scopes": ["system/*.rs"]}
    made = mary.post("/api/v1/clients/own", body, content_type="application/json").json()
    script = smart(app_id=made["clientId"], app_secret=made["clientSecret"], scope="system/Patient.rs")
    script.wants_patient = False
    script.prepare()
    script.authorize()
    found = {patient.id for patient in Patient.where({}).perform_resources_iter(script.server)}
    entries = mary.get("/FHIR/R5/Patient").json()["entry"]
    assert found == {entry["resource"]["id"] for entry in entries}
