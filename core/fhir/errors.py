"""What FHIR refuses beyond the project's error tree, and the one place that turns any refusal into an OperationOutcome.

InvalidResource     InvalidInput: the resource or the request is malformed (400)
Unprocessable       InvalidInput: well formed, but a rule of the exchange is against it (422)
NotSupported        DomainError: nobody does that here, whatever their role (405)
Gone                NotVisible: it was deleted, and the caller may know that it was there (410)
PreconditionFailed  Conflict: not the version, or not the one match, that the request was made for (412)
Refused             any of them, met inside a larger request, with the issues located in it
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.policy import errors

Resource = dict[str, Any]
"""A FHIR resource, or a part of one, as JSON."""


@dataclass(frozen=True, slots=True)
class Issue:
    """OperationOutcome.issue. `code` is of http://hl7.org/fhir/issue-type, `expression` a FHIRPath to the fault."""

    code: str
    diagnostics: str
    expression: str = ""
    severity: str = "error"


class InvalidResource(errors.InvalidInput):
    """Malformed, at one or several places; each is an issue of its own."""

    def __init__(self, *issues: Issue) -> None:
        super().__init__(" ".join(issue.diagnostics for issue in issues))
        self.issues = issues


class Unprocessable(InvalidResource):
    pass


class Gone(errors.NotVisible):
    pass


class NotSupported(errors.DomainError):
    pass


class PreconditionFailed(errors.Conflict):
    pass


class Refused(errors.DomainError):
    """A refusal with its status and its issues."""

    def __init__(self, status: int, issues: Sequence[Issue]) -> None:
        super().__init__(" ".join(issue.diagnostics for issue in issues))
        self.status = status
        self.issues = issues


_STATUS_AND_CODE: tuple[tuple[type[errors.DomainError], int, str], ...] = (
    (NotSupported, 405, "not-supported"),
    (Gone, 410, "deleted"),
    (PreconditionFailed, 412, "conflict"),
    (Unprocessable, 422, "business-rule"),
    (errors.NotAuthenticated, 401, "login"),
    (errors.NotVisible, 404, "not-found"),
    (errors.PermissionDenied, 403, "forbidden"),
    (errors.InvalidInput, 400, "invalid"),
    (errors.Conflict, 409, "conflict"),
    (errors.Unavailable, 503, "transient"),
)


def status_and_issues(error: errors.DomainError) -> tuple[int, Sequence[Issue]]:
    """The HTTP status (FHIR R5 http.html#Status-Codes) and the issues of a refusal."""
    if isinstance(error, Refused):
        return error.status, error.issues
    for kind, status, code in _STATUS_AND_CODE:
        if isinstance(error, kind):
            return status, error.issues if isinstance(error, InvalidResource) else (Issue(code, str(error)),)
    raise error


def operation_outcome(*issues: Issue) -> Resource:
    return {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": issue.severity,
                "code": issue.code,
                "diagnostics": issue.diagnostics,
                **({"expression": [issue.expression]} if issue.expression else {}),
            }
            for issue in issues
        ],
    }
