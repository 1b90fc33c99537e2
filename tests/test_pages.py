"""The pages say what the code does: a section for every part, code that prints what stands beside it, whole links."""

import contextlib
import io
import re
from dataclasses import fields
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

import pmpo
from pmpo.objective.advantages import ADVANTAGES
from pmpo.objective.correction import ROLLOUT_MODES
from pmpo.objective.decoupling import CORRECTIONS, OLD_POLICIES
from pmpo.objective.exponents import EXPONENTS
from pmpo.objective.kinds import TRUST_REGIONS
from pmpo.objective.weighting import SEQUENCE_WEIGHTS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
FAMILY = (DOCS / "objectives.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")])
FENCED = re.compile(r"^```.*?^```", re.M | re.S)
PARTS = (*EXPONENTS, *TRUST_REGIONS, *SEQUENCE_WEIGHTS)
SECTIONS = (*PARTS, *CORRECTIONS, *pmpo.OBJECTIVES, "rollout_weights", "divergence_mask")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def sections(text: str) -> dict[str, str]:
    """The text under each heading that names something in code, by that name."""
    found = {}
    for heading, body in re.findall(r"^### (.*?)\n(.*?)(?=^##|\Z)", FENCED.sub(keep_names, text), re.M | re.S):
        found |= dict.fromkeys(re.findall(r"`(\w+)`", heading), body)
    return found


def keep_names(block: re.Match) -> str:
    """A code block without its comments, which could pass for headings."""
    return re.sub(r"^#.*$", "", block.group(), flags=re.M)


def anchors(text: str) -> set[str]:
    """The names that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", text), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken_links(page: Path, text: str) -> list[str]:
    found = []
    prose = FENCED.sub("", text)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose) + re.findall(r"^\[[^\]]+\]: (\S+)$", prose, re.M):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name) if name else page
        if not file.exists():
            found.append(f"{target}: no such file")
        elif anchor and anchor not in anchors(text if file == page else file.read_text(encoding="utf-8")):
            found.append(f"{target}: no such heading")
    return found


def disagreements(code: str, names: dict) -> list[str]:
    """What a block prints, against the comments behind its prints."""
    written = io.StringIO()
    with contextlib.redirect_stdout(written):
        exec(compile(code, "page", "exec"), names)
    expected = re.findall(r"^\s*print\(.*\)  # (.*)$", code, re.M)
    printed = written.getvalue().splitlines()
    if ", ".join(printed) == ", ".join(expected):
        return []
    return [f"prints {printed}, but the page says {expected}"]


@pytest.mark.parametrize("name", SECTIONS)
def test_every_member_has_a_section_with_its_formula(name):
    assert name in sections(FAMILY), f"docs/objectives.md has no section ### …: `{name}`"
    assert sections(FAMILY)[name].count("$$") >= 2


@pytest.mark.parametrize("name", PARTS)
def test_every_part_has_a_picture_and_code(name):
    section = sections(FAMILY)[name]
    assert "](pictures/" in section and "```python" in section


@pytest.mark.parametrize("name", (*ADVANTAGES, *ROLLOUT_MODES, *OLD_POLICIES))
def test_every_choice_is_named(name):
    assert f"`{name}`" in FAMILY


@pytest.mark.parametrize("name", [*EXPONENTS, *TRUST_REGIONS, *CORRECTIONS])
def test_every_option_is_in_the_section_of_its_part(name):
    part = (EXPONENTS | TRUST_REGIONS | CORRECTIONS)[name]
    everywhere = {"dual_clip_ratio"}
    missing = [f.name for f in fields(part) if f.name not in everywhere and f.name not in sections(FAMILY)[name]]
    assert missing == []


def test_the_code_of_the_family_page_prints_what_it_says():
    names: dict = {}
    wrong = [line for code in blocks(FAMILY, "python") for line in disagreements(code, names)]
    assert wrong == [] and names["so"] == 6


def test_the_completion_of_the_page_is_that_of_the_pictures():
    code = (DOCS / "pictures" / "example.py").read_text(encoding="utf-8")
    for name, of_the_page in (("OLD_PROBABILITIES", "sampled"), ("LOG_RATIOS", "log_ratios")):
        drawn = re.search(rf"^{name} = \((.*)\)$", code, re.M).group(1)
        assert f"{of_the_page} = [{drawn}]" in FAMILY


@pytest.mark.parametrize("text", blocks(FAMILY, "yaml"), ids=lambda text: text.splitlines()[-1])
def test_the_yaml_of_the_family_page_is_an_objective(text):
    parts = yaml.safe_load(text)
    assert pmpo.objective(parts.pop("objective"), **parts)


def test_what_contributors_are_shown_works(tmp_path, monkeypatch):
    names: dict = {}
    codes = blocks(CONTRIBUTING, "python")
    assert [line for code in codes for line in disagreements(code, names)] == []
    assert pmpo.objective("gmpo", exponent=names["Falling"](depth=1.0)).exponent.depth == 1.0
    assert names["geometric_dapo"].sequence_weight == "token"
    assert names["Capitals"]().load()[0].answer == "A"
    (tmp_path / "rules.py").write_text(codes[0], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    parts = yaml.safe_load(blocks(CONTRIBUTING, "yaml")[0])
    assert pmpo.objective(parts["objective"], exponent=parts["exponent"]).exponent.depth == 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_resolve(page):
    assert broken_links(page, page.read_text(encoding="utf-8")) == []


def test_the_pictures_are_those_that_the_script_draws(tmp_path, monkeypatch):
    folder = DOCS / "pictures"
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setitem(import_module("panels").STYLE, "savefig.dpi", 10)  # what costs is the pixels
    drawn = {path.name for path in import_module("draw").main(tmp_path)}
    assert drawn == {path.name for path in folder.glob("*.png")}
    shown = {name for page in PAGES for name in re.findall(r"pictures/([\w-]+\.png)", page.read_text(encoding="utf-8"))}
    assert drawn == shown


def unknown_in_equations(text: str) -> list[str]:
    """Functions and tests that the appendix names and that there are not."""
    found = []
    for module, name in re.findall(r"`(\w+)\.([A-Za-z]\w*)(?:\.\w+)?`", text):
        home = pmpo if module == "pmpo" else find_module(module)
        if name != "py" and not hasattr(home, name):
            found.append(f"{module}.{name}")
    for file, name in re.findall(r"`(test_\w+\.py)(?:::(\w+))?", text):
        code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob(file))
        if not code or (name and f"def {name}(" not in code):
            found.append(f"{file}::{name}")
    return found


def find_module(name: str):
    return import_module(f"pmpo.objective.{name}") if find_spec(f"pmpo.objective.{name}") else None


def test_the_appendix_names_functions_and_tests_that_exist():
    assert unknown_in_equations((DOCS / "equations.md").read_text(encoding="utf-8")) == []
    gone = "`solver.none` `none.x` `test_none.py` `test_parts.py::test_none`"
    assert unknown_in_equations(gone) == ["solver.none", "none.x", "test_none.py::", "test_parts.py::test_none"]


def test_formulas_keep_to_what_github_renders():
    """Its Markdown eats a backslash before punctuation, and makes lists of lines that begin with a sign."""
    formulas = re.findall(r"\$\$(.*?)\$\$", FENCED.sub("", FAMILY), re.S) + re.findall(r"(?<!\$)\$([^$\n]+)\$", FAMILY)
    assert len(formulas) > 60
    wrong = re.compile(r"\\[^A-Za-z]|\\operatorname|[<>~]|^[-+=*#]", re.M)
    assert [formula for formula in formulas if wrong.search(formula)] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_lines_are_shorter_than_120_characters(name):
    long = [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if len(line) >= 120]
    assert long == []


def test_the_checks_can_fail():
    assert broken_links(ROOT / "README.md", "[a](docs/none.md) [b](#here)\n# There") == [
        "docs/none.md: no such file",
        "#here: no such heading",
    ]
    assert broken_links(ROOT / "README.md", "[a][b]\n\n[b]: docs/none.md") == ["docs/none.md: no such file"]
    assert broken_links(ROOT / "README.md", "[b](#one-ratio-c)\n# One: `ratio_c`") == ["#one-ratio-c: no such heading"]
    assert disagreements("print(1 + 1)  # 3", {}) == ["prints ['2'], but the page says ['3']"]
    assert sections("### A: `a`\n$$x$$\n```python\n### b\n```\n## B\n").keys() == {"a"}
