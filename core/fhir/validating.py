"""`$validate`: what would become of a resource, and nothing does (FHIR R5 resource-operation-validate.html)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

from core.actions.audit import watch
from core.fhir import writing
from core.fhir.errors import InvalidResource, Issue, Resource, operation_outcome, status_and_issues
from core.fhir.observation_parse import parse
from core.fhir.registry import type_named
from core.fhir.structure import check_structure
from core.open_mhealth import check_data_point
from core.policy.errors import DomainError
from core.policy.principal import Principal

MODES = ("", "create", "update", "delete")
FINE = Issue("success", "Nothing is wrong with it.", severity="success")


@dataclass(frozen=True, slots=True)
class Validation:
    """Without a mode the resource is looked at alone; with one, the interaction is carried out and taken back."""

    type_name: str
    id_: str
    mode: str
    resource: Any

    @classmethod
    def of(cls, type_name: str, id_: str, sent: Any, mode: str) -> "Validation":
        """From what was sent: the resource itself, or Parameters with it. Raises InvalidResource."""
        resource = sent
        if isinstance(sent, dict) and sent.get("resourceType") == "Parameters":
            check_structure(sent, "Parameters")
            given = {parameter.get("name"): parameter for parameter in sent.get("parameter", [])}
            resource = given.get("resource", {}).get("resource")
            mode = given.get("mode", {}).get("valueCode", mode)
        if mode not in MODES:
            raise InvalidResource(Issue("value", "mode must be create, update or delete.", "mode"))
        if mode in ("update", "delete") and not id_:
            sentence = f"mode {mode} is about one resource: post to [type]/[id]/$validate."
            raise InvalidResource(Issue("value", sentence, "mode"))
        return cls(type_named(type_name).name, id_, mode, resource)

    def outcome(self, principal: Principal) -> Resource:
        """An OperationOutcome: every fault that was found, or that there is none."""
        try:
            if self.mode:
                self._try(principal)
            else:
                self._look()
        except DomainError as error:
            return operation_outcome(*status_and_issues(error)[1])
        return operation_outcome(FINE)

    def _look(self) -> None:
        check_structure(self.resource, self.type_name)
        if self.type_name == "Observation":
            upload = parse(self.resource, is_checked=True)
            check_data_point(upload.coding_code, upload.data_point, now=datetime.now(UTC))

    def _try(self, principal: Principal) -> None:
        with watch(), transaction.atomic():  # its audit row is taken back too; the door leaves one of $validate
            match self.mode:
                case "create":
                    writing.create(principal, self.type_name, self.resource)
                case "update":
                    writing.update(principal, self.type_name, self.id_, self.resource)
                case "delete":
                    writing.delete(principal, self.type_name, self.id_)
            connection.check_constraints()  # those that wait for the commit
            transaction.set_rollback(True)
