"""What is told of many numbers, as `queries/parts/statistics.sql` has it; None where there are too few of them."""

from typing import Annotated

from pydantic import Field

from mcp_server.tool import Output


class Statistics(Output):
    n: int
    mean: float | None
    sd: Annotated[float | None, Field(description="Of the sample.")]
    cv: Annotated[float | None, Field(description="Coefficient of variation, percent.")]
    min: float | None
    p05: float | None
    p25: float | None
    median: float | None
    p75: float | None
    p95: float | None
    max: float | None
