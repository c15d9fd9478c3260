"""What the tools that read and compute take over MCP, in a table of ten million rows: login, rights and audit included.

One request at a time. A page of observations is asked for while the table is small, and when it is large; statistics
stand beside the bare SQL of somebody who may see everything.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.exchange import Measured
from benchmarks.filling import Filled, owner
from benchmarks.load import Generator, Request
from benchmarks.report import Row, duration, show
from benchmarks.rounds import Effort, in_turns, typical_ratio
from benchmarks.tool_calls import refuse_failures

SMALL = "get_patient_observations, 50 of a small table"
LARGE = "get_patient_observations, 50 of a large table"
GLUCOSE = "get_glucose_metrics of 30 days"
BARE_GLUCOSE = "the bare SQL for these metrics, without MAGE"
COHORT = "summarize_study_cohort of 100 patients' 30 days"
BARE_COHORT = "the bare SQL for such a summary"
LIMITS = {LARGE: 1.5, GLUCOSE: 2, COHORT: 2}
START, END = "2026-01-02T00:00:00Z", "2026-02-01T00:00:00Z"
_FOLDER = Path(__file__).parent


def small(measured: Measured, generator: Generator, filled: Filled, effort: Effort) -> list[float]:
    """The seconds that a patient's newest 50 take while the table is small."""
    page = _page(measured.again(), filled)
    refuse_failures(generator, page)
    return in_turns({SMALL: _time(generator, page, effort)}, effort.rounds)[SMALL]


def large(measured: Measured, generator: Generator, filled: Filled, effort: Effort, *, before: list[float]) -> None:
    """The rest, once it is large. `before` is what `small` found."""
    measured, within = measured.again(), {"start": START, "end": END}
    about = {"study_id": filled.study, "data_type": "blood-glucose", **within}
    asked = {
        LARGE: _page(measured, filled),
        GLUCOSE: measured.tool_call("get_glucose_metrics", patient_id=filled.people[0], **within),
        COHORT: measured.tool_call("summarize_study_cohort", **about),
    }
    refuse_failures(generator, *asked.values())
    with _bare(measured.exchange.data_dir, filled) as bare:
        ways = {**{what: _time(generator, each, effort) for what, each in asked.items()}, **bare}
        in_turns(ways, 1)  # to warm up
        found = in_turns(ways, effort.rounds)
    _show(found, before)


def _show(found: dict[str, list[float]], before: list[float]) -> None:
    compared = {
        SMALL: (before, before),
        LARGE: (found[LARGE], [median(before)] * len(found[LARGE])),
        BARE_GLUCOSE: (found[BARE_GLUCOSE], found[BARE_GLUCOSE]),
        GLUCOSE: (found[GLUCOSE], found[BARE_GLUCOSE]),
        BARE_COHORT: (found[BARE_COHORT], found[BARE_COHORT]),
        COHORT: (found[COHORT], found[BARE_COHORT]),
    }
    times = {**found, SMALL: before}
    rows = [
        Row(what, (duration(median(times[what])),), typical_ratio(ours, theirs), limit=LIMITS.get(what))
        for what, (ours, theirs) in compared.items()
    ]
    show("Tools that read and compute", ["per call"], "of the line above", rows)


def _page(measured: Measured, filled: Filled) -> Request:
    return measured.tool_call("get_patient_observations", patient_id=filled.people[0], limit=50)


def _time(generator: Generator, asked: Request, effort: Effort) -> Callable[[], float]:
    return lambda: generator.run(asked, connections=1, seconds=effort.seconds / 2).p50


@contextmanager
def _bare(data_dir: Path, filled: Filled) -> Iterator[dict[str, Callable[[], float]]]:
    with owner(data_dir) as cursor:
        cursor.execute("SELECT id FROM core_codeableconcept WHERE coding_code = 'omh:blood-glucose:4.0'")
        [(code,)] = cursor.fetchall()
        window = {"code": code, "start": START, "end": END}
        yield {
            BARE_GLUCOSE: _asking(cursor, "bare_glucose", {**window, "patient": filled.people[0]}),
            BARE_COHORT: _asking(cursor, "bare_cohort", {**window, "people": list(filled.people)}),
        }


def _asking(cursor: Any, name: str, values: dict[str, Any]) -> Callable[[], float]:
    statement = (_FOLDER / f"{name}.sql").read_text()

    def took() -> float:
        began = time.perf_counter()
        cursor.execute(statement, values)
        cursor.fetchall()
        return time.perf_counter() - began

    return lambda: median(took() for _ in range(3))
