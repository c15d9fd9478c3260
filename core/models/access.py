"""The access views of core/sql, for querysets. Read-only, and the only way that Django learns who reaches a row."""

from typing import Any, ClassVar, Self, TypeVar

from django.db import models
from django.db.models import Exists, OuterRef

from core.policy.permissions import Permission
from core.policy.principal import Principal
from core.policy.roles import roles_for

M = TypeVar("M", bound=models.Model, covariant=True)


class Access(models.Model):
    """What every access view has: `user_id` is a caller, a person's id or a narrowing's.

    Views have no key of their own: never fetch one by primary key.
    """

    user_id = models.BigIntegerField(primary_key=True)
    role = models.TextField()

    of_persons: ClassVar["type[Access] | None"] = None
    """The same for persons alone, which takes PostgreSQL half the time to plan."""

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"User {self.user_id} as {self.role}"

    @classmethod
    def of(cls, principal: Principal) -> "models.QuerySet[Any]":
        """The rows of this caller, whatever they are in them."""
        view = cls if principal.narrowing_id is not None else cls.of_persons or cls
        return view._default_manager.filter(user_id=principal.caller_id)

    @classmethod
    def granting(cls, principal: Principal, permission: Permission) -> "models.QuerySet[Any]":
        """The rows on which this caller has this permission: the one line where policy and views meet."""
        return cls.of(principal).filter(role__in=roles_for(principal, permission))

    @classmethod
    def reaching(cls, principal: Principal, permission: Permission, **outer: str) -> Exists:
        """`EXISTS` (never a join, which repeats a row for a person with two roles).

        `outer` maps the view's column to the field of the queryset that is filtered: `study_id="pk"`.
        """
        columns = {column: OuterRef(field) for column, field in outer.items()}
        return Exists(cls.granting(principal, permission).filter(**columns))


class PersonOrganizationAccess(Access):
    organization_id = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "person_organization"


class OrganizationAccess(Access):
    organization_id = models.BigIntegerField()
    of_persons = PersonOrganizationAccess

    class Meta:
        managed = False
        db_table = "access_organization"


class PersonStudyAccess(Access):
    study_id = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "person_study"


class StudyAccess(Access):
    study_id = models.BigIntegerField()
    of_persons = PersonStudyAccess

    class Meta:
        managed = False
        db_table = "access_study"


class PersonPatientAccess(Access):
    patient_id = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "person_patient"


class PatientAccess(Access):
    patient_id = models.BigIntegerField()
    of_persons = PersonPatientAccess

    class Meta:
        managed = False
        db_table = "access_patient"


class PersonEnrolmentAccess(Access):
    study_id = models.BigIntegerField()
    patient_id = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "person_enrolment"


class EnrolmentAccess(Access):
    """Who may know that a patient takes part in a study, and with it what they answered."""

    study_id = models.BigIntegerField()
    patient_id = models.BigIntegerField()
    of_persons = PersonEnrolmentAccess

    class Meta:
        managed = False
        db_table = "access_enrolment"


class PersonObservationAccess(Access):
    patient_id = models.BigIntegerField()
    study_id = models.BigIntegerField(null=True)
    code_id = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "person_observation"


class ObservationAccess(Access):
    patient_id = models.BigIntegerField()
    study_id = models.BigIntegerField(null=True)
    code_id = models.BigIntegerField()
    of_persons = PersonObservationAccess

    class Meta:
        managed = False
        db_table = "access_observation"


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


class DeletedAccess(Access):
    resource_type = models.TextField()
    resource_id = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "access_deleted"
