"""Which part of the audit trail somebody reads."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from django.db import models

from core.models.access import Access
from core.policy.permissions import Permission
from core.policy.principal import Principal
from core.policy.roles import SELF


class AuditAccess(Access):
    patient_id = models.BigIntegerField(null=True)
    study_id = models.BigIntegerField(null=True)
    actor_id = models.BigIntegerField(null=True)

    class Meta:
        managed = False
        db_table = "access_audit"


class AuditWithin(models.Model):
    """The studies that are left to who is narrowed to some, for the audit trail; one row without a study for none.

    A view, which has no key of its own.
    """

    user_id = models.BigIntegerField(primary_key=True)
    study_id = models.BigIntegerField(null=True)

    class Meta:
        managed = False
        db_table = "access_audit_within"

    def __str__(self) -> str:
        return f"User {self.user_id} within study {self.study_id}"


@dataclass(frozen=True, slots=True)
class AuditReach:
    """What `access_audit` says about one reader at this moment.

    The ids are looked up first, in a query of their own, because PostgreSQL plans a search of millions of events well
    only when it sees which patients are meant.
    """

    everything: bool
    actor_ids: frozenset[int]
    """The reader, whose own events these are; nobody when the account is closed."""
    patient_ids: frozenset[int]
    managed_ids: frozenset[int]
    """The patients that are not the reader: those of the organizations that they manage."""
    study_ids: frozenset[int]
    within_ids: frozenset[int] | None
    """The studies of whose events alone all of this holds, for who is narrowed to some; None: of every event."""

    @classmethod
    def of(cls, principal: Principal) -> Self:
        within = _within(principal)  # first: where a narrowing ends meanwhile, nothing is found after it
        rows = list(
            AuditAccess.granting(principal, Permission.ACCESS_LOG_READ).values_list(
                "role", "patient_id", "study_id", "actor_id"
            )
        )
        return cls(
            everything=any(row[1:] == (None, None, None) for row in rows),
            patient_ids=frozenset(patient for _, patient, _, _ in rows if patient is not None),
            managed_ids=frozenset(patient for role, patient, _, _ in rows if patient is not None and role != SELF.code),
            study_ids=frozenset(study for _, _, study, _ in rows if study is not None),
            actor_ids=frozenset(actor for _, _, _, actor in rows if actor is not None),
            within_ids=within,
        )

    def is_managed(self, patient_ids: Iterable[int], study_id: int | None) -> bool:
        """Whether an event with these patients and this study is one that the reader watches over as a manager."""
        return study_id in self.study_ids or not self.managed_ids.isdisjoint(patient_ids)


def _within(principal: Principal) -> frozenset[int] | None:
    if principal.narrowing_id is None:
        return None
    rows = list(AuditWithin.objects.filter(user_id=principal.caller_id).values_list("study_id", flat=True))
    return frozenset(study for study in rows if study is not None) if rows else None
