"""A thousand readings in a bundle, over HTTP: login, schemas, consent, once per identifier, audit; beside the same rows
put into the same tables by one bare statement, one commit per thousand.

A few senders at a time: PostgreSQL works on one bundle while the web service reads the next.
"""

import http.client
import itertools
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from benchmarks.exchange import Measured
from benchmarks.filling import Filled, owner
from benchmarks.report import Row, number, show
from benchmarks.rounds import in_turns, typical_ratio
from benchmarks.uploads import BUNDLE, bundle, data_points, identifier

BARE = "one bare INSERT … SELECT unnest(…)"
HTTP = "bundles over HTTP, validated, idempotent, audited"
REPLAY = "the same bundles again"
MEMORY = "memory of the web service at the end"
GOALS = {HTTP: 0.2}
LIMITS = {MEMORY: 1.1}
SENDERS = 4
WARM_UP = 24
"""Bundles that are sent before anything is measured: twice as many as the web service has threads, so that each has had
one and keeps what memory it needs."""
_BARE_INSERT = Path(__file__).with_name("bare_insert.sql").read_text()
_numbers = itertools.count(0, BUNDLE)


def measure(measured: Measured, filled: Filled, *, rounds: int, bundles: int) -> None:
    """`bundles` of a thousand per round and way. Whose they are changes, as senders do."""
    last: list[bytes] = []

    def by_http() -> float:
        last[:] = _bundles(filled, bundles)
        return _send(measured, last, "201")

    def again() -> float:
        before = _rows(measured, filled)
        rate = _send(measured, last, "200")
        assert _rows(measured, filled) == before, "A replay added rows."
        return rate

    _send(measured, _bundles(filled, min(WARM_UP, 3 * bundles)), "201")
    memory = _memory(measured)
    found = in_turns({BARE: lambda: _bare(measured, filled, bundles), HTTP: by_http, REPLAY: again}, rounds)
    rows = [
        Row(way, (number(median(rates)),), typical_ratio(rates, found[BARE]), GOALS.get(way))
        for way, rates in found.items()
    ]
    show(f"Ingest, bundles of {BUNDLE:,}", ["rows/s"], "of the bare rows", rows)
    at_the_end = _memory(measured)
    growth = Row(MEMORY, (f"{at_the_end / 2**20:.0f} MB",), at_the_end / memory, limit=LIMITS[MEMORY])
    show(f"Memory, after {rounds * bundles * 2:,} bundles", ["resident"], "of that after the warm-up", [growth])


def _readings(filled: Filled, bundles: int) -> list[tuple[int, list[dict[str, Any]]]]:
    return [(filled.people[n % len(filled.people)], data_points(next(_numbers))) for n in range(bundles)]


def _bundles(filled: Filled, count: int) -> list[bytes]:
    return [bundle(patient, points) for patient, points in _readings(filled, count)]


def _bare(measured: Measured, filled: Filled, bundles: int) -> float:
    batches = [_columns(patient, points) for patient, points in _readings(filled, bundles)]
    with owner(measured.exchange.data_dir) as cursor:
        cursor.execute("SELECT id FROM core_codeableconcept WHERE coding_code = 'omh:blood-glucose:4.0'")
        [(code_id,)] = cursor.fetchall()
        began = time.perf_counter()
        for batch in batches:
            cursor.execute(_BARE_INSERT, {**batch, "code_id": code_id})
        return bundles * BUNDLE / (time.perf_counter() - began)


def _columns(patient_id: int, points: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "patient_id": patient_id,
        "starts": [point["body"]["effective_time_frame"]["date_time"] for point in points],
        "values": [float(point["body"]["blood_glucose"]["value"]) for point in points],
        "data": [json.dumps(point) for point in points],
        "identifiers": [identifier(point) for point in points],
    }


def _send(measured: Measured, bodies: list[bytes], status: str) -> float:
    """Rows per second. Every entry of every answer must have this status."""
    with ThreadPoolExecutor(SENDERS) as senders:
        began = time.perf_counter()
        answers = list(senders.map(lambda body: _post(measured, body), bodies))
        took = time.perf_counter() - began
    for answer in answers:
        statuses = {entry["response"]["status"][:3] for entry in json.loads(answer)["entry"]}
        assert statuses == {status}, f"Nothing was measured: {statuses}"
    return len(bodies) * BUNDLE / took


def _post(measured: Measured, body: bytes) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", measured.exchange.web_port, timeout=60)
    headers = {
        "Host": f"localhost:{measured.exchange.web_port}",
        "Authorization": f"Bearer {measured.rest_token}",
        "Content-Type": "application/fhir+json",
    }
    connection.request("POST", "/FHIR/R5/", body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    assert answer.status == 200, f"Nothing was measured: {answer.status} {content[:500]!r}"
    return content


def _rows(measured: Measured, filled: Filled) -> int:
    with owner(measured.exchange.data_dir) as cursor:
        cursor.execute("SELECT count(*) FROM core_observation WHERE patient_id = ANY(%s)", [list(filled.people)])
        [(count,)] = cursor.fetchall()
        return int(count)


def _memory(measured: Measured) -> int:
    return int(psutil.Process(measured.web_process).memory_info().rss)
