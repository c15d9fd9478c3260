"""`$export` of many observations beside `COPY … TO` of the same rows as text: rows per second, and the worker's memory.

The rows are those of the view `observation_row`, which both begin with: with identifiers and codes. How fast the
bare table is copied is shown beside it.

Alone: `python -m benchmarks.export --rows 1000000`.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from tempfile import TemporaryFile
from typing import Any

import psutil
import psycopg2

from benchmarks.exchange import Production, free_ports
from benchmarks.report import Row, number, show
from demo.services import ROOT, Exchange, migrate
from jhe import embedded

ROWS = 100_000
TABLE, COPY, EXPORT = "COPY of the bare table", "COPY … TO STDOUT, into a file", "$export by a worker"
GOAL = 1 / 3

_FILL = """
INSERT INTO core_observation (
    patient_id, code_id, status, effective_start, utc_offset_minutes, value_quantity, value_unit, omh_data,
    version_id, last_updated
)
SELECT
    consent.patient_id, consent.code_id, 'final', point.moment, -420, 60 + number %% 90, 'beats/min', point.data,
    1, now()
FROM generate_series(1, %(rows)s) AS number
JOIN (
    SELECT patient_id, code_id, row_number() OVER () - 1 AS place, count(*) OVER () AS places
    FROM core_studypatientscopeconsent WHERE consented
) AS consent ON consent.place = number %% consent.places
CROSS JOIN LATERAL (
    SELECT moment, jsonb_build_object(
        'header', jsonb_build_object(
            'uuid', gen_random_uuid(),
            'schema_id', jsonb_build_object('namespace', 'omh', 'name', 'heart-rate', 'version', '2.0'),
            'source_creation_date_time', moment,
            'modality', 'sensed',
            'acquisition_provenance', jsonb_build_object('source_name', 'A wearable')
        ),
        'body', jsonb_build_object(
            'heart_rate', jsonb_build_object('value', 60 + number %% 90, 'unit', 'beats/min'),
            'effective_time_frame', jsonb_build_object('date_time', moment)
        )
    ) AS data
    FROM (SELECT '2026-01-01'::timestamptz + number * interval '1 min' AS moment) AS at
) AS point
"""
_IDENTIFY = """
INSERT INTO core_observationidentifier (observation_id, patient_id, system, value)
SELECT id, patient_id, 'urn:ietf:rfc:3986', 'urn:uuid:' || (omh_data -> 'header' ->> 'uuid') FROM core_observation
"""
_ASK = """
INSERT INTO core_bulkjob (
    kind, user_id, client_id, token_key, scopes, source, request, types, position, attempts, created, expires, fault
)
SELECT 'export', id, '', '', 'user/*.rs', '', '', '{Observation}', '{}', 0, now(), now() + interval '1 day', ''
FROM core_user WHERE is_superuser
"""
_EXPORTED = """
SELECT sum(file.count), extract(epoch FROM max(job.finished) - max(job.transaction_time))::float
FROM core_bulkfile AS file JOIN core_bulkjob AS job ON job.id = file.job_id
"""


def measure(rows: int) -> None:
    with _filled(rows) as (exchange, cursor):
        bare = _copied(cursor, "COPY core_observation TO STDOUT")
        copied = _copied(cursor, "COPY (SELECT * FROM observation_row ORDER BY id) TO STDOUT")
        cursor.execute(_ASK)
        resident = _worker(exchange)
        cursor.execute(_EXPORTED)
        [[exported, seconds]] = cursor.fetchall()
    assert exported == rows, f"{exported} of {rows} rows were exported."
    show(
        f"Export of {rows:,} observations",
        ["rows/s", "resident MB"],
        "of COPY",
        [
            Row(TABLE, (number(rows / bare), ""), copied / bare),
            Row(COPY, (number(rows / copied), ""), 1),
            Row(EXPORT, (number(rows / seconds), number(resident / 2**20)), copied / seconds, GOAL),
        ],
    )


def _copied(cursor: Any, statement: str) -> float:
    began = time.perf_counter()
    with TemporaryFile() as file:
        cursor.copy_expert(statement, file)
    return time.perf_counter() - began


def _worker(exchange: Exchange) -> int:
    """The most bytes resident of a worker that does what there is to do."""
    process = subprocess.Popen([sys.executable, "manage.py", "worker", "--once"], cwd=ROOT, env=exchange.environment)
    resident = 0
    while process.poll() is None:
        resident = max(resident, psutil.Process(process.pid).memory_info().rss)
        time.sleep(0.05)
    assert process.returncode == 0, "The worker failed, see above."
    return resident


@contextmanager
def _filled(rows: int) -> Iterator[tuple[Exchange, Any]]:
    with embedded.throw_away({}) as data_dir:
        development = Exchange(data_dir, *free_ports(2))
        migrate(development)
        development.manage("seed")
        with closing(psycopg2.connect(embedded.database_url(data_dir))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("TRUNCATE core_observation CASCADE; SET session_replication_role = replica")
                cursor.execute(_FILL, {"rows": rows})
                cursor.execute(_IDENTIFY)
                cursor.execute("VACUUM ANALYZE")
                yield Production(data_dir, development.web_port, development.mcp_port), cursor


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.export", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help="how many observations (default: %(default)s)")
    measure(parser.parse_args().rows)


if __name__ == "__main__":
    main()
