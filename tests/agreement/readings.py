"""The observations of a world, to hold against what a door lists."""

from dataclasses import dataclass

from core.models import Observation
from tests.agreement.worlds import Rows


@dataclass
class Readings:
    """All observations there are, the newest first, as (id, position of the patient, position of the code)."""

    all: list[tuple[int, int, int]]

    @classmethod
    def of(cls, rows: Rows) -> "Readings":
        patients, codes = [patient.pk for patient in rows.patients], [code.pk for code in rows.codes]
        found = Observation.objects.order_by("-effective_start", "-pk").values_list("pk", "patient_id", "code_id")
        return cls([(pk, patients.index(patient), codes.index(code)) for pk, patient, code in found])

    def granted(self, grants: set[tuple[int, int]], *, after: int | None = None) -> list[int]:
        """The ids that these grants give, in the order of a list; `after` a row of it, which may not be granted."""
        order = [pk for pk, _, _ in self.all]
        begin = 0 if after is None else order.index(after) + 1
        return [pk for pk, patient, code in self.all[begin:] if (patient, code) in grants]
