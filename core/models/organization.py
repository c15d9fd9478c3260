from typing import Self

from django.db import models
from django.db.models import Case, OuterRef, Subquery, When

from core.models.access import OrganizationAccess
from core.models.fhir_extra import FHIR_EXTRA
from core.models.versioned import Versioned
from core.policy.permissions import Permission
from core.policy.principal import Principal
from core.policy.roles import NAMED, SUPERUSER

ROOT_ID = 0
"""The organization above all others, made by the seed; the only one whose id is fixed."""


class OrganizationQuerySet(models.QuerySet["Organization"]):
    def visible_to(self, principal: Principal, permission: Permission = Permission.ORGANIZATION_READ) -> Self:
        return self.filter(OrganizationAccess.reaching(principal, permission, organization_id="pk"))

    def with_role_of(self, principal: Principal) -> Self:
        """Each with `current_user_role`: the person's role in it, `superuser` before any other; None without one."""
        held = OrganizationAccess.of(principal).filter(organization_id=OuterRef("pk"))
        strongest = held.order_by(
            Case(When(role=SUPERUSER.code, then=0), When(role=NAMED.code, then=2), default=1)
        ).values("role")[:1]
        return self.annotate(current_user_role=Subquery(strongest))


class Organization(Versioned):
    """FHIR R5 Organization. `part_of` makes a tree; a trigger refuses a loop."""

    class Type(models.TextChoices):
        """http://terminology.hl7.org/CodeSystem/organization-type, and what studies need beside it."""

        ROOT = "root", "ROOT"
        PROVIDER = "prov", "Healthcare Provider"
        DEPARTMENT = "dept", "Hospital Department"
        TEAM = "team", "Organizational team"
        GOVERNMENT = "govt", "Government"
        INSURANCE = "ins", "Insurance Company"
        PAYER = "pay", "Payer"
        EDUCATION = "edu", "Educational Institute"
        RELIGIOUS = "reli", "Religious Institution"
        RESEARCH_SPONSOR = "crs", "Clinical Research Sponsor"
        COMMUNITY = "cg", "Community Group"
        BUSINESS = "bus", "Non-Healthcare Business or Corporation"
        OTHER = "other", "Other"
        LABORATORY = "laboratory", "Laboratory"
        IMAGING = "imaging", "Imaging Center"
        PHARMACY = "pharmacy", "Pharmacy"
        NETWORK = "health-information-network", "Health Information Network"
        AGGREGATOR = "health-data-aggregator", "Health Data Aggregator"

    name = models.CharField(max_length=255)
    type = models.CharField(max_length=32, choices=Type)
    part_of = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    fhir_extra = models.JSONField(default=dict, blank=True, editable=False, help_text=FHIR_EXTRA)

    objects = OrganizationQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=~models.Q(part_of=models.F("id")), name="organization_not_part_of_itself"),
        ]

    def __str__(self) -> str:
        return self.name
