"""The worker: does jobs and chores until it is told to end. Any number of them can run."""

import logging
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.core.management.base import BaseCommand, CommandParser
from django.db import InterfaceError, OperationalError, connection
from django_tasks import DEFAULT_TASK_BACKEND_ALIAS, DEFAULT_TASK_QUEUE_NAME
from django_tasks_db.management.commands.db_worker import Worker
from django_tasks_db.models import DBTaskResult

from core.actions.mcp_tokens import sweep_tokens
from core.actions.registrations import forget_unused_clients
from core.actions.sealing import seal_audit
from core.actions.signing_keys import prune as prune_signing_keys
from core.actions.sweeping import forget_expired
from core.fhir.bulk.tasks import expire, reconcile

logger = logging.getLogger(__name__)

CHORES: tuple[tuple[Callable[[], object], timedelta], ...] = (
    (reconcile, timedelta(seconds=30)),
    (expire, timedelta(minutes=10)),
    (seal_audit, timedelta(minutes=5)),
    (prune_signing_keys, timedelta(hours=1)),
    (forget_unused_clients, timedelta(hours=1)),
    (sweep_tokens, timedelta(hours=1)),
    (forget_expired, timedelta(hours=1)),
)
"""What is done again and again: first when the worker starts. Two workers that do one at a time do no harm."""
SECONDS_BETWEEN_LOOKS = 1.0
TASKS_BETWEEN_CHORES = 10


class Command(BaseCommand):
    help = "Do bulk jobs and chores until told to end (SIGTERM, Ctrl-C)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="do what is due now, and end")

    def handle(self, *, once: bool, **_: Any) -> None:
        self._ends = once
        self._queue: Worker | None = None
        if not once:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._end)
        due = dict.fromkeys((chore for chore, _ in CHORES), 0.0)
        while True:
            try:
                _do_chores(due)
                self._do_tasks(at_most=None if once else TASKS_BETWEEN_CHORES)
                is_idle = _is_idle()
            except (OperationalError, InterfaceError) as error:
                logger.warning("The database does not answer (%s): looking again.", type(error).__name__)
                connection.close()
                is_idle = True
            if self._ends:
                return
            if is_idle:
                time.sleep(SECONDS_BETWEEN_LOOKS)

    def _do_tasks(self, *, at_most: int | None) -> None:
        """What is in the queue; `_end` lets it finish the task that it is at, which takes some seconds."""
        self._queue = Worker(
            queue_names=[DEFAULT_TASK_QUEUE_NAME],
            excluded_queue_names=[],
            backend_name=DEFAULT_TASK_BACKEND_ALIAS,
            batch=True,
            interval=0,
            startup_delay=False,
            max_tasks=at_most,
            worker_id=uuid4().hex,
        )
        self._queue.run()

    def _end(self, *_: object) -> None:
        self._ends = True
        if self._queue:
            self._queue.running = False


def _do_chores(due: dict[Callable[[], object], float]) -> None:
    for chore, every in CHORES:
        if time.monotonic() >= due[chore]:
            chore()
            due[chore] = time.monotonic() + every.total_seconds()


def _is_idle() -> bool:
    return not DBTaskResult.objects.ready().exists()
