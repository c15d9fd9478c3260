"""What REST and FHIR have in common: who is asking is known, what their token covers is checked, and each request
leaves its audit row."""

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from http import HTTPStatus
from typing import Any, ClassVar, NoReturn

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import NotAuthenticated, Throttled
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from core.actions.audit import record_access, watch
from core.authentication.bearer import BearerAuthentication, challenge
from core.authentication.throttles import PersonThrottle
from core.models import AuditEvent
from core.policy.checks import check_token_names_study
from core.policy.errors import InsufficientScope
from core.policy.principal import Principal
from core.policy.scopes import Interaction, check_scope


class DoorView(APIView):
    """A view behind the login. Views answer; this leaves exactly what happened in the audit trail.

    An action that writes leaves its own row, in its own transaction. For all else `finalize_response` writes one:
    of whose data was read (`touched`) before anything of it is sent, and of what was refused. Nothing is written of
    requests without a login (nobody could be named, and anybody could fill the disk), nor of those that come too often.
    """

    door: ClassVar[str]
    authentication_classes: Sequence[type[BaseAuthentication]] = (BearerAuthentication,)
    permission_classes: Sequence[type[BasePermission]] = (IsAuthenticated,)
    throttle_classes: Sequence[type[BaseThrottle]] = (PersonThrottle,)
    reads_beside_writes: ClassVar[bool] = False
    """Whether one request can write and also read other patients' data (a Bundle): that read has a row of its own."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.patient_ids: set[int] = set()
        self.study_id: int | None = None
        self.detail: dict[str, Any] = {}
        self.missing_scope = ""
        with ExitStack() as stack:
            self.written = stack.enter_context(watch())
            try:
                return super().dispatch(request, *args, **kwargs)
            except Exception:  # the door's outermost line: what is no refusal goes on as it came
                self._leave_failed_row()
                raise

    @property
    def principal(self) -> Principal:
        principal: Principal = self.request.auth  # type: ignore[assignment] # the stubs know DRF's own tokens only
        return principal

    def require_scope(self, resource_type: str, interaction: Interaction) -> None:
        """Raises InsufficientScope when the token was not given for this (SMART App Launch 2.2, scopes)."""
        check_scope(self.principal, resource_type, interaction)

    def touched(self, patient_ids: Iterable[int], *, study_id: int | None = None) -> None:
        """Note whose data the answer holds, and through which study it was asked for.

        Raises PermissionDenied for a study that the token leaves out: then it is noted that it was asked for.
        """
        self.patient_ids.update(patient_ids)
        if study_id is not None:
            self.study_id = study_id
            check_token_names_study(self.principal, study_id)

    def action_name(self) -> str:
        """What was asked, in the audit trail: a method and a route, never a URL."""
        match = self.request.resolver_match
        return f"{self.request.method} {match.route if match else ''}"

    def handle_exception(self, exc: Exception) -> Response:
        self.note_missing_scope(exc)
        return super().handle_exception(exc)

    def note_missing_scope(self, exc: Exception) -> None:
        """What a client can act on, beside the door's own words. A door that answers errors itself calls it first."""
        if isinstance(exc, InsufficientScope):
            self.missing_scope = exc.scope

    def permission_denied(self, *_: Any, **__: Any) -> NoReturn:
        """Nobody without a login comes further; what somebody may do is asked later, and not of DRF."""
        raise NotAuthenticated("Log in and send the token: Authorization: Bearer <access token>.")

    def throttled(self, _request: Request, wait: float | None) -> NoReturn:
        seconds = max(1, math.ceil(wait or 0))
        refusal = Throttled(detail=f"Too many requests: wait {seconds} s, then send this one again.")
        refusal.wait = seconds  # type: ignore[attr-defined] # the stubs do not know it
        raise refusal

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        finished = super().finalize_response(request, response, *args, **kwargs)
        if self.missing_scope and finished.status_code == HTTPStatus.FORBIDDEN:
            # RFC 6750 §3.1
            finished["WWW-Authenticate"] = challenge(request, "insufficient_scope", scope=self.missing_scope)
        if isinstance(request.auth, Principal) and finished.status_code != HTTPStatus.TOO_MANY_REQUESTS:
            self._leave_audit_row(request.auth, finished.status_code)
        return finished

    def _leave_audit_row(self, principal: Principal, status: int) -> None:
        outcome = _outcome(status)
        also_read = self.reads_beside_writes and bool(self.patient_ids)
        if outcome is AuditEvent.Outcome.SUCCESS and self.written and not also_read:
            return
        self.leave_audit_row(principal, outcome, self.detail)

    def _leave_failed_row(self) -> None:
        """Of a fault of ours, after what it was doing was rolled back. A database that is away takes no row either."""
        principal = getattr(self.request, "_auth", None)
        if isinstance(principal, Principal):
            with suppress(DatabaseError, InterfaceError):
                self.leave_audit_row(principal, AuditEvent.Outcome.FAILED, {})

    def leave_audit_row(self, principal: Principal, outcome: AuditEvent.Outcome, detail: Mapping[str, Any]) -> None:
        """For what is neither the whole request nor an action: entries of a Bundle that were refused."""
        record_access(
            door=self.door,
            action=self.action_name(),
            outcome=outcome,
            user_id=principal.user_id,
            client_id=principal.client_id,
            token_key=principal.token_key,
            study_id=self.study_id,
            patient_ids=sorted(self.patient_ids),
            source=principal.source,
            detail=detail,
        )


def _outcome(status: int) -> AuditEvent.Outcome:
    if status < 400:
        return AuditEvent.Outcome.SUCCESS
    return AuditEvent.Outcome.REFUSED if status < 500 else AuditEvent.Outcome.FAILED
