"""Whom a peer is left alone by, and for how long."""

from contextlib import ExitStack

import pytest

from core.policy.errors import InvalidInput, PermissionDenied, Unavailable
from mcp_server.peers.turns import AT_A_TIME, OF_ONE_PERSON, Away, Turns

MARY, MEGAN = 7, 8


@pytest.fixture
def turns() -> Turns:
    return Turns("North")


def fails(turns: Turns, user_id: int, error: Exception) -> None:
    with pytest.raises(type(error)), turns.turn(user_id):
        raise error


def refusal(turns: Turns, user_id: int) -> str:
    with pytest.raises(Unavailable) as refused, turns.turn(user_id):
        pass
    return str(refused.value)


def test_a_peer_that_is_away_is_left_alone_by_everybody(turns: Turns) -> None:
    fails(turns, MARY, Away("North cannot be reached."))
    for person in (MARY, MEGAN):
        assert refusal(turns, person) == "North did not answer a moment ago and is left alone for 10 s."
        assert turns.is_paused(person)


def test_what_goes_wrong_for_mary_is_a_pause_for_her_alone(turns: Turns) -> None:
    fails(turns, MARY, Unavailable("No token for her."))
    assert refusal(turns, MARY) == "North could not be asked for you a moment ago: try again in 10 s."
    with turns.turn(MEGAN):
        assert (turns.is_paused(MARY), turns.is_paused(MEGAN)) == (True, False)


def test_a_pause_ends(turns: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_server.peers.turns.PAUSE_SECONDS", 0)
    for error in (Away("North cannot be reached."), Unavailable("No token for her.")):
        fails(turns, MARY, error)
        with turns.turn(MARY):
            pass


@pytest.mark.parametrize("error", [InvalidInput("No such country."), PermissionDenied("Not known there.")])
def test_who_is_refused_may_ask_again_at_once(turns: Turns, error: Exception) -> None:
    fails(turns, MARY, error)
    with turns.turn(MARY):
        pass


def test_mary_cannot_take_all_turns(turns: Turns) -> None:
    with ExitStack() as asking:
        for _ in range(OF_ONE_PERSON):
            asking.enter_context(turns.turn(MARY))
        assert "questions of yours" in refusal(turns, MARY)
        with turns.turn(MEGAN):
            pass
    with turns.turn(MARY):
        pass


def test_many_people_take_all_turns_and_give_them_back(turns: Turns) -> None:
    with ExitStack() as asking:
        for person in range(100, 100 + AT_A_TIME):
            asking.enter_context(turns.turn(person))
        assert refusal(turns, MARY) == "North has 16 questions to answer already: try again later."
    assert not turns._asking
    with turns.turn(MARY):
        pass
