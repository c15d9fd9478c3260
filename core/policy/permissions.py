"""What a person can do, one name each: `<resource>:<action>`, in alphabetical order."""

from enum import StrEnum


class Permission(StrEnum):
    ACCESS_LOG_READ = "access_log:read"
    CATALOGUE_MANAGE = "catalogue:manage"
    CATALOGUE_READ = "catalogue:read"
    CONSENT_READ = "consent:read"
    CONSENT_WRITE = "consent:write"
    ENROLMENT_MANAGE = "enrolment:manage"
    OBSERVATION_READ = "observation:read"
    OBSERVATION_WRITE = "observation:write"
    ORGANIZATION_MANAGE = "organization:manage"
    ORGANIZATION_READ = "organization:read"
    PATIENT_MANAGE = "patient:manage"
    PATIENT_READ = "patient:read"
    PRACTITIONER_MANAGE = "practitioner:manage"
    PRACTITIONER_READ = "practitioner:read"
    STUDY_MANAGE = "study:manage"
    STUDY_READ = "study:read"
    SYSTEM_EXPORT = "system:export"
    TOKEN_MANAGE = "token:manage"  # noqa: S105 - a permission's name
