from django.db import models

from core.models.access import CatalogueQuerySet
from core.models.fhir_extra import FHIR_EXTRA
from core.models.versioned import Versioned


class DataSourceQuerySet(CatalogueQuerySet["DataSource"]):
    pass


class DataSource(Versioned):
    """What sends data: a device or a service (FHIR R5 Device)."""

    class Type(models.TextChoices):
        PERSONAL_DEVICE = "personal_device", "Personal device"
        DEVICE_GATEWAY = "device_gateway", "Device gateway"
        SERVICE = "service", "Service"
        FILE_IMPORT = "file_import", "File import"

    name = models.CharField(max_length=255)
    type = models.CharField(max_length=32, choices=Type, default=Type.PERSONAL_DEVICE)
    fhir_extra = models.JSONField(default=dict, blank=True, editable=False, help_text=FHIR_EXTRA)
    supported_scopes = models.ManyToManyField("core.CodeableConcept", through="DataSourceSupportedScope")

    objects = DataSourceQuerySet.as_manager()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name


class DataSourceSupportedScope(models.Model):
    data_source = models.ForeignKey(DataSource, models.CASCADE, related_name="scope_links")
    code = models.ForeignKey("core.CodeableConcept", models.PROTECT)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["data_source", "code"], name="data_source_scope_once")]

    def __str__(self) -> str:
        return f"{self.data_source}: {self.code}"
