"""What the value of a search parameter says (FHIR R5 search.html), before any row is thought of.

Everything here raises ValueError with a sentence for a value that cannot be.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")

_DATE = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)(?:T(?P<hour>\d\d):(?P<minute>\d\d)"
    r"(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,9}))?)?(?P<zone>Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_LARGEST = Decimal("1e300")


def split(text: str, separator: str) -> list[str]:
    r"""At each separator that no backslash stands before (search.html#escaping); what is escaped stays so."""
    parts, part, escaped = [], "", False
    for character in text:
        if character == separator and not escaped:
            parts.append(part)
            part = ""
        else:
            part += character
        escaped = character == "\\" and not escaped
    return [*parts, part]


def unescape(text: str) -> str:
    return re.sub(r"\\([\\,|$])", r"\1", text)


@dataclass(frozen=True, slots=True)
class Token:
    """`system` None is any, "" none at all; `code` "" is any of the system (search.html#token)."""

    system: str | None
    code: str


def token(text: str) -> Token:
    system, *code = split(text, "|")
    if not code:
        return Token(None, unescape(system))
    found = Token(unescape(system), unescape("|".join(code)))
    if not (found.system or found.code):
        raise ValueError("needs a code, system|code, |code or system|.")
    return found


def prefixed(text: str) -> tuple[str, str]:
    """(prefix, rest): `eq` where none is given (search.html#prefix)."""
    if text[:2].isalpha():
        if text[:2] not in PREFIXES:
            raise ValueError(f"must begin with a digit, or with one of the prefixes {', '.join(PREFIXES)}.")
        return text[:2], text[2:]
    return "eq", text


@dataclass(frozen=True, slots=True)
class Range:
    """Of moments, from `start` up to and without `end`: what a date of some precision covers."""

    start: datetime
    end: datetime

    def about(self, now: datetime) -> "Range":
        """What `ap` covers: a tenth of the way from now around it (search.html#prefix)."""
        margin = abs(now - self.start) / 10
        try:
            return Range(self.start - margin, self.end + margin)
        except OverflowError:
            return self


def moments(text: str) -> Range:
    """A date, dateTime or instant of any precision; without an offset it is UTC."""
    match = _DATE.fullmatch(text.replace(" ", "+"))  # a + that was not escaped in the URL
    if match is None:
        raise ValueError("must be a date such as 2026, 2026-09, 2026-09-01 or 2026-09-01T12:00:00Z.")
    try:
        return _range(match.groupdict())
    except (ValueError, OverflowError):
        raise ValueError("is a date that no calendar has.") from None


def _range(part: Mapping[str, str | None]) -> Range:
    number = {name: int(part[name] or least) for name, least in (("year", 1), ("month", 1), ("day", 1))}
    zone = _zone(part["zone"])
    time = {name: int(part[name] or 0) for name in ("hour", "minute", "second")}
    microsecond = int((part["fraction"] or "")[:6].ljust(6, "0"))
    local = datetime(**number, **time, microsecond=microsecond, tzinfo=zone)
    start = local.astimezone(UTC)
    try:
        return Range(start, _end(start, part))
    except OverflowError:
        return Range(start, datetime.max.replace(tzinfo=UTC))


def _end(start: datetime, part: Mapping[str, str | None]) -> datetime:
    if part["fraction"] is not None:
        return start + timedelta(microseconds=1)
    if part["second"] is not None:
        return start + timedelta(seconds=1)
    if part["minute"] is not None:
        return start + timedelta(minutes=1)
    if part["day"] is not None:
        return start + timedelta(days=1)
    months = 1 if part["month"] is not None else 12
    first = start.month - 1 + months
    if start.year + first // 12 > 9999:
        raise OverflowError
    return start.replace(year=start.year + first // 12, month=first % 12 + 1)


def _zone(text: str | None) -> timezone:
    if text is None or text == "Z":
        return UTC
    sign = -1 if text[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(text[1:3]), minutes=int(text[4:6])))


@dataclass(frozen=True, slots=True)
class Number:
    """`margin` is what the precision leaves open to either side: 0.5 for 100, 0.05 for 100.0 (search.html#number)."""

    value: Decimal
    margin: Decimal


def number(text: str) -> Number:
    if not _NUMBER.fullmatch(text.replace(" ", "+")):
        raise ValueError("must be a number such as 5, 5.40 or 5.4e1.")
    value = Decimal(text.replace(" ", "+"))
    if abs(value) > _LARGEST:
        raise ValueError("is too large.")
    exponent = value.as_tuple().exponent
    return Number(value, Decimal((0, (5,), int(exponent) - 1)))
