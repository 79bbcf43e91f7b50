"""Imports run one way: down the list of DESIGN, from the law to the commands."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2] / "arjax"
# Each imports only from what stands before it.
ORDER = (
    "errors", "allocator", "files", "description", "orders", "protocol", "cache", "sharding", "arguments", "likelihood",
    "sliding", "grids", "pictures",
    "heads", "layers", "models", "sampling", "coding", "interop", "testing",
    "data", "tokenizers", "training", "runs", "measure", "commands", "__main__",
)  # fmt: skip


def imported(source: str) -> list[str]:
    """The names below arjax that a file imports, at its head or inside a function: "heads.bernoulli", "likelihood"."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = "arjax" if node.level else node.module
            below = f".{node.module}" if node.level and node.module else ""
            names += [f"{package}{below}.{alias.name}" for alias in node.names]
    return [name.removeprefix("arjax.") for name in names if name.startswith("arjax.")]


def may_import(importer: str, target: str) -> bool:
    """May a file of `importer` import from `target`, both the first name below arjax?"""
    return ORDER.index(target) <= ORDER.index(importer)


def test_may_import_tells_up_from_down():
    assert imported("from arjax.heads.bernoulli import Bernoulli\nimport jax") == ["heads.bernoulli.Bernoulli"]
    assert imported("def f():\n    from arjax import testing") == ["testing"]
    for importer, target in (("sampling", "likelihood"), ("models", "orders"), ("data", "data"), ("measure", "testing")):
        assert may_import(importer, target)
    for importer, target in (("likelihood", "sampling"), ("orders", "models"), ("heads", "data")):
        assert not may_import(importer, target)


def test_imported_names_of_every_file_stand_before_it():
    for file in sorted(ROOT.rglob("*.py")):
        importer = file.relative_to(ROOT).parts[0].removesuffix(".py")
        if importer == "__init__":
            continue  # it gathers the public names of all
        for name in imported(file.read_text()):
            assert may_import(importer, name.split(".")[0]), (
                f"{file.relative_to(ROOT.parent)} imports arjax.{name}, which does not stand before it"
            )
