"""Where the templates and themes that came with Paperround lie."""

from pathlib import Path


def builtin_templates() -> Path:
    """The folder of the templates that came with Paperround, in a wheel or in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent / "templates"
