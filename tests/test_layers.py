"""Imports run strictly downwards and never in a circle, and each room loads no more than it needs."""

import ast
import inspect
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"
RANK = {
    "foundation": 0,
    "objective": 1,
    "kernels": 2,
    "grading": 3,
    "engine": 4,
    "tasks": 5,
    "rewards": 6,
    "comparison": 7,
    "report": 8,
    "evaluation": 9,
    "integrations": 9,
    "runs": 10,
    "cli": 11,
}
FRONT = "kernels"
"""`pmpo` itself offers names of the objective and its kernels, so that to import from it is to import those."""
HOSTS = ("trl", "transformers", "datasets", "accelerate", "verl", "ray", "peft")
HEAVY = (*HOSTS, "matplotlib", "rich", "math_verify")


# ---- which file imports which ---------------------------------------------------------------------------------------


def modules(source: Path) -> dict[str, str]:
    """The code of every module under a folder, by its dotted name."""
    found = {}
    for path in sorted(source.rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    return found


def imports(code: str, known: Mapping[str, str]) -> set[str]:
    """The modules of `known` that a file imports, wherever it does: at the top, in a function, for type checkers."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "house style: absolute imports"
            named = [(f"{node.module}.{alias.name}", str(node.module)) for alias in node.names]
            found |= {module if module in known else package for module, package in named}
    return found & set(known)


def homes(package: str, code: str) -> set[str]:
    """The modules from which a package front loads its names late (`pmpo.foundation.lazy`)."""
    tree = ast.parse(code)
    tables = [
        ast.unparse(node.args[1])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "lazy_names"
    ]
    assigned = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    return {f"{package}.{home}" for table in tables for home in ast.literal_eval(assigned[table]).values()}


def graph(known: Mapping[str, str]) -> dict[str, set[str]]:
    """{module: the modules that it imports}."""
    return {name: (imports(code, known) | homes(name, code)) - {name} for name, code in known.items()}


def layer(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else FRONT


def violations(edges: Mapping[str, set[str]]) -> list[str]:
    """Imports that do not point to a lower layer, or to the layer itself."""
    return [
        f"{module} imports {target}"
        for module, targets in edges.items()
        for target in sorted(targets)
        if module not in ("pmpo", "pmpo.__main__", "pmpo_command")
        and (layer(target) != layer(module) or target == "pmpo")
        and RANK[layer(target)] >= RANK[layer(module)]
    ]


def circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of modules each of which imports all others of its group, if only by way of others."""

    def reached(start: str) -> set[str]:
        seen, left = set(), [start]
        while left:
            new = edges.get(left.pop(), set()) - seen
            seen |= new
            left += new
        return seen

    beyond = {module: reached(module) for module in edges}
    groups = {frozenset(n for n in beyond[m] if m in beyond[n]) for m in edges if m in beyond[m]}
    return sorted(sorted(group) for group in groups)


KNOWN = modules(SOURCE)
GRAPH = graph(KNOWN)


def test_every_package_has_its_rank():
    packages = {path.parent.name for path in (SOURCE / "pmpo").glob("*/*.py")}
    assert packages == set(RANK)


def test_imports_run_downwards():
    assert violations(GRAPH) == []
    assert {layer(target) for target in GRAPH["pmpo"]} <= {FRONT, "objective", "foundation"}


def test_adapters_do_not_know_each_other():
    adapters = {module: targets for module, targets in GRAPH.items() if module.startswith("pmpo.integrations.")}
    for module, targets in adapters.items():
        own = module.split(".")[2]
        assert [t for t in targets if t in adapters and t.split(".")[2] != own] == []


def test_no_files_import_each_other_in_a_circle():
    assert circles(GRAPH) == []


# ---- that these can fail --------------------------------------------------------------------------------------------


def made(**code: str) -> dict[str, set[str]]:
    """The graph of modules a__b = "code" -> pmpo.a.b."""
    return graph({f"pmpo.{name.replace('__', '.')}": text for name, text in code.items()} | {"pmpo": ""})


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            {"objective__loss": "from pmpo.tasks.tables import load", "tasks__tables": ""},
            "pmpo.objective.loss imports pmpo.tasks.tables",
        ),
        (
            {"report__x": "def f():\n    import pmpo.evaluation.metrics", "evaluation__metrics": ""},
            "pmpo.report.x imports pmpo.evaluation.metrics",
        ),
        (
            {"engine__x": "if TYPE_CHECKING:\n    from pmpo.runs import run", "runs__run": "", "runs": ""},
            "pmpo.engine.x imports pmpo.runs.run",
        ),
        ({"foundation__x": "from pmpo import objective"}, "pmpo.foundation.x imports pmpo"),
        (
            {"integrations__trl__x": "import pmpo.evaluation.run", "evaluation__run": ""},
            "pmpo.integrations.trl.x imports pmpo.evaluation.run",
        ),
    ],
)
def test_an_import_upwards_is_found(code, said):
    assert violations(made(**code)) == [said]


def test_an_import_downwards_is_none():
    assert violations(made(cli__x="from pmpo.runs.run import run\nimport pmpo", runs__run="", cli__y="")) == []


BACK = {
    "at the top": "from pmpo.a.x import f",
    "of the module": "import pmpo.a.x",
    "in a function": "def g():\n    from pmpo.a.x import f",
    "for type checkers": "if TYPE_CHECKING:\n    from pmpo.a import x",
    "through a front": "from pmpo.a import f",
}


@pytest.mark.parametrize("how", BACK)
def test_a_circle_is_found_wherever_the_import_stands(how):
    front = '_HOMES = {"f": "x"}\n__getattr__, __dir__ = lazy_names(__name__, _HOMES)'
    edges = made(a=front, a__x="from pmpo.a.y import g", a__y=BACK[how], a__z="from pmpo.a import x, y")
    (found,) = circles(edges)
    assert found == (["pmpo.a", "pmpo.a.x", "pmpo.a.y"] if how == "through a front" else ["pmpo.a.x", "pmpo.a.y"])


def test_a_longer_circle_is_found_and_a_diamond_is_none():
    ring = {"a__x": "import pmpo.a.y", "a__y": "import pmpo.a.z", "a__z": "import pmpo.a.x"}
    assert circles(made(**ring)) == [["pmpo.a.x", "pmpo.a.y", "pmpo.a.z"]]
    diamond = {"a__x": "import pmpo.a.y, pmpo.a.z", "a__y": "import pmpo.a.w", "a__z": "import pmpo.a.w", "a__w": ""}
    assert circles(made(**diamond)) == []


def test_the_graph_is_that_of_the_package():
    assert "pmpo.engine.context" in KNOWN and "pmpo.objective.presets" in GRAPH["pmpo"]
    assert "pmpo.engine.checkpoints" in GRAPH["pmpo.engine"], "homes of a front count"
    assert "pmpo.engine.metric_catalogue" in GRAPH["pmpo.engine.window"] and not GRAPH["pmpo.engine.symptoms.rows"]


# ---- what is loaded -------------------------------------------------------------------------------------------------


def run(code: str, *arguments: str) -> str:
    """The output of a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded_by(statement: str) -> set[str]:
    return set(run(f"{statement}\nimport sys; print(*{{name.split('.')[0] for name in sys.modules}})").split())


def test_importing_pmpo_adds_nothing_heavy_to_torch():
    extra = loaded_by("import pmpo") - loaded_by("import torch")
    assert extra == {"pmpo"} and not extra & set(HEAVY)


def test_the_import_check_can_fail():
    assert "rich" in loaded_by("import pmpo, rich")


def modules_of(room: str) -> Iterator[str]:
    return (name for name in KNOWN if name.startswith(f"pmpo.{room}."))


def test_the_engine_grading_and_rewards_load_no_host():
    """All of the engine, and every name that the fronts of the others offer."""
    code = f"import {', '.join(modules_of('engine'))}\n" + "".join(
        f"import pmpo.{room}\nfor name in pmpo.{room}.__all__: getattr(pmpo.{room}, name)\n"
        for room in ("engine", "grading", "rewards")
    )
    assert not loaded_by(code) & set(HOSTS)


WITHOUT = f"""
import sys
for name in {(*HEAVY, "safetensors", "numpy")!r}:
    sys.modules[name] = None  # what importing a package that is not installed does
"""


def test_checkpoints_are_verified_and_completions_graded_where_no_host_is_installed(tmp_path):
    code = f"""{WITHOUT}
import pmpo.engine, pmpo.grading, pmpo.rewards, {", ".join(modules_of("engine"))}
from pathlib import Path
from pmpo.cli import main
from pmpo.grading import grade
folder = Path(sys.argv[1])
folder.mkdir()
(folder / "weights").write_text("weights")
pmpo.engine.checkpoints.seal(folder, {{"step": 3, "settings": {{"objective": {{"name": "pmpo"}}}}}})
status = main(["checkpoint", "verify", str(folder)])
(folder / "weights").write_text("weight!")
print(status, main(["checkpoint", "verify", str(folder)]))
"""
    said = run(code, str(tmp_path / "checkpoint-3"))
    assert "checkpoint-3: sound" in said and "objective" in said and '{"name": "pmpo"}' in said
    assert "checkpoint-3: damaged" in said and said.endswith("0 1\n")
    with pytest.raises(AssertionError, match="import of transformers halted"):
        run(f"{WITHOUT}\nimport transformers")


def test_public_names_are_those_of_all():
    import pmpo

    public = {name for name, value in vars(pmpo).items() if not name.startswith("_") and not inspect.ismodule(value)}
    assert set(pmpo.__all__) == public | {"__version__"}
    assert callable(pmpo.objective)
