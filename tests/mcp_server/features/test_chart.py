"""The chart, in headless Chromium, in a page that speaks MCP Apps as a host does (SEP-1865)."""

import json
from contextlib import asynccontextmanager

import pytest

from mcp_server.apps import CHART
from tests.mcp_server.tools.world import glucose, record

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOST = """
<iframe id=app sandbox="allow-scripts" style="width: 700px; height: 500px"></iframe>
<script>
  const app = document.getElementById("app");
  window.told = [];
  window.tell = (message) => app.contentWindow.postMessage({jsonrpc: "2.0", ...message}, "*");
  window.addEventListener("message", ({source, data}) => {
    if (source !== app.contentWindow) return;
    window.told.push(data);
    if (data.method === "ui/initialize") {
      const result = {protocolVersion: "2026-01-26", hostInfo: {name: "Host", version: "1"}, hostCapabilities: {},
                      hostContext: {theme: "dark"}};
      window.tell({id: data.id, result});
    }
  });
</script>
"""
HOSTILE = '<img src=x onerror="parent.postMessage({jsonrpc: `2.0`, method: `pwned`}, `*`)"><script>alert(1)</script>'


@pytest.fixture
def patient(clinic):
    """Two days of glucose, an evening of which is missing, and a low."""
    patient = clinic.patient()
    hours = [(day, hour) for day in (1, 2) for hour in range(24) if (day, hour) < (1, 18) or (day, hour) > (1, 22)]
    record(
        patient,
        clinic.glucose,
        *(glucose(50 + 8 * hour, f"2026-11-{day:02}T{hour:02}:30:00-08:00") for day, hour in hours),
    )
    return patient


@pytest.fixture
def answers(as_user, clinic, patient):
    """What the tools say, as results."""
    mary = as_user(clinic.practitioner)
    series = mary.call("get_observation_series", patient_id=patient.pk, data_type="blood-glucose", resolution="raw")
    metrics = mary.call("get_glucose_metrics", patient_id=patient.pk)
    return {"series": _wire(series), "metrics": _wire(metrics)}


def _wire(result):
    return result.model_dump(by_alias=True, mode="json", exclude_none=True)


@asynccontextmanager
async def shown(chromium, result):
    """The page in its frame, with what the tool said. It may ask for nothing, and complain of nothing."""
    context = await chromium.new_context()
    page = await context.new_page()
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(error.message))
    await page.set_content(HOST)
    await page.evaluate("html => { app.srcdoc = html }", CHART.html)
    await page.wait_for_function("told.some(message => message.method === 'ui/notifications/initialized')")
    await page.evaluate("params => tell({method: 'ui/notifications/tool-result', params})", result)
    frame = page.frame_locator("#app")
    await frame.locator("#main :not(p)").or_(frame.locator("#main p", has_not_text="Waiting")).first.wait_for()
    yield page, frame
    assert [url for url in asked if not url.startswith(("about:", "data:"))] == []
    assert complaints == []
    await context.close()


async def test_a_series_is_drawn_with_its_target_its_gap_and_words(chromium, answers):
    async with shown(chromium, answers["series"]) as (page, frame):
        [initialize] = await page.evaluate("told.filter(message => message.method === 'ui/initialize')")
        assert initialize["params"]["protocolVersion"] == "2026-01-26"
        picture = frame.locator("svg")
        label = await picture.get_attribute("aria-label")
        assert await picture.locator("circle.dot").count() == 43
        assert await picture.locator("polyline.line").count() == 2  # the evening between them is missing
        assert await picture.locator("rect.target").count() == 1
        assert "43 points from 2026-11-01T00:30:00-08:00 to 2026-11-02T23:30:00-08:00, 50.0 to 234 mg/dL" in label
        assert "target 70 to 180 mg/dL" in label
        assert await frame.locator("h2").inner_text() == "omh:blood-glucose:4.0 (mg/dL)"
        assert "11-01 00:30" in await picture.locator("text").all_text_contents()  # the patient's clock
        await picture.press("End")
        await picture.press("ArrowLeft")
        assert await frame.locator("output").inner_text() == "2026-11-02T22:30:00-08:00: 226 mg/dL"
        await frame.locator("summary").click()
        assert await frame.locator("tr").count() == 44
        assert await frame.locator(":root").get_attribute("data-theme") == "dark"
        await page.evaluate("tell({method: 'ui/notifications/host-context-changed', params: {theme: 'light'}})")
        await frame.locator(":root[data-theme=light]").wait_for()
        sizes = await page.evaluate("told.filter(message => message.method === 'ui/notifications/size-changed')")
        assert sizes[-1]["params"]["height"] > 100
        await page.evaluate("tell({id: 7, method: 'ui/resource-teardown', params: {}})")
        await page.wait_for_function("told.some(message => message.id === 7 && message.result)")


async def test_glucose_metrics_are_drawn_by_hour_and_by_range(chromium, answers):
    async with shown(chromium, answers["metrics"]) as (_, frame):
        assert await frame.locator("h2").all_inner_texts() == [
            "Glucose by hour (mg/dL)",
            "Time in range (percent of readings)",
        ]
        assert await frame.locator("svg").first.locator("circle.dot").count() == 24
        assert await frame.locator("svg").first.locator("polygon").count() == 2
        assert "Time in target: patient 4" in await frame.locator("svg").last.get_attribute("aria-label")


async def test_hostile_text_stays_text(chromium, answers):
    result = json.loads(json.dumps(answers["series"]))
    [series] = result["structuredContent"]["series"]
    series["data_type"] = series["component"] = series["unit"] = HOSTILE
    series["points"][0][0] = f"2026-11-01T00:30:00{HOSTILE}"
    series["points"][1][1] = HOSTILE
    async with shown(chromium, result) as (page, frame):
        assert HOSTILE in await frame.locator("h2").inner_text()
        await frame.locator("summary").click()
        assert HOSTILE in await frame.locator("table").inner_text()
        assert await frame.locator("img").count() == 0
        assert await frame.locator("main script").count() == 0
        assert await frame.locator("circle.dot").count() == 42  # text is no number
        assert await page.evaluate("told.filter(message => message.method === 'pwned').length") == 0


@pytest.mark.parametrize(
    "result",
    [
        {"isError": True, "content": [{"type": "text", "text": HOSTILE}]},
        {"content": [{"type": "text", "text": HOSTILE}], "structuredContent": {"series": "x"}},
        {"content": [{"type": "text", "text": HOSTILE}], "structuredContent": {"patients": [None]}, "isError": True},
    ],
)
async def test_what_cannot_be_drawn_is_told_in_words(chromium, result):
    async with shown(chromium, result) as (_, frame):
        assert await frame.locator("main").inner_text() == HOSTILE


async def test_nobody_but_the_host_can_draw(chromium, answers):
    async with shown(chromium, {"content": [{"type": "text", "text": "Nothing."}]}) as (page, frame):
        await page.evaluate(
            """result => {
                const other = document.body.appendChild(document.createElement("iframe"));
                other.srcdoc = `<script>parent.frames[0].postMessage(
                    {jsonrpc: "2.0", method: "ui/notifications/tool-result", params: ${JSON.stringify(result)}}, "*");
                    parent.postMessage("sent", "*")</${"script"}>`;
                return new Promise(done => window.addEventListener("message", ({data}) => data === "sent" && done()));
            }""",
            answers["series"],
        )
        await page.evaluate("tell({id: 8, method: 'ping', params: {}})")
        await page.wait_for_function("told.some(message => message.id === 8)")
        assert await frame.locator("main").inner_text() == "Nothing."
