"""How `:name` becomes `$n`, and what a framed question is."""

import pytest

from mcp_server.queries import numbered, question


@pytest.mark.parametrize(
    ("sql", "expected", "names"),
    [
        ("SELECT :a, :b", "SELECT $1, $2", ("a", "b")),
        ("SELECT :a, :b, :a", "SELECT $1, $2, $1", ("a", "b")),
        ("SELECT :a::bigint[]", "SELECT $1::bigint[]", ("a",)),
        ("SELECT x::text", "SELECT x::text", ()),
        ("SELECT ':a', 'it''s :a', :b", "SELECT ':a', 'it''s :a', $1", ("b",)),
        ('SELECT "odd:name", :b', 'SELECT "odd:name", $1', ("b",)),
        ("SELECT 1 -- of :a\n, :b", "SELECT 1 -- of :a\n, $1", ("b",)),
        ("SELECT /* :a\n:c */ :b", "SELECT /* :a\n:c */ $1", ("b",)),
        ("SELECT x[1:2]", "SELECT x[1:2]", ()),
        ("SELECT f(door => :a_b2)", "SELECT f(door => $1)", ("a_b2",)),
    ],
)
def test_named_parameters_become_numbered_ones(sql: str, expected: str, names: tuple[str, ...]) -> None:
    assert numbered(sql) == (expected, names)


def test_a_question_stands_in_the_frame() -> None:
    framed = question("get_study_count", for_narrowed=True)
    assert "audit_record" in framed.sql
    assert "access_token" in framed.sql
    assert {"token_key", "user_id", "may_study_read"} <= set(framed.parameters)
    assert "/* the question */" not in framed.sql


def test_an_unknown_question_is_a_fault_of_ours() -> None:
    with pytest.raises(FileNotFoundError):
        question("no_such_question", for_narrowed=True)
