"""The one way in for observations, single or many, from every door and import."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import connection, transaction

from core.models import Observation
from core.open_mhealth import TimeFrame, effective_time, scalar
from core.policy.errors import InvalidInput
from core.policy.principal import Principal
from core.sql import statement

_RECORD = statement("record_observations")
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


@dataclass(frozen=True, slots=True)
class NewObservation:
    """A data point to record. `code` is the coding's code (`omh:blood-glucose:4.0`), `code_id` its row.

    `identifiers` are (system, value) pairs; what comes again under one of them is not recorded twice. `time` and `text`
    are when the data point holds and its JSON, where these are known; `fhir_extra` is what else came over FHIR.
    """

    patient_id: int
    code_id: int
    code: str
    data_point: Mapping[str, Any]
    identifiers: tuple[tuple[str, str], ...] = ()
    data_source_id: int | None = None
    status: str = Observation.Status.FINAL
    time: TimeFrame | None = None
    text: str = ""
    fhir_extra: Mapping[str, Any] | None = None


def record_observations(
    *, actor: Principal | None, door: str, activity: str, observations: Sequence[NewObservation]
) -> dict[int, int]:
    """Record a batch in one statement: all of it, or on an error nothing.

    Returns {place in the batch: id} of what was recorded; a place that is missing was known already. The recorded
    have one `Ingest` in common, which keeps who sent them (`actor`, None for a command on the machine itself) and how.
    Whether the sender may write, whether the patient consents, and whether the data points are valid, is the caller's
    question (core/actions/ingest.py asks all of them). Raises InvalidInput for a time that cannot be.
    """
    if not observations:
        return {}
    with transaction.atomic(), connection.cursor() as cursor:
        sender = {
            "user_id": actor.user_id if actor else None,
            "client_id": actor.client_id if actor else "",
            "door": door,
            "activity": activity,
        }
        cursor.execute(_RECORD, {**sender, **_columns(observations)})
        rows = cursor.fetchall()
        half_claimed = [id_ for id_, _, is_recorded in rows if not is_recorded]
        if half_claimed:
            cursor.execute("DELETE FROM core_observationidentifier WHERE observation_id = ANY(%s)", [half_claimed])
    return {place: id_ for id_, place, is_recorded in rows if is_recorded}


def _columns(observations: Sequence[NewObservation]) -> dict[str, list[Any]]:
    times = [o.time or effective_time(o.data_point) for o in observations]
    quantities = [scalar(o.code, o.data_point["body"]) for o in observations]
    # One observation may name an identifier twice; it is one claim.
    identifiers = [sorted(set(o.identifiers)) for o in observations]
    flat = [(place, *pair) for place, pairs in enumerate(identifiers, start=1) for pair in pairs]
    return {
        "patient_ids": [o.patient_id for o in observations],
        "code_ids": [o.code_id for o in observations],
        "data_source_ids": [o.data_source_id for o in observations],
        "statuses": [str(o.status) for o in observations],
        "starts": [t.start for t in times],
        "ends": [t.end for t in times],
        "offsets": [t.utc_offset_minutes for t in times],
        "values": [q.value if q else None for q in quantities],
        "units": [q.unit if q else "" for q in quantities],
        "data": [o.text or json_text(o.data_point) for o in observations],
        "extras": [json_text(o.fhir_extra) if o.fhir_extra else None for o in observations],
        "identifier_counts": [len(pairs) for pairs in identifiers],
        "identifier_places": [place for place, _, _ in flat],
        "systems": [system for _, system, _ in flat],
        "identifiers": [value for _, _, value in flat],
    }


def json_text(value: Mapping[str, Any]) -> str:
    """As jsonb takes it. Raises InvalidInput for what JSON can say and the database cannot keep."""
    try:
        text = orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise InvalidInput("A number is too large, or a text is no Unicode.") from error
    if "\\u0000" in text and _NUL.search(text):
        raise InvalidInput("A text has the character NUL (U+0000), which cannot be kept.")
    return text
