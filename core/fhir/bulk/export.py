"""Carries out an export, a file at a time. What a file holds and that it is done are kept in one transaction."""

from django.db import connection, transaction

from core.actions.bulk import finish
from core.fhir.bulk.contents import contents_of
from core.fhir.bulk.job import moved, principal_of
from core.models import BulkFile, BulkJob
from core.sql import statement

_TRANSACTION_TIME = statement("transaction_time")
BEFORE_ALL = -1
"""The organization above all others has the key 0."""


def next_file(job: BulkJob) -> bool:
    """Make the next file, or come to the end; false when nothing is left to do.

    `position` is {type, after, number, upto: {type: key}}: the type that is being exported, the last row that is in a
    file, how many files the type has, and the last row of each type that there was at the beginning.
    """
    if job.transaction_time is None:
        return _begin(job)
    if job.position["type"] == len(job.types):
        finish(door="fhir", job=job)
        return False
    type_name, principal = job.types[job.position["type"]], principal_of(job)
    before, upto = job.position, job.position["upto"][type_name]
    file = contents_of(type_name).next_file(principal, job, after=before["after"], upto=upto)
    if file is None:
        return moved(job, {**before, "type": before["type"] + 1, "after": BEFORE_ALL, "number": 0})
    file.job, file.part, file.resource_type = job, BulkFile.Part.OUTPUT, type_name
    file.number, file.count = before["number"] + 1, len(file.keys)
    with transaction.atomic():
        if not moved(job, {**before, "after": file.keys[-1], "number": file.number}):
            return False
        file.save()
    return True


def _begin(job: BulkJob) -> bool:
    """The time is taken before the last rows are: what says it is not younger is among them."""
    principal = principal_of(job)
    with connection.cursor() as cursor:
        cursor.execute(_TRANSACTION_TIME)
        [job.transaction_time] = cursor.fetchone()
    upto = {type_name: contents_of(type_name).newest_key(principal) for type_name in job.types}
    return moved(
        job, {"type": 0, "after": BEFORE_ALL, "number": 0, "upto": upto}, transaction_time=job.transaction_time
    )
