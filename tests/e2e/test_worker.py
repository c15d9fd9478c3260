"""The worker as the process that production runs: killed, told to end, and without its database for a while."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx2
import pytest
from django.db import connection

from core.models import BulkJob
from demo.services import DEPLOYMENT, ROOT, Exchange
from jhe import embedded
from tests.factories import CodeFactory, ConsentFactory, MembershipFactory, PatientFactory, StudyFactory
from tests.settings import DATA_DIR

SECONDS = 60
READINGS = 50_000
INSERT = """
INSERT INTO core_observation (
    patient_id, code_id, status, effective_start, value_quantity, value_unit, omh_data, version_id, last_updated
)
SELECT %s, %s, 'final', '2026-01-01'::timestamptz + number * interval '5 min', 100, 'mg/dL', '{"body": {}}', 1, now()
FROM generate_series(1, %s) AS number
"""


@pytest.fixture
def job(transactional_db: None) -> BulkJob:
    """An export of ten files."""
    study, code = StudyFactory(), CodeFactory()
    patient = PatientFactory(organizations=[study.organization])
    ConsentFactory(study=study, patient=patient, code=code)
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [patient.pk, code.pk, READINGS])
    viewer = MembershipFactory(organization=study.organization).practitioner.user
    return BulkJob.objects.create(kind="export", user=viewer, types=["Observation"], scopes="user/*.rs", request="-")


@contextmanager
def worker() -> Iterator[subprocess.Popen[bytes]]:
    """A worker of the test database."""
    url = embedded.database_url(DATA_DIR).replace("/postgres?", f"/{connection.settings_dict['NAME']}?")
    _, *arguments = DEPLOYMENT["processes"]["worker"].split()
    # The tests' own settings would start one more PostgreSQL, which whoever is killed leaves behind.
    own = {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "jhe.settings"}
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, env={**os.environ, **own}, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_finished(job: BulkJob) -> bool:
    return BulkJob.objects.filter(pk=job.pk, finished__isnull=False, fault="").exists()


def test_a_second_worker_finishes_what_a_killed_one_began_with_every_reading_once(job: BulkJob) -> None:
    with worker() as process:
        wait_until(lambda: job.files.exists())
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not is_finished(job)
    with worker() as process:
        wait_until(lambda: is_finished(job))
        process.terminate()
        assert process.wait(15) == 0
    keys = [key for keys in job.files.values_list("keys", flat=True) for key in keys]
    assert len(keys) == READINGS
    assert len(set(keys)) == READINGS


def test_the_worker_comes_back_by_itself_when_postgresql_does(exchange: Exchange) -> None:
    command = [sys.executable, "manage.py", "dev_token", "manager_mary@example.com", "--resource", ""]
    printed = subprocess.run(command, cwd=ROOT, env=exchange.environment, stdout=subprocess.PIPE, check=True)
    headers = {"Authorization": f"Bearer {printed.stdout.decode().strip()}", "Prefer": "respond-async"}
    embedded.release(exchange.data_dir)
    embedded.ensure_running(exchange.data_dir)
    kicked_off = httpx2.get(f"{exchange.web_url}/FHIR/R5/Patient/$export", headers=headers)
    assert kicked_off.status_code == 202
    status = exchange.web_url + urlsplit(kicked_off.headers["Content-Location"]).path
    wait_until(lambda: httpx2.get(status, headers=headers).status_code == 200)
    manifest = httpx2.get(status, headers=headers).json()
    [file] = [file for file in manifest["output"] if file["type"] == "Patient"]
    assert len(httpx2.get(file["url"], headers=headers).text.splitlines()) == 2
