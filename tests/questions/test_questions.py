"""Every question is answered over MCP as pandas answers it."""

from collections.abc import Callable

import pytest

from mcp_server.tools import TOOLS
from tests.questions import about_access, about_cohorts, about_glucose, about_patients, about_readings, about_studies
from tests.questions.ask import Ask
from tests.questions.question import Question, disagreement
from tests.questions.seen import Seen

SUBJECTS = (about_studies, about_patients, about_readings, about_glucose, about_cohorts, about_access)
QUESTIONS = [question for subject in SUBJECTS for question in subject.QUESTIONS]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: f"{question.asked_by}: {question.text}")
def test_mcp_answers_as_pandas_does(
    question: Question, asked_by: Callable[[str], Ask], seen_by: Callable[[str], Seen], asked: dict[Question, set[str]]
) -> None:
    ask = asked_by(question.asked_by)
    before = len(ask.calls)
    found = disagreement(question.answer(ask), question.expected(seen_by(question.asked_by)))
    assert found is None, found
    calls = ask.calls[before:]
    assert len(calls) <= question.calls, "an assistant should not need that many"
    asked[question] = set(calls)


def test_each_tool_answers_two_questions_and_more(asked: dict[Question, set[str]]) -> None:
    if len(asked) < len(QUESTIONS):
        pytest.skip("not all questions were asked, or not all answered")
    answers = {tool: sum(tool in tools for tools in asked.values()) for tool in TOOLS}
    assert {tool: count for tool, count in answers.items() if count < 2} == {}


def test_there_are_sixty_questions_and_more_by_all_kinds_of_people() -> None:
    assert len({question.text for question in QUESTIONS}) == len(QUESTIONS) >= 60
    assert len({question.asked_by for question in QUESTIONS}) > 8


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(1, 2), (1.0, 1.00001), ("1", 1), ([1], [1, 2]), ({"a": 1}, {"b": 1}), ({"a": [1.5]}, {"a": [1.6]}), (None, 0.0)],
)
def test_what_differs_is_noticed(answer: object, expected: object) -> None:
    assert disagreement(answer, expected)
    assert disagreement(expected, answer)
    assert disagreement(answer, answer) is None
