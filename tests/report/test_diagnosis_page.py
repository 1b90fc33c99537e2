"""docs/diagnosis.md has every symptom, under its title and its name."""

import re
from pathlib import Path

from pmpo.engine.symptoms import KINDS
from pmpo.report.run_figures import FIGURES

PAGE = (Path(__file__).parents[2] / "docs" / "diagnosis.md").read_text(encoding="utf-8")


def test_every_symptom_has_its_section_and_a_place_in_the_table():
    assert dict(re.findall(r"^### (.*): `(\w+)`$", PAGE, re.M)) == {kind.title: name for name, kind in KINDS.items()}
    table = PAGE[PAGE.index("| what one sees") : PAGE.index("An example")]
    assert [name for name in KINDS if f"[`{name}`](#" not in table] == []


def test_every_symptom_names_a_figure_that_there_is():
    assert {kind.figure for kind in KINDS.values()} <= set(FIGURES)
