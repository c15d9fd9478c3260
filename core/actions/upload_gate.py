"""Who may send which observations: decided for all that is sent at a time in one query, by core/policy and the access
views alone."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection

from core.models.code import IEEE_1752, OPEN_MHEALTH
from core.policy.checks import no_such
from core.policy.errors import DomainError, InsufficientScope, InvalidInput, NotVisible, PermissionDenied
from core.policy.permissions import Permission
from core.policy.principal import Principal
from core.policy.roles import roles_for
from core.policy.scopes import Interaction, context_of
from core.policy.views import for_caller
from core.sql import statement

_GATE = statement("observations_gate")


class Sending(NamedTuple):
    """A kind of observation of a patient, from a device or none."""

    patient_id: int
    coding_system: str
    coding_code: str
    data_source_id: int | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an observation is not recorded. `element` is the place in a FHIR Observation: `subject`, `code`, …"""

    error: DomainError
    element: str


class _Answer(NamedTuple):
    place: int
    code_id: int | None
    patient_is_visible: bool
    role_allows: bool
    scope_covers: bool
    is_consented: bool
    device_sends_this: bool
    device_is_the_studys: bool


def ask(
    actor: Principal, sendings: Collection[Sending], *, interaction: Interaction = "c"
) -> dict[Sending, int | Refusal]:
    """For each the id of its kind (CodeableConcept), or why `actor` may not send it: a new one, or a changed one ("u").

    Patients send their own, and those whose role in a study's organization includes it, only with the patient's consent
    to the kind in that study. Codes of IEEE 1752.1 are also known by Open mHealth's system.
    """
    asked = list(sendings)
    given: dict[str, Any] = {
        "user_id": actor.caller_id,
        "letter": interaction,
        "may_write": roles_for(actor, Permission.OBSERVATION_WRITE),
        "may_read_patient": roles_for(actor, Permission.PATIENT_READ),
        "patient_ids": [sending.patient_id for sending in asked],
        "systems": [_system(sending) for sending in asked],
        "codes": [sending.coding_code for sending in asked],
        "data_source_ids": [sending.data_source_id for sending in asked],
    }
    with connection.cursor() as cursor:
        cursor.execute(for_caller(_GATE, actor), given)
        answers = map(_Answer._make, cursor.fetchall())
    scope = f"{context_of(actor)}/Observation.{interaction}"
    return {asked[answer.place]: _verdict(asked[answer.place], answer, scope) for answer in answers}


def _system(sending: Sending) -> str:
    if sending.coding_system == OPEN_MHEALTH and sending.coding_code.startswith("ieee:"):
        return IEEE_1752
    return sending.coding_system


def _verdict(sending: Sending, answer: _Answer, scope: str) -> int | Refusal:
    patient, device = f"Patient {sending.patient_id}", f"Device {sending.data_source_id}"
    if answer.code_id is None:
        return Refusal(InvalidInput("The code is none of the kinds of data that are exchanged here."), "code.coding[0]")
    if not answer.patient_is_visible:
        return Refusal(NotVisible(no_such("Patient", sending.patient_id)), "subject")
    if not answer.role_allows:
        return Refusal(PermissionDenied(f"Your role does not include sending data of {patient}."), "subject")
    if not answer.scope_covers:
        asked = f"{scope}?code={_system(sending)}|{sending.coding_code}"
        return Refusal(InsufficientScope(asked), "code")
    if not answer.is_consented:
        sentence = f"{patient} has not consented to this kind of data in a study that you may send for."
        return Refusal(PermissionDenied(sentence), "code")
    if not answer.device_sends_this:
        return Refusal(InvalidInput(f"There is no {device} that sends this kind of data."), "device")
    if not answer.device_is_the_studys:
        sentence = f"{device} is none of those that the studies take this kind of data from."
        return Refusal(InvalidInput(sentence), "device")
    return answer.code_id
