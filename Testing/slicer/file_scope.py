"""What Python files import when they are imported, without running them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path


def imported_at_file_scope(path: Path) -> list[str]:
    """Full names of what a file imports outside functions and outside ``if TYPE_CHECKING``.

    ``from a import b`` counts as ``a.b``, which may be a module or a name in one.
    """
    return list(_imports(ast.parse(path.read_text(encoding="utf-8")).body))


def reached_at_file_scope(path: Path, roots: Mapping[str, Path]) -> dict[str, list[str]]:
    """Everything from elsewhere that is imported, directly or not, when a file is.

    Args:
        path: the file.
        roots: folder on Python's path by package whose files are looked into in turn.

    Returns:
        Files on the way by name of what is imported at its end.
    """
    reached: dict[str, list[str]] = {}
    seen = {path}
    waiting = [(path, [path.name])]
    while waiting:
        file, way = waiting.pop(0)
        for name in imported_at_file_scope(file):
            root = roots.get(name.partition(".")[0])
            if root is None:
                reached.setdefault(name, way)
                continue
            for module in _modules(name, root):
                if module not in seen:
                    seen.add(module)
                    waiting.append((module, [*way, str(module.relative_to(root))]))
    return reached


def _imports(body: Iterable[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imports(node.orelse)
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for block in ("body", "orelse", "finalbody"):
                yield from _imports(getattr(node, block, []))
            for handler in getattr(node, "handlers", []):
                yield from _imports(handler.body)


def _modules(name: str, root: Path) -> Iterator[Path]:
    """Files that Python runs for a dotted name: its packages' and, where it is a module, its own."""
    path = root
    for part in name.split("."):
        path = path / part
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file():
                yield file
