"""Data sets with pictures: preflight leaves them alone, and a run on them resumes."""

import pytest
import torch
from datasets import Dataset, Features, Image, Value
from PIL import Image as Pictures

from pmpo.integrations.trl.preflight import preflight
from support import config, parameters, trainer


@pytest.fixture
def undecoded_preflight(monkeypatch):
    """Fails where preflight decodes a picture; the run itself may."""
    decode, looking = Image.decode_example, []

    def look(one):
        looking.append(1)
        preflight(one)
        looking.pop()

    def watched(self, *args, **kwargs):
        assert not looking, "preflight decoded a picture"
        return decode(self, *args, **kwargs)

    monkeypatch.setattr("pmpo.integrations.trl.trainer.preflight", look)
    monkeypatch.setattr(Image, "decode_example", watched)


def test_a_run_on_pictures_resumes_and_preflight_looks_at_the_prompts_alone(tmp_path, undecoded_preflight):
    def build(**changes):
        pictures = [Pictures.new("RGB", (4, 3), (i, 0, 0)) for i in range(16)]
        data = Dataset.from_dict(
            {"prompt": [f"{i % 10}+1=" for i in range(16)], "picture": pictures},
            features=Features({"prompt": Value("string"), "picture": Image()}),
        )
        settings = {"save_strategy": "steps", "save_steps": 1, "output_dir": str(tmp_path), "max_steps": 2, **changes}
        return trainer(config(**settings), train_dataset=data)

    whole = build()
    whole.train()
    resumed = build(max_steps=2, save_strategy="no")
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))
    assert torch.equal(parameters(whole), parameters(resumed))
