"""Studies: what they are, what they ask for, and what may send data for them. Who takes part is in enrolment.py."""

from collections.abc import Mapping
from typing import Any

from core.actions.acting import acting, record_write
from core.actions.consents import record_end_of_scopes
from core.models import (
    CodeableConcept,
    ConsentHistory,
    DataSource,
    Organization,
    Study,
    StudyClient,
    StudyDataSource,
    StudyScopeRequest,
)
from core.policy.errors import Conflict
from core.policy.principal import Principal


def create_study(
    *, actor: Principal, door: str, organization: Organization, name: str, description: str = "", icon_url: str = ""
) -> Study:
    """A new study of an organization, which the caller has fetched with STUDY_MANAGE."""
    with acting(actor, door=door):
        return Study.objects.create(name=name, description=description, icon_url=icon_url, organization=organization)


def update_study(*, actor: Principal, door: str, study: Study, changes: Mapping[str, object]) -> Study:
    """Change columns of a study; `organization` moves it.

    The caller has fetched the study, and where it is to go, with STUDY_MANAGE. A study moves only to an organization
    that all of its patients belong to: a database rule refuses the rest. Others then read the patients' data, so a move
    names them in the audit trail.
    """
    with acting(actor, door=door):
        moves = "organization" in changes and changes["organization"] != study.organization
        for name, value in changes.items():
            setattr(study, name, value)
        study.save(update_fields=list(changes))
        if moves:
            patient_ids = sorted(study.enrolments.values_list("patient_id", flat=True))
            record_write(actor, door=door, action="move_study", study_id=study.pk, patient_ids=patient_ids)
        return study


def delete_study(*, actor: Principal, door: str, study: Study) -> None:
    """Delete a study that nobody ever took part in. The caller has fetched it with STUDY_MANAGE.

    Raises Conflict otherwise: consents and their history name it.
    """
    with acting(actor, door=door):
        # The lock: nobody is enrolled between the question and the end.
        locked = Study.objects.select_for_update().get(pk=study.pk)
        if locked.enrolments.exists() or ConsentHistory.objects.filter(study_id=locked.pk).exists():
            raise Conflict(f"Study {locked.pk} has or had patients, and their consent history names it: it stays.")
        locked.delete()


def request_scope(*, actor: Principal, door: str, study: Study, code: CodeableConcept) -> StudyScopeRequest:
    """Ask a study's patients for a kind of data, unless it does already. The caller has STUDY_MANAGE on it.

    Nobody has answered yet: no data is read before somebody says yes.
    """
    with acting(actor, door=door):
        return StudyScopeRequest.objects.get_or_create(study=study, code=code)[0]


def end_scope_request(*, actor: Principal, door: str, study: Study, code_id: int) -> bool:
    """Ask no more for a kind of data, which ends every consent to it; false if the study did not ask for it."""
    with acting(actor, door=door):
        requests = StudyScopeRequest.objects.filter(study=study, code_id=code_id)
        record_end_of_scopes(actor=actor, scope_request_ids=requests.values_list("pk", flat=True), door=door)
        ended, _ = requests.delete()
        return ended > 0


def add_data_source(*, actor: Principal, door: str, study: Study, data_source: DataSource) -> None:
    """The caller has STUDY_MANAGE on the study, here and below."""
    with acting(actor, door=door):
        StudyDataSource.objects.get_or_create(study=study, data_source=data_source)


def remove_data_source(*, actor: Principal, door: str, study: Study, data_source_id: int) -> bool:
    """False if the study did not have it."""
    with acting(actor, door=door):
        return StudyDataSource.objects.filter(study=study, data_source_id=data_source_id).delete()[0] > 0


def add_client(*, actor: Principal, door: str, study: Study, client: Any) -> StudyClient:
    """Let an OAuth client (django-oauth-toolkit's Application) send data for the study, unless it may already."""
    with acting(actor, door=door):
        return StudyClient.objects.get_or_create(study=study, client=client)[0]


def remove_client(*, actor: Principal, door: str, study: Study, client_pk: int) -> bool:
    """False if it might not."""
    with acting(actor, door=door):
        return StudyClient.objects.filter(study=study, client_id=client_pk).delete()[0] > 0
