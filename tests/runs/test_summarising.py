"""The end of a run."""

from pmpo.engine.symptoms import Symptom
from pmpo.runs.summarising import warning_of


def test_a_warning_names_the_update_that_it_was_found_at_unless_the_settings_said_it():
    assert warning_of(Symptom("truncated", 40, "All are cut off.")) == "update 40: All are cut off."
    assert warning_of(Symptom("one_update", 0, "One update.")) == "One update."
