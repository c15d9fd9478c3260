"""Jobs in PostgreSQL: one worker at a time, none lost, none done twice."""

import signal
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django_tasks_db.models import DBTaskResult

from core.fhir.bulk import contents, export, tasks
from core.fhir.bulk.lock import sole_worker
from core.management.commands import worker
from core.models import BulkFile, BulkJob
from tests.bulk import work
from tests.factories import (
    CodeFactory,
    ConsentFactory,
    MembershipFactory,
    ObservationFactory,
    PatientFactory,
    StudyFactory,
)


@pytest.fixture
def job(db, monkeypatch):
    """An export of five observations, a file each."""
    monkeypatch.setattr(contents.Observations, "LINES", 1)
    study, code = StudyFactory(), CodeFactory()
    patient = PatientFactory(organizations=[study.organization])
    ConsentFactory(study=study, patient=patient, code=code)
    ObservationFactory.create_batch(5, patient=patient, code=code)
    viewer = MembershipFactory(organization=study.organization).practitioner.user
    return BulkJob.objects.create(kind="export", user=viewer, types=["Observation"], scopes="user/*.rs", request="-")


def exported_keys(job):
    return [key for keys in job.files.order_by("pk").values_list("keys", flat=True) for key in keys]


def is_finished(job):
    job.refresh_from_db()
    return job.finished is not None and not job.fault


def test_a_job_that_nobody_has_goes_into_the_queue_once(job):
    tasks.reconcile()
    tasks.reconcile()
    assert DBTaskResult.objects.ready().count() == 1
    work()
    assert is_finished(job)
    assert len(set(exported_keys(job))) == len(exported_keys(job)) == 5


def test_a_job_that_a_worker_holds_is_left_to_it(job):
    with sole_worker(job.pk) as held:
        assert held
        tasks.reconcile()
        assert not DBTaskResult.objects.exists()
        tasks.go_on.enqueue(job.pk)
        work()
        assert not BulkFile.objects.exists()
    tasks.reconcile()
    work()
    assert is_finished(job)


def test_a_job_is_free_again_when_the_connection_of_its_worker_ends(job):
    with sole_worker(job.pk), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s", [job.pk]
        )
        with sole_worker(job.pk) as ours:
            assert ours


def test_finished_and_expired_jobs_stay_out_of_the_queue(job):
    tasks.go_on.enqueue(job.pk)
    work()
    tasks.reconcile()
    assert not DBTaskResult.objects.ready().exists()


def test_two_workers_that_go_on_with_the_same_state_make_one_file_of_it(job):
    export.next_file(job)
    one, other = (BulkJob.objects.get(pk=job.pk) for _ in range(2))
    assert export.next_file(one)
    assert not export.next_file(other)
    assert job.files.count() == 1


def test_long_jobs_take_turns(job, monkeypatch):
    monkeypatch.setattr(tasks, "SECONDS_AT_A_TIME", 0)
    other = BulkJob.objects.get(pk=job.pk)
    other.pk = None
    other.save()
    tasks.go_on.enqueue(job.pk)
    tasks.go_on.enqueue(other.pk)
    work(tasks=6)
    assert [one.files.count() for one in (job, other)] == [2, 2]


def test_finished_tasks_are_forgotten_after_a_day(job):
    tasks.go_on.enqueue(job.pk)
    work()
    DBTaskResult.objects.update(enqueued_at="2026-01-01T00:00:00Z")
    tasks.go_on.enqueue(job.pk)
    tasks.expire()
    assert [task.status for task in DBTaskResult.objects.all()] == ["READY"]


@pytest.mark.django_db(transaction=True)
def test_the_worker_finds_what_was_left_and_does_it(job):
    call_command("worker", "--once")
    assert is_finished(job)
    assert len(exported_keys(job)) == 5


@pytest.mark.django_db(transaction=True)
def test_an_export_does_not_say_that_it_has_what_was_not_committed_yet(job):
    own = connection.copy()
    with own.cursor() as cursor:
        own.set_autocommit(False)
        cursor.execute("SELECT now()")
        [began] = cursor.fetchone()
        export.next_file(job)
        own.rollback()
    own.close()
    job.refresh_from_db()
    assert job.transaction_time == began
    tasks.go_on.enqueue(job.pk)


@pytest.fixture
def signals():
    """What the command does with signals is undone."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_the_worker_waits_for_a_database_that_does_not_answer_and_ends_when_it_is_told_to(monkeypatch, caplog, signals):
    seen = SimpleNamespace(answers=[OperationalError("away"), OperationalError("away"), None], naps=0)

    def answer(_due):
        if error := seen.answers.pop(0):
            raise error
        signal.raise_signal(signal.SIGTERM)

    def nap(_seconds):
        seen.naps += 1

    monkeypatch.setattr(worker, "_do_chores", answer)
    monkeypatch.setattr(worker.time, "sleep", nap)
    monkeypatch.setattr(worker.Command, "_do_tasks", lambda *_, **__: None)
    monkeypatch.setattr(worker.connection, "close", lambda: None)
    monkeypatch.setattr(worker, "_is_idle", lambda: True)
    call_command("worker")
    assert seen.naps == 2
    assert caplog.text.count("The database does not answer") == 2
