"""Narratives: what may stand in them, and that nothing in them acts (FHIR R5 narrative.html, txt-1 and txt-2)."""

import json
from pathlib import Path

import pytest

from core.fhir.errors import InvalidResource
from core.fhir.narrative import faults
from core.fhir.structure import check_structure

OFFICIAL = Path(__file__).parents[3] / "shared" / "data" / "fhir_r5"


def div(content, **attributes):
    more = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f'<div xmlns="http://www.w3.org/1999/xhtml"{more}>{content}</div>'


@pytest.mark.parametrize(
    "content",
    [
        "Ada Lovell",
        '<p style="margin: 0; color: #333">Ada <b>Lovell</b><br/></p>',
        '<table><tr><td colspan="2">61 &lt; 70</td></tr></table>',
        '<a href="https://example.org/x?a=1&amp;b=2">x</a> <a href="mailto:a@test.invalid">m</a> <a href="#p1">p</a>',
        '<img src="#chart" alt="chart"/>',
        '<img src="data:image/png;base64,iVBORw0KGgo="/>',
    ],
)
def test_what_people_read_passes(content):
    assert list(faults(div(content))) == []


@pytest.mark.parametrize(
    "content",
    [
        "<script>alert(1)</script>",
        "<SCRIPT>alert(1)</SCRIPT>",
        '<p onclick="alert(1)">x</p>',
        '<iframe src="https://test.invalid"/>x',
        '<object data="x.swf"/>x',
        '<embed src="x"/>x',
        "<style>p { color: red }</style>x",
        '<link rel="stylesheet" href="x.css"/>x',
        '<form action="https://test.invalid"><input/></form>x',
        '<meta http-equiv="refresh" content="0"/>x',
        '<base href="https://test.invalid"/>x',
        '<svg xmlns="http://www.w3.org/2000/svg"><a href="javascript:alert(1)">x</a></svg>',
        '<a href="javascript:alert(1)">x</a>',
        '<a href=" java&#10;script:alert(1)">x</a>',
        '<a href="JaVaScRiPt&#58;alert(1)">x</a>',
        '<a href="data:text/html,x">x</a>',
        '<a xmlns:l="http://www.w3.org/1999/xlink" l:href="javascript:alert(1)">x</a>',
        '<img src="https://test.invalid/seen.gif"/>',
        '<img src="data:image/svg+xml;base64,AAAA"/>',
        '<p style="background: url(https://test.invalid/seen.gif)">x</p>',
        '<p style="background: u\\72l(x)">x</p>',
        '<p style="width: expression(alert(1))">x</p>',
        "<!--><img src='x' onerror='alert(1)'/>-->x",
        "<![CDATA[><img src='x' onerror='alert(1)'/>]]>x",
        "<?php x ?>x",
        "&nbsp;",
        "<p>x",
        "",
        " <p> </p> ",
    ],
)
def test_what_acts_loads_or_says_nothing_is_refused(content):
    assert list(faults(div(content)))


@pytest.mark.parametrize(
    "whole",
    [
        "Ada",
        "<div>Ada</div>",
        '<p xmlns="http://www.w3.org/1999/xhtml">Ada</p>',
        '<!DOCTYPE div [<!ENTITY a "b">]><div xmlns="http://www.w3.org/1999/xhtml">&a;</div>',
    ],
)
def test_a_narrative_is_one_div_of_xhtml(whole):
    assert list(faults(whole))


def test_the_refusal_names_the_place_in_contained_resources_too():
    inner = {"resourceType": "Organization", "text": {"status": "additional", "div": div("x", onload="y")}}
    with pytest.raises(InvalidResource) as refused:
        check_structure({"resourceType": "Patient", "contained": [inner]}, "Patient")
    [issue] = refused.value.issues
    assert issue.expression == "Patient.contained[0].text.div"
    assert "onload" in issue.diagnostics


@pytest.mark.skipif(not OFFICIAL.exists(), reason="the official examples are not beside the checkout")
def test_every_official_narrative_passes():
    def divs(value):
        if isinstance(value, dict):
            yield from (value["div"] for _ in [0] if isinstance(value.get("div"), str))
            for inner in value.values():
                yield from divs(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from divs(inner)

    found = [div for path in OFFICIAL.glob("*.json") for div in divs(json.loads(path.read_text()))]
    assert len(found) > 50
    assert [fault for div in found for fault in faults(div)] == []
