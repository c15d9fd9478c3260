from core.models.access import (
    CatalogueAccess,
    EnrolmentAccess,
    ObservationAccess,
    OrganizationAccess,
    PatientAccess,
    PractitionerAccess,
    StudyAccess,
)
from core.models.audit import AuditEvent, AuditSeal
from core.models.audit_reach import AuditAccess, AuditReach, AuditWithin
from core.models.bulk import BulkFile, BulkJob
from core.models.client import Client, ClientAccess, OrganizationClient, PractitionerClient, ResourceServer
from core.models.client_consent import ClientConsent, ConsentedToken, DeviceRequest
from core.models.code import CodeableConcept
from core.models.consent import ConsentHistory, StudyPatientScopeConsent
from core.models.data_source import DataSource, DataSourceSupportedScope
from core.models.federation import FederatedIdentity, UsedAssertion
from core.models.history import ResourceHistory
from core.models.ingest import Ingest
from core.models.invitation import PatientInvitation
from core.models.mcp_token import McpToken, McpTokenAccess
from core.models.narrowing import Narrowing, NarrowingCode, NarrowingOrganization, NarrowingStudy
from core.models.observation import Observation, ObservationIdentifier
from core.models.organization import Organization
from core.models.patient import Patient, PatientIdentifier, PatientOrganization
from core.models.peer import Peer, PeerAccess, PeerLogin, PeerOrganization
from core.models.practitioner import Practitioner, PractitionerOrganization
from core.models.setting import Setting
from core.models.sign_up import SignUp, SignUpCode
from core.models.signing_key import SigningKey
from core.models.study import Study, StudyClient, StudyDataSource, StudyPatient, StudyScopeRequest
from core.models.user import User
from core.models.versioned import Versioned

__all__ = [
    "AuditAccess",
    "AuditEvent",
    "AuditReach",
    "AuditSeal",
    "AuditWithin",
    "BulkFile",
    "BulkJob",
    "CatalogueAccess",
    "Client",
    "ClientAccess",
    "ClientConsent",
    "CodeableConcept",
    "ConsentHistory",
    "ConsentedToken",
    "DataSource",
    "DataSourceSupportedScope",
    "DeviceRequest",
    "EnrolmentAccess",
    "FederatedIdentity",
    "Ingest",
    "McpToken",
    "McpTokenAccess",
    "Narrowing",
    "NarrowingCode",
    "NarrowingOrganization",
    "NarrowingStudy",
    "Observation",
    "ObservationAccess",
    "ObservationIdentifier",
    "Organization",
    "OrganizationAccess",
    "OrganizationClient",
    "Patient",
    "PatientAccess",
    "PatientIdentifier",
    "PatientInvitation",
    "PatientOrganization",
    "Peer",
    "PeerAccess",
    "PeerLogin",
    "PeerOrganization",
    "Practitioner",
    "PractitionerAccess",
    "PractitionerClient",
    "PractitionerOrganization",
    "ResourceHistory",
    "ResourceServer",
    "Setting",
    "SignUp",
    "SignUpCode",
    "SigningKey",
    "Study",
    "StudyAccess",
    "StudyClient",
    "StudyDataSource",
    "StudyPatient",
    "StudyPatientScopeConsent",
    "StudyScopeRequest",
    "UsedAssertion",
    "User",
    "Versioned",
]
