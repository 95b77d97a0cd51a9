"""Rules of the house that a tool can check on the sources themselves."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import ModuleType

import pytest

import calibration
import hil
import hil.errors
import hil.types
import procedures
import twin
from hil.errors import HilError

PACKAGES = (hil, twin, procedures, calibration)
ROOT = Path(hil.__file__).parents[1]


def modules(package: ModuleType) -> Iterator[str]:
    yield package.__name__
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield found.name


def sources(*packages: str) -> list[Path]:
    found = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    assert len(found) > 10
    return sorted(found)


def public_definitions(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Public classes and functions of a module, and public methods of public classes."""
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in tree.body:
        if isinstance(node, kinds) and not node.name.startswith("_"):
            yield node.name, node
            if isinstance(node, ast.ClassDef):
                for inner in node.body:
                    if isinstance(inner, kinds) and not inner.name.startswith("_"):
                        yield f"{node.name}.{inner.name}", inner


def is_documented_elsewhere(node: ast.AST, path: Path) -> bool:
    """Whether a foreign base class (click, Qt, pymeasure) or a getter documents a method."""
    return isinstance(node, ast.FunctionDef) and (
        "gui" in path.parts
        or node.name in {"list_commands", "get_command", "listen"}
        or any(ast.unparse(decorator).endswith(".setter") for decorator in node.decorator_list)
    )


def test_everything_public_has_a_docstring() -> None:
    bare = []
    for path in sources("hil", "twin", "procedures", "calibration"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        name = str(path.relative_to(ROOT))
        if not ast.get_docstring(tree):
            bare.append(name)
        bare += [
            f"{name}: {what}"
            for what, node in public_definitions(tree)
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and not ast.get_docstring(node)
            and not is_documented_elsewhere(node, path)
        ]
    assert bare == []


# --- units --------------------------------------------------------------------------------------

UNITS = ("v", "a", "ohm", "siemens", "s", "j", "hz", "w", "k", "c", "ratio", "rad", "ns")
COUNTS_AND_PLACES = {"cells", "cell", "shape", "devices", "position"}


def is_dimensioned(annotation: str) -> bool:
    return "float" in annotation.lower()


@pytest.mark.parametrize(
    "cls",
    [c for c in vars(hil.types).values() if inspect.isclass(c) and is_dataclass(c)],
    ids=lambda c: str(c.__name__),
)
def test_every_dimensioned_field_ends_in_its_unit(cls: type) -> None:
    for field in fields(cls):
        if is_dimensioned(str(field.type)):
            assert field.name.split("_")[-1] in UNITS, field.name
        else:
            assert field.name.split("_")[-1] not in UNITS or field.name.startswith("n_")


def test_columns_of_the_database_end_in_their_units() -> None:
    from hil.store import TABLES

    for table, columns in TABLES.items():
        for column, kind in columns.items():
            if kind is float and (table, column) != ("metrics", "value"):
                assert column.split("_")[-1] in UNITS, (table, column)


# --- errors -------------------------------------------------------------------------------------


def drawn_tree() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return parent and other bases of every error in the drawing, by name."""
    drawing = (hil.errors.__doc__ or "").split("::\n", 1)[1]
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    above: dict[int, str] = {}
    for line in drawing.splitlines():
        match = re.match(r"^(?P<tree>[ │├└─]*)(?P<name>[A-Z]\w+)(?: \((?P<bases>[\w, ]+)\))?", line)
        if not match or line.startswith("A message"):
            continue
        depth = len(match["tree"])
        parents = [d for d in above if d < depth]
        parent = above[max(parents)] if parents else ""
        above = {d: n for d, n in above.items() if d < depth} | {depth: match["name"]}
        found[match["name"]] = (parent, tuple((match["bases"] or "").split(", ")))
    return found


def all_errors() -> set[type[HilError]]:
    for package in PACKAGES:
        for name in modules(package):
            if "gui" not in name:
                importlib.import_module(name)

    def below(cls: type[HilError]) -> set[type[HilError]]:
        return {cls}.union(*(below(sub) for sub in cls.__subclasses__()))

    ours = {package.__name__ for package in PACKAGES}
    return {cls for cls in below(HilError) if cls.__module__.split(".")[0] in ours}


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    drawn, real = drawn_tree(), all_errors()
    assert set(drawn) == {cls.__name__ for cls in real}
    assert len(drawn) > 10
    for cls in real - {HilError}:
        parent, others = drawn[cls.__name__]
        names = [base.__name__ for base in cls.__bases__]
        assert names[0] == parent
        assert tuple(names[1:]) == tuple(filter(None, others)), cls


def test_errors_are_raised_by_their_names() -> None:
    """No bare ``Exception`` and no bare builtin error leaves this project's code on purpose."""
    bare = {"Exception", "BaseException", "RuntimeError", "OSError", "IOError"}
    raised = []
    for path in sources("hil", "twin", "procedures"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                name = getattr(node.exc.func, "id", "")
                if name in bare:
                    raised.append(f"{path.relative_to(ROOT)}:{node.lineno} {name}")
    assert raised == []


# --- time and chance ----------------------------------------------------------------------------


def calls(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


def test_nobody_sleeps_outside_of_the_clock() -> None:
    sleepers = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources("twin", "procedures")
        for line, name in calls(path)
        if name in ("time.sleep", "sleep")
    ]
    assert sleepers == []


def test_no_global_randomness() -> None:
    allowed = {"default_rng", "Generator", "SeedSequence"}
    found = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in sources("hil", "twin", "procedures")
        for line, name in calls(path)
        if name.startswith(("np.random.", "random.")) and name.split(".")[-1] not in allowed
    ]
    assert found == []


def test_broad_excepts_say_why() -> None:
    silent = []
    for path in sources("hil", "twin", "procedures"):
        lines = path.read_text(encoding="utf-8").splitlines()
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, ast.ExceptHandler):
                caught = "" if node.type is None else ast.unparse(node.type)
                if caught not in ("", "Exception", "BaseException"):
                    continue
                near = lines[node.lineno - 1 : node.lineno + 2]
                raises_again = any(isinstance(n, ast.Raise) and not n.exc for n in ast.walk(node))
                if not raises_again and not any("#" in line for line in near):
                    silent.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert silent == []
