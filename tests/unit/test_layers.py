"""Who may import whom, who may touch the outside, and how large things may grow: read from the source with `ast`."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"
LOCKSTEP = TOOLS / "lockstep"
# Parts of the standard library that compute and do nothing else, and the libraries that core is built on.
PURE = {
    *(
        "__future__",
        "abc",
        "base64",
        "bisect",
        "collections",
        "contextlib",
        "copy",
        "dataclasses",
        "difflib",
        "functools",
        "hashlib",
        "html",
    ),
    *(
        "enum",
        "fractions",
        "hashlib",
        "html",
        "itertools",
        "json",
        "math",
        "operator",
        "posixpath",
        "re",
        "string",
        "textwrap",
        "types",
        "typing",
    ),
}
CORE_LIBRARIES = {"pydantic", "pydantic_core", "jinja2", "markupsafe", "yaml", "semver"}
LAYERS = {
    "core": {"oci", "adapters", "verbs", "runner", "cli"},
    "oci": {"verbs", "cli", "runner"},
    "adapters": {"verbs", "cli", "runner"},
    "verbs": {"cli"},
    "runner": {"verbs", "cli"},
    "truth": {"oci", "verbs", "runner", "cli"},
}
STARTERS = {"subprocess", "multiprocessing", "pty"}
# Files beside adapters/process.py that name a process module, and why that starts nothing there.
NAMES_PROCESSES = {
    "runner/supervise.py": "waits for a child that process.start returned",
    "runner/ports.py": "the type of such a child",
    "runner/reconcile.py": "the type of such a child",
    "runner/child.py": "the type of such a child",
}
WRITERS = {
    *("write_text", "write_bytes", "unlink", "mkdir", "makedirs", "rename", "replace", "rmdir", "rmtree", "remove"),
    *(
        "removedirs",
        "symlink_to",
        "hardlink_to",
        "touch",
        "copyfile",
        "copytree",
        "copy2",
        "move",
        "mkdtemp",
        "mkstemp",
    ),
    *("truncate", "chmod"),
}
# The same words on things that are no files: (file, call) and what it is.
NO_FILES = {
    ("runner/reconcile.py", "traffic.move"): "moves the front's traffic",
    ("runner/reconcile.py", "world.traffic.left.remove"): "takes an item out of a list",
}
LIMIT_FILE, LIMIT_FUNCTION, LIMIT_PARAMETERS = 300, 40, 5
# Exceptions of today, each with its size: they may shrink or go, and nothing may be added.
LONG_FILES: dict[str, int] = {}
LONG_FUNCTIONS: dict[str, int] = {}
MANY_PARAMETERS = {"lockstep/core/picture.py: _text": 6}


@functools.cache
def _trees(root: Path) -> dict[str, ast.Module]:
    return {
        path.relative_to(root).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(root.rglob("*.py"))
        if "scaffold" not in path.relative_to(root).parts
    }


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "lockstep")


def _calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Dotted names of what is called, as far as they are written out, and the calls."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def _below(folder: str) -> dict[str, ast.Module]:
    return {path: tree for path, tree in _trees(LOCKSTEP).items() if path.startswith(f"{folder}/")}


def test_there_is_something_to_read() -> None:
    assert len(_trees(LOCKSTEP)) > 50
    assert all(_below(folder) for folder in LAYERS)


def test_core_imports_what_is_pure_and_itself() -> None:
    wrong = [
        f"{path}: {name}"
        for path, tree in _below("core").items()
        for name in _imports(tree)
        if name.split(".")[0] not in PURE | CORE_LIBRARIES and not name.startswith("lockstep.core")
    ]

    assert wrong == []


@pytest.mark.parametrize("folder", LAYERS)
def test_a_layer_imports_no_layer_above_it(folder: str) -> None:
    wrong = [
        f"{path}: {name}"
        for path, tree in _below(folder).items()
        for name in _imports(tree)
        if name.startswith("lockstep.") and name.split(".")[1] in LAYERS[folder]
    ]

    assert wrong == []


def test_only_process_py_starts_processes() -> None:
    starts = {
        f"{path}: {name}"
        for path, tree in _trees(LOCKSTEP).items()
        if path != "adapters/process.py"
        for name, _ in _calls(tree)
        if name.split(".")[0] in STARTERS
        or name.startswith(("os.exec", "os.fork", "os.spawn", "os.posix_spawn", "os.system", "os.popen"))
        or "create_subprocess" in name
    }
    names = {
        path for path, tree in _trees(LOCKSTEP).items() if STARTERS & {name.split(".")[0] for name in _imports(tree)}
    }

    assert starts == set()
    assert names - {"adapters/process.py"} <= set(NAMES_PROCESSES)


def test_only_the_command_line_prints_and_exits() -> None:
    wrong = [
        f"{path}:{node.lineno}: {name}"
        for path, tree in _trees(LOCKSTEP).items()
        if not path.startswith("cli/")
        for name, node in _calls(tree)
        if name in {"print", "sys.exit", "exit", "quit", "os._exit", "sys.stdout.write", "sys.stderr.write"}
    ]

    assert wrong == []


def _writes(name: str, node: ast.Call) -> bool:
    last = name.rpartition(".")[2]
    if last in {"open", "fdopen"}:
        modes = [
            one.value for one in [*node.args, *(key.value for key in node.keywords)] if isinstance(one, ast.Constant)
        ]
        return any(isinstance(mode, str) and set(mode) <= set("rwxabt+") and set(mode) & set("wxa+") for mode in modes)
    if last == "replace":
        return (
            name == "os.replace" or len(node.args) == 1
        )  # str.replace takes two arguments, dataclasses.replace is bare
    return "." in name and last in WRITERS


def test_only_files_py_writes_files() -> None:
    found = {
        (path, name)
        for path, tree in _trees(LOCKSTEP).items()
        if path != "adapters/files.py"
        for name, node in _calls(tree)
        if "." in name and _writes(name, node) and not name.startswith(("files.", "dataclasses."))
    }

    assert sorted(found - set(NO_FILES)) == []


def test_no_file_is_longer_than_its_limit() -> None:
    found = {
        path: lines
        for path in _trees(TOOLS)
        if (lines := len((TOOLS / path).read_text(encoding="utf-8").splitlines())) > LONG_FILES.get(path, LIMIT_FILE)
    }

    assert found == {}


def _functions(root: Path) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path, tree in _trees(root).items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path}: {node.name}", node


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, without the docstring: what is explained at length is not punished."""
    said = node.body[0] if ast.get_docstring(node) else None
    return (node.end_lineno or 0) - node.lineno + 1 - ((said.end_lineno or 0) - said.lineno + 1 if said else 0)


def test_no_function_is_longer_than_its_limit() -> None:
    found = {
        name: lines
        for name, node in _functions(TOOLS)
        if (lines := _length(node)) > LONG_FUNCTIONS.get(name, LIMIT_FUNCTION)
    }

    assert found == {}


def test_no_function_takes_more_parameters_than_its_limit() -> None:
    """A command's parameters are its options, which click hands over one by one."""
    found = {}
    for name, node in _functions(TOOLS):
        given = [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        count = len([one for one in given if one not in {"self", "cls"}])
        is_command = any("command" in ast.unparse(one) for one in node.decorator_list)
        if not is_command and count > MANY_PARAMETERS.get(name, LIMIT_PARAMETERS):
            found[name] = count

    assert found == {}


def test_the_exceptions_are_still_needed() -> None:
    """An exception that fits the limit by now is struck off the list."""
    lengths = {name: _length(node) for name, node in _functions(TOOLS)}

    assert [
        path for path in LONG_FILES if len((TOOLS / path).read_text(encoding="utf-8").splitlines()) <= LIMIT_FILE
    ] == []
    assert [name for name in LONG_FUNCTIONS if lengths.get(name, 0) <= LIMIT_FUNCTION] == []
