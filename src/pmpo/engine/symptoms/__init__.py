"""What the log and the settings of a run say is going wrong with it, with the likely cause and what to try.

rows.py           what a finder asks of the log           rewards.py        the rewards do not teach
completions.py    what becomes of the completions         policy.py         what the updates do to the policy
configuration.py  what the settings alone say             watch.py          finds each once, while a run goes on

docs/diagnosis.md has a section for each symptom.
"""

from pmpo.engine.symptoms.catalogue import KINDS, Kind, Symptom, settings_symptoms, symptoms
from pmpo.engine.symptoms.rows import EVENTS, FEWEST_EVENTS
from pmpo.engine.symptoms.watch import SymptomWatch, diagnose

__all__ = [
    "EVENTS",
    "FEWEST_EVENTS",
    "KINDS",
    "Kind",
    "Symptom",
    "SymptomWatch",
    "diagnose",
    "settings_symptoms",
    "symptoms",
]
