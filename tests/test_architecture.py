"""The house stands as ARCHITECTURE.md draws it: who may import whom."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = [
    {"newsletter.cli", "newsletter.web", "newsletter.demo", "newsletter.__main__"},
    {"newsletter.app"},
    {"newsletter.check", "newsletter.doctor", "newsletter.backup"},
    {"newsletter.notices", "newsletter.privacy"},
    {"newsletter.schedule", "newsletter.delivery", "newsletter.feedback"},
    {"newsletter.render"},
    {"newsletter.images"},
    {"newsletter.content"},
    {
        "newsletter.database",
        "newsletter.migrations",
        "newsletter.site",
        "newsletter.listening",
        "newsletter.log",
        "newsletter.receipts",
    },
    {"newsletter.settings", "newsletter.settings_values", "newsletter.settings_file"},
    {"newsletter.models"},
    {"newsletter.states", "newsletter.errors", "newsletter.files", "newsletter"},
    {"subscribers"},
]
"""From the door to the foundation; a module imports from its own layer or from those below."""

SEAMS = {
    # (importer, imported): why a module reaches up, or past its own layer.
    ("newsletter.settings", "newsletter.render.headers"): "a mailbox of the settings is one as in a header",
    (
        "newsletter.settings_values",
        "newsletter.render.headers",
    ): "a mailbox in a setting is read as in a header",
    (
        "newsletter.settings_values",
        "newsletter.schedule.cadence",
    ): "a cadence in a setting is read as any other",
}


def modules() -> Iterator[tuple[str, Path]]:
    for package in ("newsletter", "subscribers"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


@functools.cache
def imports(path: Path, *, also_types: bool = False) -> tuple[str, ...]:
    """What a module imports of ours, inside functions too; imports for type checking only on request."""
    return tuple(_imports(path, also_types=also_types))


def _imports(path: Path, *, also_types: bool) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not also_types:
            skipped |= {child for statement in node.body for child in ast.walk(statement)}
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def layer(module: str) -> int:
    found = [
        number
        for number, names in enumerate(LAYERS)
        for name in names
        if module == name or (name != "newsletter" and module.startswith(f"{name}."))
    ]
    assert found, f"{module} has no layer: give it one in tests/test_architecture.py"
    return found[0]


OURS = [
    (module, imported)
    for module, path in modules()
    for imported in sorted(set(imports(path)))
    if imported.partition(".")[0] in ("newsletter", "subscribers")
]


def test_modules_import_downwards_only() -> None:
    """A module imports from its own layer or from below; every exception is a seam with its reason."""
    upwards = [(a, b) for a, b in OURS if layer(b) < layer(a) and (a, b) not in SEAMS]
    assert upwards == []


def test_subscribers_knows_nothing_of_the_newsletter() -> None:
    """Newsletter imports subscribers, never back, not even for types."""
    back = [
        (module, imported)
        for module, path in modules()
        if module.partition(".")[0] == "subscribers"
        for imported in imports(path, also_types=True)
        if imported.partition(".")[0] == "newsletter"
    ]
    assert back == []


def test_there_is_no_import_circle() -> None:
    """No module imports itself by any way round."""
    graph: dict[str, set[str]] = {}
    for module, imported in OURS:
        graph.setdefault(module, set()).add(imported)
    done: set[str] = set()

    def walk(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " → ".join((*way[way.index(module) :], module))
        if module not in done:
            for imported in sorted(graph.get(module, ())):
                walk(imported, (*way, module))
            done.add(module)

    for module in sorted(graph):
        walk(module, ())


@pytest.mark.parametrize(
    ("library", "home"),
    [
        ("apscheduler", {"newsletter.schedule.runner"}),
        ("aiosmtplib", {"newsletter.delivery.smtp"}),
        ("aiosmtpd", {"newsletter.delivery.sandbox", "newsletter.feedback.served"}),
        ("imapclient", {"newsletter.feedback.imap"}),
        ("flufl", {"newsletter.feedback.detectors"}),
        ("mjml", {"newsletter.render.mjml"}),
        ("nh3", {"newsletter.content.html"}),
        ("PIL", {"newsletter.images.picture"}),
        ("resvg_py", {"newsletter.images.rasterise"}),
        ("pygments", {"newsletter.render.highlight"}),
        ("html5lib", set()),
        ("uvloop", {"newsletter.app"}),
        ("cryptography", {"newsletter.delivery.dkim", "newsletter.delivery.dkim_keys"}),
        ("dkim", set()),
        ("rich", {"newsletter.cli.watch"}),
        ("dns", {"newsletter.doctor.names"}),
        ("smtplib", {"newsletter.doctor.inbound", "newsletter.doctor.relay"}),
        ("sqlite3", {"newsletter.database", "newsletter.backup.sqlite"}),
    ],
)
def test_a_library_has_one_home(library: str, home: set[str]) -> None:
    """What may be exchanged one day is imported in one place."""
    users = {
        module for module, path in modules() for name in imports(path) if name.partition(".")[0] == library
    }
    assert users == home


def test_only_the_database_module_knows_a_dialect() -> None:
    """Statements that two databases spell differently are written in one place, and in the owners' locks."""
    users = {
        module
        for module, path in modules()
        if "sqlalchemy.dialects" in " ".join(imports(path)) or "pg_" in path.read_text(encoding="utf-8")
    }
    assert users <= {
        "newsletter.database",
        "newsletter.delivery.ownership",
        "newsletter.migrations.env",
        "newsletter.backup.postgresql",
    }
