"""Pages of observations over FHIR, of a table of ten million rows: login, rights, audit and rendering included.

One request at a time. The same question is asked when the table is small and when it is large; beside it a bare Django
view answers as many bytes.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.exchange import Measured, free_ports
from benchmarks.filling import Filled
from benchmarks.load import Generator, Request, request
from benchmarks.report import Row, duration, show
from benchmarks.rounds import Effort, in_turns, typical_ratio
from benchmarks.tool_calls import wait_for
from demo.services import ROOT

SMALL = "a patient's newest 50, small table"
LARGE = "a patient's newest 50, large table"
BARE = "a bare Django view with as many bytes"
FIRST = "page 1"
DEEP = "page 500"
PATIENT = "a patient's newest 100"
STUDY = "a study's newest 100, over 100 patients"
LIMITS = {LARGE: 1.5, BARE: 5, DEEP: 1.3, STUDY: 10}
DEEP_PAGE, DEEP_COUNT = 500, 20


def small(measured: Measured, generator: Generator, filled: Filled, effort: Effort) -> list[float]:
    """The seconds that a patient's newest 50 take while the table is small."""
    asked = measured.fhir(f"Observation?patient={filled.people[0]}&_count=50")
    return in_turns({SMALL: _time(generator, asked, effort)}, effort.rounds)[SMALL]


def large(measured: Measured, generator: Generator, filled: Filled, effort: Effort, *, before: list[float]) -> None:
    """The rest, once it is large. `before` is what `small` found."""
    patient = f"patient={filled.people[0]}"
    page = measured.fhir(f"Observation?{patient}&_count=50")
    body = generator.run(page, connections=1, seconds=0, alike=True).answer
    deep = _deep(measured, generator, f"Observation?{patient}&_count={DEEP_COUNT}")
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(body)
        with bare_django(measured, file.name) as port:
            asked = {
                BARE: request(port, "/page"),
                LARGE: page,
                FIRST: measured.fhir(f"Observation?{patient}&_count={DEEP_COUNT}"),
                DEEP: deep,
                PATIENT: measured.fhir(f"Observation?{patient}&_count=100"),
                STUDY: measured.fhir(f"Observation?patient._has:Group:member:_id={filled.study}&_count=100"),
            }
            ways = {what: _time(generator, each, effort) for what, each in asked.items()}
            in_turns(ways, 1)  # to warm up
            found = in_turns(ways, effort.rounds)
    _show(found, before)


def _show(found: dict[str, list[float]], before: list[float]) -> None:
    compared = {
        SMALL: (before, before, None),
        LARGE: (found[LARGE], [median(before)] * len(found[LARGE]), LIMITS[LARGE]),
        BARE: (found[LARGE], found[BARE], LIMITS[BARE]),
        FIRST: (found[FIRST], found[FIRST], None),
        DEEP: (found[DEEP], found[FIRST], LIMITS[DEEP]),
        PATIENT: (found[PATIENT], found[PATIENT], None),
        STUDY: (found[STUDY], found[PATIENT], LIMITS[STUDY]),
    }
    times = {**found, SMALL: before}
    rows = [
        Row(_sentence(what), (duration(median(times[what])),), typical_ratio(ours, theirs), limit=limit)
        for what, (ours, theirs, limit) in compared.items()
    ]
    show("A page of observations over FHIR", ["per request"], "times as long", rows)


def _sentence(what: str) -> str:
    against = {LARGE: "of the small one", BARE: "the patient's page of it", DEEP: "of page 1", STUDY: "of a patient's"}
    return f"{what}: {against[what]}" if what in against else what


def _time(generator: Generator, asked: Request, effort: Effort) -> Callable[[], float]:
    return lambda: generator.run(asked, connections=1, seconds=effort.seconds / 2, alike=True).p50


def _deep(measured: Measured, generator: Generator, query: str) -> Request:
    """The page that is asked for after following the link to the next one, again and again."""
    asked = measured.fhir(query)
    for _ in range(DEEP_PAGE - 1):
        links = json.loads(generator.run(asked, connections=1, seconds=0, alike=True).answer)["link"]
        following = [link["url"] for link in links if link["relation"] == "next"]
        if not following:  # a small table ends before
            break
        asked = measured.fhir(following[0])
    return asked


@contextmanager
def bare_django(measured: Measured, file: str) -> Iterator[int]:
    [port] = free_ports(1)
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.bare_django", str(port), file]
    process = subprocess.Popen(command, cwd=ROOT, env=measured.exchange.environment)
    try:
        wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait()
