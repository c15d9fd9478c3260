"""A SMART app that a patient opens by itself (SMART App Launch 2.2, standalone launch), with SMART's own client."""

import asyncio

import pytest
from fhirclient.client import FHIRClient
from fhirclient.server import FHIRNotFoundException

from core.seed.demo_world import PATIENTS
from demo.services import Exchange
from tests.browser.conftest import WebApplication
from tests.browser.landing import Landing

PETER, PAMELA = 40001, 40002
"""As a fresh demo world numbers them."""

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def app(exchange: Exchange, web_application: WebApplication, landing: Landing) -> FHIRClient:
    settings = {
        "app_id": web_application.client_id,
        "app_secret": web_application.client_secret,
        "api_base": f"{exchange.web_url}/FHIR/R5",
        "redirect_uri": landing.url,
        "scope": "openid fhirUser offline_access patient/*.rs",
    }
    app = FHIRClient(settings=settings, save_func=lambda _: None)
    app.wants_patient = True
    return app


async def test_peters_app_learns_who_he_is_and_reads_what_is_his(app, at_browser, landing: Landing) -> None:
    peter = await at_browser("ll_patient_peter")
    await asyncio.to_thread(app.prepare)
    await peter.open(app.authorize_url)
    await peter.allow()
    await asyncio.to_thread(app.handle_callback, await landing.came())
    assert app.patient_id == str(PETER)
    assert (await asyncio.to_thread(lambda: app.patient.name[0].given)) == [PATIENTS[0].given]
    assert await asyncio.to_thread(app.reauthorize)
    found = await asyncio.to_thread(app.server.request_json, "Observation?_count=100")
    assert {entry["resource"]["subject"]["reference"] for entry in found["entry"]} == {f"Patient/{PETER}"}
    with pytest.raises(FHIRNotFoundException):
        await asyncio.to_thread(app.server.request_json, f"Patient/{PAMELA}")


async def test_peters_app_is_told_that_he_cancelled(app, at_browser, landing: Landing) -> None:
    peter = await at_browser("ll_patient_peter")
    await asyncio.to_thread(app.prepare)
    await peter.open(app.authorize_url)
    await peter.cancel()
    came = await landing.came()
    with pytest.raises(Exception, match="denied"):
        await asyncio.to_thread(app.handle_callback, came)
    assert not app.ready
