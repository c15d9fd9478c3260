"""Every type of resource that the exchange serves. CapabilityStatement, routes and references all come from here."""

from core.fhir.resource import ResourceType
from core.fhir.resources.audit_event import AuditEventType
from core.fhir.resources.consent import ConsentType
from core.fhir.resources.device import DeviceType
from core.fhir.resources.observation import ObservationType
from core.fhir.resources.organization import OrganizationType
from core.fhir.resources.patient import PatientType
from core.fhir.resources.practitioner import PractitionerRoleType, PractitionerType
from core.fhir.resources.provenance import ProvenanceType
from core.fhir.resources.study import GroupType, ResearchStudyType
from core.fhir.writes.consent import ConsentWriter
from core.fhir.writes.device import DeviceWriter
from core.fhir.writes.observation import ObservationWriter
from core.fhir.writes.organization import OrganizationWriter
from core.fhir.writes.patient import PatientWriter
from core.fhir.writes.practitioner import PractitionerRoleWriter, PractitionerWriter
from core.fhir.writes.study import GroupWriter, ResearchStudyWriter
from core.fhir.writes.writer import Writer
from core.policy.errors import NotVisible

TYPES: dict[str, ResourceType] = {
    type_.name: type_
    for type_ in (
        AuditEventType(),
        ConsentType(),
        DeviceType(),
        GroupType(),
        ObservationType(),
        OrganizationType(),
        PatientType(),
        PractitionerRoleType(),
        PractitionerType(),
        ProvenanceType(),
        ResearchStudyType(),
    )
}

WRITERS: dict[str, Writer] = {
    writer.name: writer
    for writer in (
        ConsentWriter(),
        DeviceWriter(),
        GroupWriter(),
        ObservationWriter(),
        OrganizationWriter(),
        PatientWriter(),
        PractitionerRoleWriter(),
        PractitionerWriter(),
        ResearchStudyWriter(),
    )
}
"""What can be created, changed and deleted over FHIR, where the role allows."""


def type_named(name: str) -> ResourceType:
    """Raises NotVisible for a type that is not served."""
    try:
        return TYPES[name]
    except KeyError:
        raise NotVisible(f"There is no resource type {name[:64]} here: see /FHIR/R5/metadata.") from None
