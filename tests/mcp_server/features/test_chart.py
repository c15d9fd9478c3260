"""The chart, in headless Chromium, in a page that speaks MCP Apps as a host does (SEP-1865)."""

import json
from contextlib import asynccontextmanager

import pytest

from mcp_server.apps import CHART
from tests.mcp_server.tools.world import glucose, pressure, record

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

    def series(**arguments):
        return mary.call("get_observation_series", patient_id=patient.pk, **arguments)

    record(
        patient,
        clinic.pressure,
        *(pressure(120 + day, 80 + day, f"2026-11-{day:02}T08:00:00-08:00") for day in (1, 2, 3, 6, 8)),
    )
    return {
        "series": _wire(series(data_type="blood-glucose", resolution="raw")),
        "hours": _wire(series(data_type="blood-glucose", resolution="hour")),
        "pressure": _wire(series(data_type="blood-pressure", resolution="day")),
        "metrics": _wire(mary.call("get_glucose_metrics", patient_id=patient.pk)),
    }


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


async def test_a_series_is_drawn_with_its_target_its_gap_and_words(chromium, answers, patient):
    async with shown(chromium, answers["series"]) as (page, frame):
        [initialize] = await page.evaluate("told.filter(message => message.method === 'ui/initialize')")
        assert initialize["params"]["protocolVersion"] == "2026-01-26"
        picture = frame.locator("svg[role=img]")
        label = await picture.get_attribute("aria-label")
        assert await picture.locator("circle.dot").count() == 43
        assert await picture.locator("polyline.line").count() == 2  # the evening between them is missing
        assert await picture.locator("rect.target").count() == 1
        assert await frame.locator("h2").inner_text() == "Blood glucose"
        subtitle = await frame.locator("h2 + p").inner_text()
        window = "from 2026-11-01 00:30 to 2026-11-02 23:30"
        assert subtitle == f"Patient {patient.pk} · omh:blood-glucose:4.0 · 43 readings {window} · mg/dL"
        assert label == f"Blood glucose. {subtitle}. 50.0 to 234 mg/dL."
        assert await picture.locator("text.axis").all_text_contents() == AXES
        assert await frame.locator("li").all_inner_texts() == ["target 70 to 180 mg/dL"]
        assert "11-01 00:30" in await picture.locator("text").all_text_contents()  # the patient's clock
        await picture.press("End")
        await picture.press("ArrowLeft")
        assert await frame.locator("output").inner_text() == "2026-11-02T22:30:00-08:00: 226 mg/dL"
        await frame.locator("summary").click()
        assert await frame.locator("tr").count() == 44
        sizes = await page.evaluate("told.filter(message => message.method === 'ui/notifications/size-changed')")
        assert sizes[-1]["params"]["height"] > 100
        await page.evaluate("tell({id: 7, method: 'ui/resource-teardown', params: {}})")
        await page.wait_for_function("told.some(message => message.id === 7 && message.result)")


AXES = ["Patient's local time", "Blood glucose (mg/dL)"]


async def test_an_hour_without_data_is_a_gap_in_the_line_and_in_its_band(chromium, answers):
    result = json.loads(json.dumps(answers["hours"]))
    [series] = result["structuredContent"]["series"]
    left_out = next(point for point in series["points"] if point[0].startswith("2026-11-02T05"))
    series["points"].remove(left_out)
    async with shown(chromium, result) as (_, frame):
        picture = frame.locator("svg[role=img]")
        for mark in ("polyline.line", "polygon.band"):
            assert await picture.locator(mark).count() == 3  # until the evening, until 5 o'clock, until the end
        assert await picture.locator("circle.dot").count() == 42
        assert await frame.locator("li").all_inner_texts() == ["mean", "lowest to highest", "target 70 to 180 mg/dL"]


async def test_few_readings_far_apart_are_not_joined_to_others(chromium, answers):
    result = json.loads(json.dumps(answers["series"]))
    [series] = result["structuredContent"]["series"]
    series["points"] = [[f"2026-11-{day:02}T08:00:00-08:00", 100 + day] for day in (1, 2, 20)]
    async with shown(chromium, result) as (_, frame):
        [line] = await frame.locator("polyline.line").all()
        assert len((await line.get_attribute("points")).split()) == 2


async def test_hours_that_clocks_leave_out_or_repeat_are_no_gaps(chromium, answers):
    result = json.loads(json.dumps(answers["hours"]))
    [series] = result["structuredContent"]["series"]
    hours = ["2026-03-08T01:00:00-08:00", "2026-03-08T03:00:00-07:00"]
    hours += ["2026-11-01T01:00:00-07:00", "2026-11-01T01:00:00-08:00", "2026-11-01T02:00:00-08:00"]
    series["points"] = [[hour, 12, 100, 90, 110] for hour in hours]
    async with shown(chromium, result) as (_, frame):
        lines = await frame.locator("svg[role=img] polyline.line").all()
        assert [len((await line.get_attribute("points")).split()) for line in lines] == [2, 3]


async def test_both_blood_pressures_share_a_chart_and_a_legend_names_them(chromium, answers, patient):
    async with shown(chromium, answers["pressure"]) as (_, frame):
        assert await frame.locator("h2").inner_text() == "Blood pressure"
        assert await frame.locator("h2 + p").inner_text() == (
            f"Patient {patient.pk} · omh:blood-pressure:4.0 · 10 points by day from 2026-11-01 to 2026-11-08 · mmHg"
        )
        names = ["diastolic blood pressure", "systolic blood pressure"]
        assert await frame.locator("li").all_inner_texts() == [
            *(f"{name}, mean" for name in names),
            "lowest to highest",
        ]
        picture = frame.locator("svg[role=img]")
        label = await picture.get_attribute("aria-label")
        assert f"{names[0]} 81.0 to 88.0 mmHg; {names[1]} 121 to 128 mmHg" in label
        assert "Blood pressure (mmHg)" in await picture.locator("text.axis").all_text_contents()
        colours = set()
        for line, name in zip(("one", "two"), names, strict=True):
            [drawn] = await picture.locator(f"g.{line} polyline").all()  # three days, and then two alone
            assert len((await drawn.get_attribute("points")).split()) == 3, name
            assert await picture.locator(f"g.{line} circle.dot").count() == 5
            colours.add(await drawn.evaluate("line => getComputedStyle(line).stroke"))
            key = frame.locator(f"li svg.{line} polyline")
            colours.add(await key.evaluate("line => getComputedStyle(line).stroke"))
        assert len(colours) == 2  # the legend has the lines' own
        dates = [text for text in await picture.locator("text").all_text_contents() if text.startswith("2026-")]
        assert dates == [f"2026-11-0{day}" for day in (1, 2, 3, 5, 6, 8)]
        await picture.press("Home")
        said = await frame.locator("output").inner_text()
        assert said == "2026-11-01: diastolic blood pressure 81.0 mmHg (81.0 to 81.0, n 1)"
        await frame.locator("summary").click()
        assert await frame.locator("th").first.inner_text() == "component"
        assert await frame.locator("tr").count() == 11


async def test_what_is_cut_is_said(chromium, answers):
    result = json.loads(json.dumps(answers["series"]))
    result["structuredContent"] |= {"truncated": True, "total": 900}
    async with shown(chromium, result) as (_, frame):
        assert "43 of 900, the first, readings from" in await frame.locator("h2 + p").inner_text()


async def test_words_and_lines_stand_out_in_light_and_in_dark(chromium, answers):
    async with shown(chromium, answers["pressure"]) as (page, frame):
        contrasts = {}
        for theme in ("dark", "light"):
            await page.evaluate(
                "theme => tell({method: 'ui/notifications/host-context-changed', params: {theme}})", theme
            )
            await frame.locator(f":root[data-theme={theme}]").wait_for()
            contrasts[theme] = await frame.locator("body").evaluate(CONTRASTS)
    for found in contrasts.values():
        assert len(found) == 5
        for ratio, least in found:
            assert ratio >= least  # WCAG 2.2, 1.4.3 and 1.4.11


CONTRASTS = """body => {
    const light = colour => {
        const [r, g, b] = colour.match(/[0-9.]+/g).map(Number).map(
            part => part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = light(getComputedStyle(body).backgroundColor);
    const shown = [["h2", "color", 4.5], ["p", "color", 4.5], ["text.axis", "fill", 4.5],
                   ["g.one polyline", "stroke", 3], ["g.two polyline", "stroke", 3]];
    return shown.map(([where, what, least]) => {
        const ink = light(getComputedStyle(body.querySelector(where))[what]);
        return [(Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05), least];
    });
}"""


async def test_glucose_metrics_are_drawn_by_hour_and_by_range(chromium, answers, patient):
    async with shown(chromium, answers["metrics"]) as (_, frame):
        assert await frame.locator("h2").all_inner_texts() == ["Glucose by hour of the day", "Time in range"]
        by_hour, ranges = await frame.locator("svg[role=img]").all()
        assert await by_hour.locator("circle.dot").count() == 24
        assert await by_hour.locator("polygon").count() == 2
        times = [text for text in await by_hour.locator("text").all_text_contents() if text.endswith(":00")]
        assert times == ["0:00", "4:00", "9:00", "13:00", "18:00", "23:00"]
        assert await by_hour.locator("text.axis").all_text_contents() == [
            "Hour of the patient's day",
            "Glucose (mg/dL)",
        ]
        who = f"{patient.name_given} {patient.name_family}, Patient {patient.pk}"
        assert await frame.locator("h2 + p").first.inner_text() == (
            f"{who} · 43 readings from 2026-11-01 to 2026-11-02 · mg/dL"
        )
        assert f"Time in target: patient {patient.pk} " in await ranges.get_attribute("aria-label")
        legends = await frame.locator("li").all_inner_texts()
        assert legends[:4] == [
            "median",
            "half of the readings",
            "nine tenths of the readings",
            "target 70 to 180 mg/dL",
        ]
        assert legends[4:6] == ["very low (below 54 mg/dL)", "low (54 to below 70 mg/dL)"]


async def test_hostile_text_stays_text(chromium, answers):
    result = json.loads(json.dumps(answers["series"]))
    [series] = result["structuredContent"]["series"]
    series["data_type"] = series["component"] = series["unit"] = HOSTILE
    series["points"][0][0] = f"2026-11-01T00:30:00{HOSTILE}"
    series["points"][1][1] = HOSTILE
    async with shown(chromium, result) as (page, frame):
        assert HOSTILE in await frame.locator("h2").inner_text()
        assert HOSTILE in await frame.locator("h2 + p").inner_text()
        await frame.locator("summary").click()
        assert HOSTILE in await frame.locator("table").inner_text()
        assert await frame.locator("img").count() == 0
        assert await frame.locator("main script").count() == 0
        assert await frame.locator("circle.dot").count() == 42  # text is no number
        assert await page.evaluate("told.filter(message => message.method === 'pwned').length") == 0


async def test_hostile_names_stay_text_in_subtitles_and_legends(chromium, answers):
    metrics, pressures = (json.loads(json.dumps(answers[name])) for name in ("metrics", "pressure"))
    metrics["structuredContent"]["patients"][0]["name"] = HOSTILE
    for series in pressures["structuredContent"]["series"]:
        series["component"] = HOSTILE
    pressures["structuredContent"] |= {"resolution": "__proto__", "patient_id": HOSTILE}
    for result, where in ((metrics, "h2 + p"), (pressures, "li")):
        async with shown(chromium, result) as (page, frame):
            assert HOSTILE in await frame.locator(where).first.inner_text()
            assert await frame.locator("img").count() == 0
            assert await frame.locator("main script").count() == 0
            assert await page.evaluate("told.filter(message => message.method === 'pwned').length") == 0


@pytest.mark.parametrize(
    ("unit", "values"),
    [
        ("mmHg", (95.36, 95.36000000000001)),
        ("mmHg", (1e17,)),
        ("mmHg", (0,)),
        ("mmHg", (-1e300, 1e300)),
        ("constructor", (100, 101)),
        ("__proto__", (100, 101)),
    ],
    ids=str,
)
async def test_readings_of_any_size_and_unit_are_drawn(chromium, answers, unit, values):
    """A device sends them, and somebody else's browser draws them."""
    result = json.loads(json.dumps(answers["series"]))
    [series] = result["structuredContent"]["series"]
    series["unit"] = unit
    series["points"] = [[f"2026-11-01T{hour:02}:00:00-08:00", value] for hour, value in enumerate(values)]
    async with shown(chromium, result) as (_, frame):
        picture = frame.locator("svg[role=img]")
        assert await picture.locator("circle.dot").count() == len(values)
        assert 1 <= await picture.locator("line.grid").count() <= 10
        for number in await picture.locator("circle.dot").evaluate_all("dots => dots.map(dot => dot.cy.baseVal.value)"):
            assert 0 < number < 300


async def test_a_name_does_not_turn_the_words_after_it_around(chromium, answers):
    metrics = json.loads(json.dumps(answers["metrics"]))
    metrics["structuredContent"]["patients"][0]["name"] = "Ann \u202eeel \u2066\u200f"
    async with shown(chromium, metrics) as (_, frame):
        assert (await frame.locator("h2 + p").first.inner_text()).startswith("Ann eel")


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
