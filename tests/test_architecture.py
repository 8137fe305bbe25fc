"""The house rules, read off the source: sizes, directions, docstrings, shapes. Oracles: `ast` and the signatures."""

import ast
import graphlib
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import typing
from pathlib import Path

import jaxtyping
import pytest
import torch
from torch.testing import assert_close

from minqwen.check import EXERCISES
from minqwen.model import rope

ROOT = Path(__file__).resolve().parent.parent
PATHS = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "minqwen").rglob("*.py"))
}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in PATHS.items()}
every_module = pytest.mark.parametrize("name", PATHS)

LONGER = {}  # module: why it may have more than 200 lines

MAY_IMPORT = {
    "tokenizer": set(),
    "data": set(),
    "model": set(),
    "adapt": set(),
    "prompt": set(),
    "align": {"tokenizer", "data", "model"},
    "check": {"tokenizer", "data", "model", "adapt", "prompt", "align"},
    "show": {"tokenizer", "data", "model", "adapt", "prompt", "align"},
}
WITHOUT_TORCH = {"tokenizer", "data", "prompt"}
HIDDEN_STATE = (
    r"torch\.(load|manual_seed|seed|cuda\.manual_seed\w*)|(np|numpy)\.random\.seed|random\.seed"
    r"|os\.(getenv|environ)|functools\.(cache|lru_cache)"
    r"|\{\}|\[\]|(\w+\.)?(dict|list|set|defaultdict|Counter|OrderedDict|deque|Weak\w+)\(.*\)|global .*"
)
REMEMBERS = {"minqwen.check.hints": {"Counter()"}}  # which of the four hints comes next
OF_ONE_MACHINE = re.compile(r"(?<![\w.])/(work|home|root|Users|tmp)/\w|pypi\.org|pythonhosted\.|npmjs\.(org|com)")


def area(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def imports(name: str) -> set[str]:
    """The modules that a module imports, ours and others."""
    found = set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inner & set(PATHS)) or {node.module}
    return found


def functions(name: str, kind: type | tuple = ast.FunctionDef) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(TREES[name]) if isinstance(node, kind)]


def public_functions(name: str) -> list[ast.FunctionDef]:
    """Functions and methods that users see: no underscore in front, not nested in a function."""
    classes = [node for node in TREES[name].body if isinstance(node, ast.ClassDef) and node.name[0] != "_"]
    scopes = [TREES[name], *classes]
    nodes = [node for scope in scopes for node in scope.body if isinstance(node, ast.FunctionDef)]
    # Exercises hold learners' code, mistakes included.
    return [node for node in nodes if not node.name.startswith("_") and ".lesson_" not in name]


@every_module
def test_a_module_holds_one_idea_on_two_hundred_lines(name):
    assert len(PATHS[name].read_text("utf-8").splitlines()) <= 200 or name in LONGER


@every_module
def test_a_function_fits_on_a_screen(name):
    assert [f.name for f in functions(name) if f.end_lineno - f.lineno >= 40] == []


@every_module
def test_a_module_says_what_it_is(name):
    text = ast.get_docstring(TREES[name]) or ""
    assert text or not TREES[name].body
    if area(name) in ("model", "tokenizer"):
        assert re.search(r"arXiv:\d{4}\.\d{5}|https?://", text), "cite the paper, arXiv:NNNN.NNNNN, or a URL"


@every_module
def test_a_public_function_has_a_docstring_and_annotations(name):
    for function in public_functions(name):
        assert ast.get_docstring(function) or function.name == "forward", function.name
        a = function.args
        given = [arg for arg in a.posonlyargs + a.args + a.kwonlyargs if arg.arg not in ("self", "cls")]
        assert all(arg.annotation for arg in given) and function.returns, function.name


@every_module
def test_imports_point_one_way(name):
    for other in imports(name):
        if other.startswith("minqwen.") and area(name) in MAY_IMPORT and area(other) in MAY_IMPORT:
            assert area(other) in MAY_IMPORT[area(name)] | {area(name)}, f"{name} imports {other}"
        assert not (area(name) in WITHOUT_TORCH and other.split(".")[0] == "torch"), f"{name} imports torch"


def test_imports_have_no_cycle():
    edges = {name: {other for other in imports(name) if other in PATHS} for name in PATHS if name != "minqwen"}
    assert edges.keys() <= set(graphlib.TopologicalSorter(edges).static_order()), "a cycle raises CycleError"


@every_module
def test_modules_are_imported_and_functions_called_through_them(name):
    for node in functions(name, ast.ImportFrom):
        assert node.level == 0 and node.names[0].name != "*", ast.unparse(node)
        if (node.module or "").startswith("minqwen") and PATHS[name].name != "__init__.py":
            for alias in node.names:
                known = f"{node.module}.{alias.name}" in PATHS or alias.name[0].isupper()
                assert known, f"{ast.unparse(node)}: import the module, call {alias.name} through it"


def hidden_state(tree: ast.Module) -> set[str]:
    """Seeds, environment, caches, and tables that a module or a class begins empty, to fill them later."""
    nodes = list(ast.walk(tree))
    spoken = {ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute | ast.Global)}
    spoken |= {
        f"{node.module}.{alias.name}" for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    scopes = [tree, *(node for node in nodes if isinstance(node, ast.ClassDef))]
    begun = [node for scope in scopes for node in scope.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    spoken |= {ast.unparse(node.value) for node in begun if node.value}
    return {words for words in spoken if re.fullmatch(HIDDEN_STATE, words)}


@every_module
def test_a_module_keeps_no_hidden_state(name):
    assert hidden_state(TREES[name]) == REMEMBERS.get(name, set())


@pytest.mark.parametrize(
    "source",
    [
        "from functools import cache",
        "from functools import lru_cache as remember",
        "import functools\n@functools.cache\ndef f(): ...",
        "import torch\ntorch.manual_seed(0)",
        "from os import environ",
        "_TABLES = {}",
        "_TABLES: dict[int, int] = dict()",
        "class Rope:\n    tables = []",
        "import weakref\n_MODELS = weakref.WeakKeyDictionary()",
        "def f():\n    global count",
    ],
)
def test_hidden_state_is_found(source):
    assert len(hidden_state(ast.parse(source))) == 1


def test_shapes_are_checked_in_every_test_run():
    with pytest.raises(jaxtyping.TypeCheckError):
        rope.apply_rope(torch.zeros(5, 14), torch.zeros(5, 6))


LETTERS = {"T": 5, "S": 7, "D": 14, "Dv": 11, "C": 22, "F": 13, "V": 17, "H": 3, "Hkv": 2, "m": 13, "n": 19, "R": 3}
WORDS = {"n_heads": 2, "groups": 3, "d_head": 14, "factor": 3.0, "trained_length": 5, "scale": 0.5}


def shape_of(annotation: object) -> typing.Any:
    """The jaxtyping annotation in `annotation`, which may be a union, or None."""
    return next((a for a in typing.get_args(annotation) or [annotation] if hasattr(a, "dim_str")), None)


def batched_functions() -> list[typing.Callable]:
    """Every public function that promises "*batch" of its result."""
    modules = [importlib.import_module(name) for name, path in PATHS.items() if "*batch" in path.read_text("utf-8")]
    members = [(m, f) for m in modules for _, f in inspect.getmembers(m, inspect.isfunction)]
    found = [inspect.unwrap(f) for m, f in members if f.__module__ == m.__name__]
    return [f for f in found if "*batch" in getattr(shape_of(inspect.signature(f).return_annotation), "dim_str", "")]


def draw(annotation: typing.Any, batch: tuple[int, ...], rng: torch.Generator) -> torch.Tensor:
    """Random numbers of the shape and kind that an annotation names."""
    axes = annotation.dim_str.replace("#", "").split()
    sizes = [[eval(axis.strip("{}"), LETTERS | WORDS)] if "batch" not in axis else batch for axis in axes]
    x = torch.randn([n for axis in sizes for n in axis], generator=rng, dtype=torch.float64)
    return x > 0 if "bool" in annotation.dtypes else x if "float64" in annotation.dtypes else (x * 9).long().abs()


@pytest.mark.parametrize("function", batched_functions(), ids=lambda f: f.__name__)
def test_batching_changes_nothing(function):
    rng, parameters = torch.Generator().manual_seed(0), inspect.signature(function).parameters
    shapes = {name: shape for name, p in parameters.items() if (shape := shape_of(p.annotation))}
    rest = {name: p for name, p in parameters.items() if name not in shapes and p.default is p.empty}
    assert set(rest) <= set(WORDS), "these cannot be drawn: give WORDS a value for each"
    words = {name: WORDS[name] for name in rest}
    tensors = {name: draw(shape, (3,), rng) for name, shape in shapes.items()}
    together = function(**tensors, **words)
    for i in range(3):
        one = {n: x[i] if "batch" in shapes[n].dim_str else x for n, x in tensors.items()}
        assert_close(together[i], function(**one, **words))


def test_an_exercise_names_a_function_and_a_lesson_that_exist():
    for name, exercise in EXERCISES.items():
        assert (ROOT / "notebooks" / "src" / f"{exercise.lesson}.py").exists(), exercise.lesson
        assert (exercise.kind == "implement") == (exercise.home is not None)
        if exercise.home:
            assert pkgutil.resolve_name(exercise.home).__name__ == name


def test_no_shipped_file_names_a_place_of_one_machine():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    texts = [path for path in paths if path.suffix in {".py", ".md", ".toml", ".yml", ".ipynb", ".json", ".cfg"}]
    found = [f"{p.relative_to(ROOT)}: {m[0]}" for p in texts for m in OF_ONE_MACHINE.finditer(p.read_text("utf-8"))]
    assert found == []


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=["lint", "format"])
def test_ruff_has_nothing_to_say(command):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
