from django.db import models

from core.models.access import CatalogueQuerySet

OPEN_MHEALTH = "https://w3id.org/openmhealth"
IEEE_1752 = "https://w3id.org/ieee1752"


class CodeQuerySet(CatalogueQuerySet["CodeableConcept"]):
    pass


class CodeableConcept(models.Model):
    """One kind of data: the vocabulary of scopes that studies request and patients consent to."""

    coding_system = models.CharField(max_length=255)
    coding_code = models.CharField(max_length=255)
    text = models.CharField(max_length=255)

    objects = CodeQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["coding_system", "coding_code"], name="code_unique_in_system")]

    def __str__(self) -> str:
        return self.text

    def is_named(self, system: str | None, code: str) -> bool:
        """As FHIR's search names it; no system is any. Codes of IEEE 1752.1 are also known by Open mHealth's system."""
        systems = (self.coding_system, OPEN_MHEALTH) if self.coding_system == IEEE_1752 else (self.coding_system,)
        return (system is None or system in systems) and code == self.coding_code
