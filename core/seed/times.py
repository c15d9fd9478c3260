"""When the demo happens. Fixed dates, not dates before today: the same figures on every machine and every day."""

from datetime import UTC, date, datetime

FIRST_DAY = date(2026, 9, 1)
DAYS = 14
"""Two whole weeks, in each patient's own local days."""

ENROLLED_AT = datetime(2026, 8, 20, 15, 0, tzinfo=UTC)
WITHDRAWN_AT = datetime(2026, 9, 15, 15, 0, tzinfo=UTC)
