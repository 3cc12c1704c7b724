"""Markdown becomes a clean tree: what blogs hold is understood, what attackers write is inert."""

import re
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from newsletter.content import html as tree_module
from newsletter.content.html import TAGS, plain
from newsletter.content.markdown import MAX_URL_CHARS, to_tree
from newsletter.content.post import read_post
from newsletter.content.source_blocks import Heading
from newsletter.content.taming import MAX_DEPTH
from newsletter.errors import ContentError

SHARED = Path(__file__).resolve().parents[3] / "shared"
REAL_POSTS = sorted([*SHARED.glob("seed/*.md"), *SHARED.glob("corpus/*.md")])

WORDS = st.lists(st.from_regex(r"[A-Za-zא-ת]{1,8}[0-9]{0,2}", fullmatch=True), min_size=1, max_size=12)
ATTRIBUTES = {"src", "alt", "title", "width", "height", "href", "start", "align", "colspan", "rowspan", "dir"}
ATTRIBUTES |= {"lang", "class", "data-by", "data-card", "data-language"}


def html(markdown: str, base_url: str | None = None) -> str:
    """The inside of the tree, without the white space between blocks."""
    text = ET.tostring(to_tree(markdown, base_url=base_url), encoding="unicode")
    inside = text.removeprefix("<div>").removesuffix("</div>").removeprefix("<div />")
    return re.sub(r"\s*\n\s*", "", inside)


def assert_clean(tree: ET.Element) -> None:
    """Only what the tree promises, and XML that reads back as it was written."""
    for node in tree.iter():
        assert node.tag in TAGS
        assert set(node.attrib) <= ATTRIBUTES
        for key in ("href", "src"):
            if key in node.attrib:
                allowed = ("http", "https", "") if key == "src" else ("http", "https", "mailto", "tel", "")
                assert urlsplit(node.attrib[key]).scheme in allowed
        assert node.tag != "img" or "alt" in node.attrib
    assert all(child.tag in tree_module.BLOCKS for child in tree)
    assert not any(tree_module.is_empty(node) for node in tree.iter("p"))
    assert not (tree.text or "").strip()
    assert not any((child.tail or "").strip() for child in tree)
    written = ET.tostring(tree, encoding="unicode")
    assert ET.tostring(ET.fromstring(written), encoding="unicode") == written


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("a *b* **c** ~~d~~ `e`", "<p>a <em>b</em> <strong>c</strong> <del>d</del> <code>e</code></p>"),
        ("# One\n## Two", "<h2>One</h2><h2>Two</h2>"),
        ("#1 in the list", "<p>#1 in the list</p>"),
        ("a\n***\nb", "<p>a</p><hr /><p>b</p>"),
        ("Title\n=====\nb", "<h2>Title</h2><p>b</p>"),
        ("3. c\n4. d", '<ol start="3"><li>c</li><li>d</li></ol>'),
        ("> a<br><br>b", "<blockquote><p>a</p><p>b</p></blockquote>"),
        ("Term\n: Meaning", "<dl><dt>Term</dt><dd>Meaning</dd></dl>"),
        ("|a|\n|:-:|\n|b|",
         '<table><thead><tr><th align="center">a</th></tr></thead>'
         '<tbody><tr><td align="center">b</td></tr></tbody></table>'),
        ("a[^1]\n\n[^1]: note", "<p>a<sup>1</sup></p><hr /><ol><li><p>note\xa0</p></li></ol>"),
        ("<b>a</b> <i>b</i> <u>c</u> <s>d</s> <kbd>e</kbd>",
         "<p><strong>a</strong> <em>b</em> <ins>c</ins> <del>d</del> <code>e</code></p>"),
        ("<section>a</section>\n\n<details><summary>b</summary>c</details>", "<p>a</p><p>b</p><p>c</p>"),
        ('<div dir="rtl"><p>שלום</p></div>', '<div dir="rtl"><p>שלום</p></div>'),
        ("<div>a\n\n*b*</div>", "<p>a</p><p><em>b</em></p>"),
        (r"\<A\> \> \#", "<p>&lt;A&gt; &gt; #</p>"),
        ("{% include a.html %} {{ b }}", "<p>{% include a.html %} {{ b }}</p>"),
        ("*a*{b}", "<p><em>a</em>{b}</p>"),
        ("## A {#anchor}", "<h2>A</h2>"),
        ("![a *b* c](/x)", '<p><img alt="a b c" src="/x" /></p>'),
        (r"![a_b_c __d__ ~~e~~ `f` [g](/h) \*i\* &amp; <j> *k*][r]" + "\n\n[r]: /x",
         '<p><img alt="a_b_c d e f g *i* &amp; &lt;j&gt; k" src="/x" /></p>'),
        ("![a * b](/x)", '<p><img alt="a * b" src="/x" /></p>'),
    ],
)  # fmt: skip
def test_the_forms_of_markdown(markdown: str, expected: str) -> None:
    """Every form of Markdown and kramdown a blog uses has its element."""
    assert html(markdown) == expected


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("<figure>\n\n![a](/b.png)\n\n<figcaption>\n\nThe *c*\n\n</figcaption>\n\n</figure>",
         '<figure><img alt="a" src="/b.png" /><figcaption>The <em>c</em></figcaption></figure>'),
        ("<figure>\n![a](/b.png)\n<figcaption>c</figcaption>\n</figure>",
         '<figure><img alt="a" src="/b.png" /><figcaption>c</figcaption></figure>'),
        ('<div class="wp"><figure class="x"><img src="/b.png" width="20" class="y"></figure></div>',
         '<figure><img alt="" src="/b.png" width="20" /></figure>'),
        ('[caption id="1" width="5"]![a](/b.png){:width="5" :class="none"} By *C*[/caption]',
         '<figure><img alt="a" src="/b.png" width="5" /><figcaption>By <em>C</em></figcaption></figure>'),
        ('[caption]<a href="/l"><img src="/b.png" /></a> c[/caption]',
         '<figure><a href="/l"><img alt="" src="/b.png" /></a><figcaption>c</figcaption></figure>'),
        ("[caption]only words[/caption]", "<figure><figcaption>only words</figcaption></figure>"),
        ('[code language="python"]\na < *b*\n\n# c\n[/code]',
         '<pre data-language="python"><code>a &lt; *b*# c</code></pre>'),
        ("[code]a", "<p>[code]a</p>"),
        ('[![a](/b.png){:width="5" :class="none"}](http://c.example)',
         '<p><a href="http://c.example"><img alt="a" src="/b.png" width="5" /></a></p>'),
        ("a\n{: .lead}\n\n{:toc}\n\nb", "<p>a</p><p>b</p>"),
        ('<!- wp:heading {"level":3} -->\n<h3>a</h3>\n<!- /wp:heading ->\n\nb <!- more -> c',
         "<h3>a</h3><p>b  c</p>"),
        ("a <!-- b --> c\n\n<!-- d\n\ne --> f", "<p>a  c</p><p>f</p>"),
        ('<iframe src="https://v.example/1?a=1&amp;b=2"></iframe>',
         '<figure data-card="page"><a href="https://v.example/1?a=1&amp;b=2">Page on v.example</a></figure>'),
        ("at <XXX Company> and <One more> <...>",
         "<p>at &lt;XXX Company&gt; and &lt;One more&gt; &lt;...&gt;</p>"),
        ("`<XXX>` and\n\n```\n<YYY> <!-- z -->\n```",
         "<p><code>&lt;XXX&gt;</code> and</p><pre><code>&lt;YYY&gt; &lt;!-- z --&gt;</code></pre>"),
        ("- a\n\n    ```\n    b\n    ```\n- c",
         "<ul><li><p>a</p><pre><code>b</code></pre></li><li><p>c</p></li></ul>"),
        ("> ```\n> a\n> ```\nb", "<blockquote><pre><code>a</code></pre></blockquote><p>b</p>"),
        ("> ```\n> a\nb", "<blockquote><pre><code>a</code></pre></blockquote><p>b</p>"),
    ],
)  # fmt: skip
def test_what_blogs_and_their_exports_hold(markdown: str, expected: str) -> None:
    """WordPress's shortcodes, figures with Markdown inside, mangled comments, <words> in brackets."""
    assert html(markdown) == expected


@pytest.mark.parametrize(
    ("address", "resolved", "left"),
    [
        ("/a.png", "https://b.example/a.png", "/a.png"),
        ("a b.png", "https://b.example/posts/a%20b.png", "a%20b.png"),
        ("../a.png", "https://b.example/a.png", "../a.png"),
        ("//c.example/a", "https://c.example/a", "//c.example/a"),
        ("http://c.example/a", "http://c.example/a", "http://c.example/a"),
    ],
)
def test_addresses_are_resolved_against_the_post(address: str, resolved: str, left: str) -> None:
    """With a base address relative links and images become absolute, without one they stay."""
    for base_url, expected in (("https://b.example/posts/1", resolved), (None, left)):
        tree = to_tree(f"[a](<{address}>) ![b](<{address}>)", base_url=base_url)
        assert [node.get("href") for node in tree.iter("a")] == [expected]
        assert [node.get("src") for node in tree.iter("img")] == [expected]


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<SCRIPT\n>alert(1)</SCRIPT >",
        "a <script>alert(1)</script> b",
        "<style>alert(1)</style>",
        '<img src=x onerror="alert(1)">',
        '<p onclick="alert(1)" style="x:alert(1)">a</p>',
        "[a](javascript:alert(1))",
        "[a](<java\tscript:alert(1)>)",
        '<a href="&#106;avascript:alert(1)">a</a>',
        "[a](data:text/html,alert(1))",
        "![](javascript:alert(1))",
        "![](data:image/svg+xml;base64,alert1)",
        '<iframe src="javascript:alert(1)"></iframe>',
        '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
        '<svg onload="alert(1)"><script>alert(1)</script></svg>',
        '<form action="javascript:alert(1)"><input onfocus="alert(1)"></form>',
        '<math><a xlink:href="javascript:alert(1)">a</a></math>',
        "<a href='http://x/\" onclick=\"alert(1)'>a</a>",
        "{: onclick='alert(1)'}\n\n*a*{: onclick='alert(1)'}",
        '![a" onerror="alert(1)](/x.png)',
        "![a](mailto:alert@b.example) ![a](tel:1)",
        '<img src="/a" alt="&#1; &#13;" title="&#xFFFF;">',
        "</mj-text><mj-raw><script>alert(1)</script></mj-raw>",
        "\x02wzxhzdk:0\x03 klzzwxh:0001",
        "&#1; &#xFFFE; &#xD800; \x00 \x0b \ufffe",
    ],
)
def test_hostile_markup_is_inert(hostile: str) -> None:
    """No script, handler, odd scheme or foreign container leaves the tree as anything but text."""
    tree = to_tree(hostile, base_url=None)
    assert_clean(tree)
    written = ET.tostring(tree, encoding="unicode")
    assert "</mj-text>" not in written
    assert not re.search(r"<script|<style|<[^>]* on\w+=\"(?!h)|javascript:[^<]*\"", written)


def test_containers_that_are_not_ours_are_text() -> None:
    """A closing tag of the letter's own template is words, not markup."""
    assert plain(to_tree("a </mj-text> b", base_url=None)) == "a </mj-text> b"


def test_pictures_without_an_address_leave_their_words() -> None:
    """An image whose data cannot travel is replaced by its alternative text."""
    assert html("![a chart](data:image/png;base64,AAAA)") == "<p>a chart</p>"


@pytest.mark.parametrize(
    "opening", ["<script>", "<style>", "<!--", "<title>", "<textarea>", "<plaintext>", "<?php"]
)
@pytest.mark.parametrize("before", ["", "in a line "])
def test_what_nothing_closes_swallows_nothing(opening: str, before: str) -> None:
    """A careless opening tag does not make the rest of the letter vanish."""
    assert plain(to_tree(f"{before}{opening} one\n\ntwo", base_url=None)).split()[-2:] == ["one", "two"]


@given(st.text())
@settings(deadline=None)
@example("<a><figure><img src='x'>")
@example("<table>a<td>b")
@example("<b><p>x</b>y")
@example("<b>\n```")
@example("<b></b>")
@example("<li><blockquote>a</blockquote>b</li>c")
@example("<ul><p>a</p>b")
@example("[a](http://[)")
@example("[a]: <\n\n[a][]")
@example("\ud800 &#13; \r x")
@example("<figure><div dir=rtl><table>")
def test_reading_is_total_and_clean(markdown: str) -> None:
    """Any text gives a clean, well-formed tree."""
    assert_clean(to_tree(markdown, base_url=None))
    assert_clean(to_tree(markdown, base_url="https://b.example/a/"))


MARKUP = """
    * ** _ ` ``` ~~~ ~~ [ ] ( ) ![ ](/a) > \\> # - 1. | |- : [^1] [^1]: {: .said} <div> </div> <b>
    </b> <p> </p> <a> <table> <tr> <td> <ul> <li> <figure> </figure> <figcaption> <img> <br>
    <iframe> <script> </script> <!-- --> <!- <XXX> [caption] [/caption] [code] [/code] &amp; &lt;
    &#13; <svg> <select> <pre> </pre> word
"""
GAPS = ["", " ", "\n", "\n\n", "\n    "]
MIXTURES = st.lists(st.tuples(st.sampled_from(MARKUP.split()), st.sampled_from(GAPS))).map(
    lambda pairs: "".join(map("".join, pairs))
)


@given(MIXTURES)
@settings(max_examples=400, deadline=None)
def test_any_mixture_of_markup_is_clean(markdown: str) -> None:
    """Markup in any order, closed or not, gives a clean, well-formed tree."""
    assert_clean(to_tree(markdown, base_url=None))


@given(
    st.lists(
        st.tuples(WORDS, st.sampled_from(["{}", "**{}**", "> {}", "- {}", "## {}", "<p>{}</p>", "1. {}"])),
        min_size=1,
    )
)
@settings(deadline=None)
def test_every_word_of_prose_appears_once_in_order(paragraphs: list[tuple[list[str], str]]) -> None:
    """Ordinary paragraphs, lists, quotes and headings lose no word, repeat none and keep their order."""
    markdown = "\n\n".join(form.format(" ".join(words)) for words, form in paragraphs)
    expected = [word for words, _ in paragraphs for word in words]
    assert plain(to_tree(markdown, base_url=None)).split() == expected


@pytest.mark.parametrize("path", REAL_POSTS, ids=lambda path: path.stem[:10])
def test_real_posts_keep_their_words(path: Path) -> None:
    """What readers of the blog read is in the tree, word by word."""
    body = read_post(path).markdown
    prose = re.sub(r"(?s)&lt;!--more--&gt;|<!-.*?->|\[code.*?\[/code\]|`[^`]*`|</?[a-z!][^>]*>", " ", body)
    prose = re.sub(r"\]\([^)]*\)|\{:[^}]*\}|\[/?caption[^\]]*\]|!\[[^\]]*", " ", prose)
    words = re.findall(r"[^\W\d_]{2,}", re.sub(r"&\w+;|https?://\S+", " ", prose))
    assert len(words) > 30
    found = iter(re.findall(r"[^\W\d_]{2,}", plain(to_tree(body, base_url="https://b.example/"))))
    missing = [word for word in words if word not in found]  # consumes: in order, each once
    assert not missing


@pytest.mark.parametrize("path", REAL_POSTS, ids=lambda path: path.stem[:10])
def test_real_posts_are_clean(path: Path) -> None:
    """No warts of an export show: no shortcode, comment, attribute list or escaped tag is left as text."""
    tree = to_tree(read_post(path).markdown, base_url="https://b.example/")
    assert_clean(tree)
    text = "".join(node.text or "" for node in tree.iter() if node.tag not in ("code", "pre"))
    assert not re.search(r"\[/?caption|\[/?code|<!- |\{:|!\[|</?(?:p|div|figure|img)\b", text)
    assert all(node.get("src", "").startswith("http") for node in tree.iter("img"))


NESTED = [
    "> ",
    ">",
    "- ",
    "1. ",
    "<div>",
    "<b>",
    "<b><p>",
    "<blockquote>\n\n",
    "<ul><li>",
    "<table><tr><td>",
    "*",
    "[",
]


@pytest.mark.parametrize("mark", NESTED)
def test_abysses_are_flattened_or_refused(mark: str) -> None:
    """Any depth of nesting gives a tree that others may walk recursively, or a clear error."""
    try:
        tree = to_tree(mark * 5_000 + "x", base_url=None)
    except ContentError:
        return
    depth, level = 0, [tree]
    while level:
        depth, level = depth + 1, [child for node in level for child in node]
    assert depth < 400
    assert_clean(tree)


@pytest.mark.parametrize(
    ("markdown", "problem"),
    [
        ("*" * 2_000_000, "characters"),
        ("[" * 2_000_000, "characters"),
        ("<!-- -->" * 250_000, "characters"),
        ("[code]a[/code]" * 140_000, "characters"),
        ("word " * 10_000, "begins “word"),
        ("a\n\n" * 100_000, "20,000 paragraphs"),
        ("1. " * 5_000, "nested"),
    ],
)
def test_sizes_beyond_prose_are_refused(markdown: str, problem: str) -> None:
    """What would take more than linear time is refused before it is tried."""
    with pytest.raises(ContentError, match=problem):
        to_tree(markdown, base_url=None)


def test_links_are_looked_for_nearby() -> None:
    """Brackets nested deeper than any link's, and addresses longer than any, are left as text."""
    assert html("[[[a]]](/b)") == '<p><a href="/b">[[a]]</a></p>'
    for text in ("[" * 10 + "a" + "]" * 10 + "(/b)", f"[a](/{'b' * MAX_URL_CHARS})"):
        assert html(text) == f"<p>{text}</p>"


def test_runs_of_headings_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Headings without blank lines between them are not split off the rest one after the other."""
    seen: list[int] = []
    monkeypatch.setattr(Heading, "test", lambda _, __, block: seen.append(len(block)) or block[:1] == "#")
    to_tree("# a\n" * 500, base_url=None)
    assert 500 <= sum(seen) <= 10_000


def test_formatting_cannot_multiply() -> None:
    """HTML reopens unclosed tags in every later paragraph: only `MAX_DEPTH` of them are let in."""
    hostile = "\n\n".join(f"<font size={n}><b id={n}><p>x" for n in range(2_000))
    assert sum(1 for _ in to_tree(hostile, base_url=None).iter()) < 2_000 * (MAX_DEPTH + 2)


def test_long_code_and_html_are_no_prose() -> None:
    """The limits on paragraphs do not hold for code, nor does one image's data count."""
    code = "x = 1\n" * 50_000
    assert plain(to_tree(f"```\n{code}```", base_url=None)).split()[:3] == ["x", "=", "1"]
    assert html(f"![a](data:image/png;base64,{'A' * 500_000})") == "<p>a</p>"


def test_plain_text_divides_blocks_and_collapses_space() -> None:
    """Blocks are divided by blank lines; inside them white space is single."""
    tree = to_tree("One  *two*<br>three\n\n- four\n- five\n\n![six](/6.png)", base_url=None)
    assert plain(tree) == "One two three\n\nfour\n\nfive"
