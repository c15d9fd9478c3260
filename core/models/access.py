"""The access views of core/sql, for querysets. Read-only, and the only way that Django learns who reaches a row."""

from typing import Self, TypeVar

from django.db import models
from django.db.models import Exists, OuterRef

from core.policy.permissions import Permission
from core.policy.principal import Principal
from core.policy.roles import roles_for

M = TypeVar("M", bound=models.Model, covariant=True)


class AccessQuerySet(models.QuerySet["models.Model"]):
    def granting(self, principal: Principal, permission: Permission) -> "AccessQuerySet":
        """The rows on which this caller has this permission: the one line where policy and views meet."""
        return self.filter(user_id=principal.caller_id, role__in=roles_for(principal, permission))


class Access(models.Model):
    """What every access view has: `user_id` is a caller, a person's id or a narrowing's.

    Views have no key of their own: never fetch one by primary key.
    """

    user_id = models.BigIntegerField(primary_key=True)
    role = models.TextField()

    objects = AccessQuerySet.as_manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"User {self.user_id} as {self.role}"

    @classmethod
    def reaching(cls, principal: Principal, permission: Permission, **outer: str) -> Exists:
        """`EXISTS` (never a join, which repeats a row for a person with two roles).

        `outer` maps the view's column to the field of the queryset that is filtered: `study_id="pk"`.
        """
        columns = {column: OuterRef(field) for column, field in outer.items()}
        return Exists(cls.objects.granting(principal, permission).filter(**columns))


class OrganizationAccess(Access):
    organization_id = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "access_organization"


class StudyAccess(Access):
    study_id = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "access_study"


class PatientAccess(Access):
    patient_id = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "access_patient"


class EnrolmentAccess(Access):
    """Who may know that a patient takes part in a study, and with it what they answered."""

    study_id = models.BigIntegerField()
    patient_id = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "access_enrolment"


class PractitionerAccess(Access):
    practitioner_id = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "access_practitioner"


class CatalogueAccess(Access):
    """What is the same for everybody: the kinds of data, and what sends them."""

    class Meta:
        managed = False
        db_table = "access_catalogue"


class CatalogueQuerySet(models.QuerySet[M]):
    def visible_to(self, principal: Principal, permission: Permission = Permission.CATALOGUE_READ) -> Self:
        return self.filter(CatalogueAccess.reaching(principal, permission))


class ObservationAccess(Access):
    patient_id = models.BigIntegerField()
    study_id = models.BigIntegerField(null=True)
    code_id = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "access_observation"


class DeletedAccess(Access):
    resource_type = models.TextField()
    resource_id = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "access_deleted"
