"""Bulk jobs, as a client asks for them and a worker does them."""

import json
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpResponse
from django.test import Client
from django_tasks_db.management.commands.db_worker import Worker
from django_tasks_db.models import DBTaskResult

ASYNC = {"Prefer": "respond-async"}


def kick_off(client: Client, path: str, query: dict[str, Any] | None = None) -> str:
    """The path of the status of a new export."""
    answer = client.get(f"/FHIR/R5/{path}", query or {}, headers=ASYNC)
    assert answer.status_code == 202, answer.content
    return urlsplit(answer["Content-Location"]).path


def work(*, tasks: int | None = None) -> None:
    """What a worker does with its queue, or the first `tasks` of it. In a test's own transaction: the library's loop
    around it would begin with a connection of its own."""
    worker = Worker(
        queue_names=["default"],
        excluded_queue_names=[],
        backend_name="default",
        batch=True,
        interval=0,
        startup_delay=False,
        max_tasks=None,
        worker_id="tests",
    )
    done = 0
    while (task := DBTaskResult.objects.ready().first()) and done != tasks:
        task.claim("tests")
        worker.run_task(task)
        done += 1


def exported(client: Client, path: str, query: dict[str, Any] | None = None) -> dict[str, list[dict[str, Any]]]:
    """The resources of a whole export, by type."""
    status = kick_off(client, path, query)
    work()
    return fetched(client, client.get(status))


def fetched(client: Client, answer: HttpResponse) -> dict[str, list[dict[str, Any]]]:
    """The resources in the output files of a manifest, by type."""
    assert answer.status_code == 200, answer.content
    found: dict[str, list[dict[str, Any]]] = {}
    for file in json.loads(answer.content)["output"]:
        found.setdefault(file["type"], []).extend(lines(client.get(urlsplit(file["url"]).path)))
    return found


def lines(answer: HttpResponse) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "application/fhir+ndjson"
    return [json.loads(line) for line in answer.content.splitlines()]
