"""A file imports only from lower floors, or from what stands left of it on its own."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "arjax"
FLOORS = (
    ("orders", "protocol", "arguments", "cache", "sharding"),
    ("data", "heads", "layers", "pictures", "flops"),
    ("models", "tokenizers"),
    ("likelihood", "sampling", "coding", "interop"),
    ("training", "testing", "figures", "ceilings", "bench", "results", "trial"),
    ("commands",),
    ("__main__",),
)
# Modules of these floors lean on those further left; the others stand beside each other.
ORDERED = (0, 3, 4)


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
    if importer == target:
        return True
    (above, column), (below, other) = (
        next((f, floor.index(name)) for f, floor in enumerate(FLOORS) if name in floor) for name in (importer, target)
    )
    return below < above or (below == above and above in ORDERED and other < column)


def test_the_rule_can_fail():
    assert imported("from arjax.heads.bernoulli import Bernoulli\nimport jax") == ["heads.bernoulli.Bernoulli"]
    assert imported("def f():\n    from arjax import testing") == ["testing"]
    for importer, target in (("sampling", "likelihood"), ("models", "orders"), ("data", "data"), ("bench", "testing")):
        assert may_import(importer, target)
    for importer, target in (("likelihood", "sampling"), ("orders", "models"), ("heads", "data")):
        assert not may_import(importer, target)


@pytest.mark.parametrize("file", sorted(ROOT.rglob("*.py")), ids=lambda file: str(file.relative_to(ROOT)))
def test_a_file_imports_only_from_lower_floors(file):
    name = file.relative_to(ROOT)
    importer = name.parts[0].removesuffix(".py")
    if importer == "__init__":
        return  # it gathers the public names of every floor
    for name in imported(file.read_text()):
        assert may_import(importer, name.split(".")[0]), (
            f"arjax/{file.relative_to(ROOT)} imports arjax.{name}, which stands no lower"
        )
