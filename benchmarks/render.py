"""What making a letter of a post costs, as a multiple of bare Markdown and bare MJML.

    python benchmarks/render.py [--posts DIR ...] [--runs N] [--json]

For each Markdown post in the folders (the demo's, if none is named) two things are done in turn, so that
whatever else the machine does falls on both alike: the whole way from the file's bytes to HTML and plain
text; and bare `markdown.markdown()` of the same body, with bare `mjml2html()` of the letter's MJML. Printed
is the ratio of the medians of each post, and the median of those. Promised is at most 4; beyond that the
exit code is 1.

Beside it stands npm's mjml compiling the same MJML, where `tests/node` has it (`make test` installs it).
Files that are no posts are named and left out; if none is left, the exit code is 2.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from markdown import markdown
from mjml import mjml2html

from newsletter.content.post import PostSource, parse_post
from newsletter.errors import ContentError
from newsletter.render.edition import EditionMaker, Occasion
from newsletter.render.letter import Rendering
from newsletter.render.renderer import render_letter
from newsletter.render.slots import Slots
from newsletter.settings import Settings

PROMISED = 4
ROOT = Path(__file__).parent.parent
DEMO = ROOT / "newsletter" / "demo" / "posts"
NPM = ROOT / "tests" / "node"

_SLOTS = Slots(
    "reader@example.com", "https://news.example.com/u/example", "https://news.example.com/preferences/example"
)
_SITE = {
    "name": "Your newsletter",
    "from": "Your newsletter <news@example.com>",
    "base_url": "https://news.example.com",
    "postal_address": "Your postal address",
}


def whole_way(data: bytes, path: Path, maker: EditionMaker) -> Rendering:
    """From a post's bytes to its letter."""
    made = maker.letter(Occasion("advice", "Advice"), [parse_post(data, path)])
    return render_letter(maker.environment, maker.theme, made.letter, _SLOTS)


def yardstick(body: str, mjml: str) -> None:
    """The least that any program with the same two libraries does."""
    markdown(body)
    mjml2html(mjml)


def milliseconds(work: Callable[[], object]) -> float:
    """How long one call took."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def npm_milliseconds(sources: list[str], runs: int) -> list[float] | None:
    """The median time npm's mjml takes for each source, without its start; None where it is not installed."""
    if shutil.which("node") is None or not (NPM / "node_modules" / "mjml").is_dir():
        return None
    lines = [json.dumps({"mjml": source}) for _ in range(runs + 1) for source in sources]
    command = ["node", str(NPM / "mjml.mjs")]
    ran = subprocess.run(command, input="\n".join([*lines, ""]), capture_output=True, text=True, check=True)
    times = [json.loads(line).get("ms", 0.0) for line in ran.stdout.splitlines()][len(sources) :]
    return [median(times[place :: len(sources)]) for place in range(len(sources))]


def measure(posts: list[tuple[Path, bytes, PostSource]], runs: int) -> list[dict[str, Any]]:
    """A row for each post: its medians in milliseconds, and their ratio."""
    maker = EditionMaker(Settings.model_validate({"site": _SITE}), None)
    letters = [whole_way(data, path, maker).mjml for path, data, _ in posts]  # warms all caches
    our_times: list[list[float]] = [[] for _ in posts]
    bare_times: list[list[float]] = [[] for _ in posts]
    for _ in range(runs):
        for number, (path, data, source) in enumerate(posts):
            ours = partial(whole_way, data, path, maker)
            our_times[number].append(milliseconds(ours))
            bare_times[number].append(milliseconds(partial(yardstick, source.markdown, letters[number])))
    npm = npm_milliseconds(letters, runs)
    return [
        {
            "post": path.name,
            "bytes": len(data),
            "ms": round(median(our_times[number]), 2),
            "yardstick_ms": round(median(bare_times[number]), 2),
            "ratio": round(median(our_times[number]) / median(bare_times[number]), 2),
            "npm_mjml_ms": round(npm[number], 2) if npm else None,
        }
        for number, (path, data, _) in enumerate(posts)
    ]


def read(folders: list[Path]) -> list[tuple[Path, bytes, PostSource]]:
    """The posts of some folders; what is none is named on standard error."""
    posts = []
    for path in sorted(path for folder in folders for path in folder.glob("*.md")):
        data = path.read_bytes()
        try:
            posts.append((path, data, parse_post(data, path)))
        except ContentError as error:
            print(error, file=sys.stderr)
    return posts


def main() -> None:
    """Measure, print, and leave with 0 if the promise is kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--posts", type=Path, metavar="DIR", action="append", help="a folder of posts")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    options = parser.parse_args()
    posts = read(options.posts or [DEMO])
    if not posts:
        parser.error("no post there")
    rows = measure(posts, options.runs)
    ratio = round(median(row["ratio"] for row in rows), 2)
    if options.json:
        print(
            json.dumps({"promised": PROMISED, "ratio": ratio, "runs": options.runs, "posts": rows}, indent=2)
        )
    else:
        for row in rows:
            npm = f"npm mjml {row['npm_mjml_ms']} ms" if row["npm_mjml_ms"] is not None else "no npm mjml"
            print(
                f"{row['ratio']:5} × {row['yardstick_ms']:6} ms = {row['ms']:6} ms  {npm:>18}  {row['post']}"
            )
        print(f"{ratio} ×, the median of {len(rows)} posts; promised at most {PROMISED}")
    sys.exit(int(ratio > PROMISED))


if __name__ == "__main__":
    main()
