"""What a benchmark prints of what it measured."""

import json
from collections.abc import Mapping
from typing import Any


def tell(figures: Mapping[str, Any], *, as_json: bool) -> None:
    """Print figures, for a program or for a person."""
    if as_json:
        print(json.dumps(figures))
    else:
        for key, value in figures.items():
            print(f"{key:24} {value}")
