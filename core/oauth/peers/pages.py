"""Where a person logs in at peers, and ends that."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.views import View

from core.actions.audit import record_access
from core.actions.client_consents import caller
from core.authentication.bearer import address_of_client
from core.models import AuditEvent, Peer, PeerLogin, User
from core.oauth.guard import guarded
from core.oauth.peers.authorization import authorization_request, end, take_answer
from core.policy.errors import DomainError

_REMEMBERED = "peer_login"
_SUCCESS = AuditEvent.Outcome.SUCCESS


class _PeerView(LoginRequiredMixin, View):
    @property
    def _user(self) -> User:
        user: Any = self.request.user
        return user

    def _peer(self, pk: int) -> Peer:
        """Missing and forbidden look the same."""
        found = Peer.objects.visible_to(caller(self._user, None)).filter(pk=pk).first()
        if found is None:
            raise Http404("No such page.")
        return found

    def _done(self, sentence: str, action: str, outcome: AuditEvent.Outcome, peer: Peer) -> HttpResponseRedirect:
        record_access(
            door="web",
            action=action,
            outcome=outcome,
            user_id=self._user.pk,
            source=address_of_client(self.request),
            detail={"peer": peer.prefix},
        )
        messages.info(self.request, sentence)
        return redirect("peers")


class PeersView(_PeerView):
    """All that the person may see, and every login of theirs, also where they may see the peer no more."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        logins = {login.peer_id: login for login in PeerLogin.objects.filter(user=self._user).select_related("peer")}
        visible = list(Peer.objects.visible_to(caller(self._user, None)))
        peers = visible + [login.peer for login in logins.values() if login.peer not in visible]
        shown = [
            {"peer": peer, "login": logins.get(peer.pk), "asks": peer in visible and peer.method == Peer.Method.LOGIN}
            for peer in peers
        ]
        return guarded(render(request, "core/peers.html", {"peers": shown}))


class PeerView(_PeerView):
    """GET leads to the login there, which changes nothing here before the person has agreed there. POST ends it."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        peer = self._peer(pk)
        if peer.method != Peer.Method.LOGIN:
            return redirect("peers")
        try:
            url, request.session[_REMEMBERED] = authorization_request(peer)
        except DomainError as error:
            messages.error(request, str(error))
            return redirect("peers")
        return guarded(HttpResponseRedirect(url))

    def post(self, _request: HttpRequest, pk: int) -> HttpResponseBase:
        login = PeerLogin.objects.filter(user=self._user, peer_id=pk).select_related("peer").first()
        if login is None:
            raise Http404("No such page.")
        peer = login.peer
        end(login)
        return self._done(f"You are not logged in at {peer.name} any more.", "end_peer_login", _SUCCESS, peer)


class AnswerView(_PeerView):
    """Where a peer sends the person back to (RFC 6749 §4.1.2). An answer is taken once."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        remembered = request.session.pop(_REMEMBERED, None)
        if remembered is None:
            messages.error(request, "No login was begun here: begin again.")
            return redirect("peers")
        peer = self._peer(remembered["peer"])
        try:
            take_answer(self._user, peer, request.GET.dict(), remembered)
        except DomainError as error:
            return self._done(str(error), "peer_login", AuditEvent.Outcome.REFUSED, peer)
        return self._done(f"You are logged in at {peer.name}.", "peer_login", _SUCCESS, peer)
