"""Pictures that are kept: found once, known ever after."""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from newsletter.images import store as storing
from newsletter.images.errors import ImageError
from newsletter.images.store import ImageStore

BLOG = "https://ann.example/blog/2020/post/"


def png(colour: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (20, 10), colour).save(file, "PNG")
    return file.getvalue()


class Web:
    """A web of one picture, that counts what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        if len(self.asked) > 1:
            raise ImageError(url, "is gone")
        return png()


@pytest.fixture
def post(tmp_path: Path) -> Path:
    """A post in a blog, with a picture beside it and one in the blog's /assets; a secret lies outside."""
    for folder in ("blog/_posts", "blog/assets"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "blog/_posts/beside.png").write_bytes(png())
    (tmp_path / "blog/assets/there.png").write_bytes(png("blue"))
    (tmp_path / "secret.png").write_bytes(png())
    (tmp_path / "blog/assets/link.png").symlink_to(tmp_path / "secret.png")
    return tmp_path / "blog/_posts/post.md"


@pytest.mark.parametrize(
    "target", ["beside.png", "./beside.png?w=150", "../_posts/beside.png", "/assets/there.png"]
)
def test_local_pictures(tmp_path: Path, post: Path, target: str) -> None:
    """A picture beside the post or below the blog's root is taken, and stays when its file is gone."""
    store = ImageStore(tmp_path / "media", fetch=Web())
    picture = store.take(target, post, None)
    assert (store.path(picture.file_name) or Path()).read_bytes() == picture.data
    for folder in ("_posts", "assets"):
        for file in (post.parent.parent / folder).glob("*.png"):
            file.unlink()
    assert ImageStore(tmp_path / "media", fetch=Web()).take(target, post, None) == picture


@pytest.mark.parametrize("target", [f"{BLOG}beside.png", "https://ann.example/blog/assets/there.png"])
def test_the_blogs_own_pictures_are_not_fetched(tmp_path: Path, post: Path, target: str) -> None:
    """What the blog shows at an address of its own is taken from its folder."""
    web = Web()
    assert ImageStore(tmp_path / "media", fetch=web).take(target, post, BLOG).width == 20
    assert web.asked == []


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ("https://web.example/a.png", "https://web.example/a.png"),
        ("//web.example/a.png", "https://web.example/a.png"),
        ("none.png", f"{BLOG}none.png"),
        ("/none.png", "https://ann.example/none.png"),
    ],
)
def test_remote_pictures_are_fetched_once(tmp_path: Path, post: Path, target: str, url: str) -> None:
    """An address is asked once; later, and from another post, its picture is the one that was kept."""
    web = Web()
    first = ImageStore(tmp_path / "media", fetch=web).take(target, post, BLOG)
    assert ImageStore(tmp_path / "media", fetch=web).take(target, post.with_name("b.md"), BLOG) == first
    assert web.asked == [url]


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("../../secret.png", "outside of the blog"),
        ("../../../../../../../../etc/passwd", "outside of the blog"),
        ("%2e%2e/%2e%2e/secret.png", "outside of the blog"),
        ("/../secret.png", "outside of the blog"),
        ("/assets/link.png", "outside of the blog"),
        ("file:///etc/passwd", "named by file:"),
        ("data:image/png;base64,AAAA", "written into the post"),
        ("{{ site.url }}/a.png", "template code"),
        ("http://[x/a.png", "no address that can be understood"),
        ("none.png", "not to be found"),
        ("/etc/passwd", "not to be found"),
        ("%00", "not to be found"),
        ("x" * 5_000, "not to be found"),
        (".", "not to be found"),
        ("post.md", "no picture"),
        ("huge.png", "larger than 0 MB"),
    ],
)
def test_pictures_that_are_not_taken(
    tmp_path: Path, post: Path, monkeypatch: pytest.MonkeyPatch, target: str, why: str
) -> None:
    """What lies outside of the blog, is named otherwise, is missing or too large is refused."""
    monkeypatch.setattr(storing, "MAX_BYTES", 1_000)
    post.write_text("Words.")
    post.with_name("huge.png").write_bytes(b"x" * 1_001)
    with pytest.raises(ImageError, match=why):
        ImageStore(tmp_path / "media", fetch=Web()).take(target, post, None)
    assert not (tmp_path / "media").exists()


def test_a_file_that_changes_is_taken_anew(
    tmp_path: Path, post: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture is worked on once for each content that it has; what was there before stays."""
    made: list[bytes] = []
    make = storing.make_picture
    monkeypatch.setattr(storing, "make_picture", lambda data, name: made.append(data) or make(data, name))
    store = ImageStore(tmp_path / "media", fetch=Web())
    red = store.take("beside.png", post, None)
    post.with_name("beside.png").write_bytes(png("blue"))
    blue = store.take("beside.png", post, None)
    assert store.take("/assets/there.png", post, None) == blue != red
    assert made == [png("red"), png("blue")]
    post.with_name("beside.png").unlink()
    assert store.take("beside.png", post, None) == blue
    assert store.path(red.file_name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "sources", "../secret.png", "a" * 32 + ".png", "a" * 32 + ".svg", "\0"]
)
def test_no_other_file_is_served(tmp_path: Path, post: Path, name: str) -> None:
    """Only the name of a picture that is kept gives a path."""
    store = ImageStore(tmp_path / "media", fetch=Web())
    store.take("beside.png", post, None)
    assert store.path(name) is None


def test_a_damaged_store_mends_itself(tmp_path: Path, post: Path) -> None:
    """A picture or a record that is not what it was is made again while its source is there."""
    store = ImageStore(tmp_path / "media", fetch=Web())
    picture = store.take("beside.png", post, None)
    for file in [path for path in (tmp_path / "media").rglob("*") if path.is_file()]:
        file.write_bytes(b"{")
        assert store.take("beside.png", post, None) == picture
        assert (tmp_path / "media" / picture.file_name).read_bytes() == picture.data


def test_many_at_once(tmp_path: Path, post: Path) -> None:
    """Stores that work on one folder at the same time all get the picture, and leave no draft behind."""
    with ThreadPoolExecutor(8) as pool:
        stores = [ImageStore(tmp_path / "media", fetch=Web()) for _ in range(16)]
        pictures = set(pool.map(lambda store: store.take("beside.png", post, None), stores))
    assert len(pictures) == 1
    assert len([path for path in (tmp_path / "media").rglob("*") if path.is_file()]) == 3


def test_a_disk_that_refuses_is_a_clear_error(tmp_path: Path, post: Path) -> None:
    """Where nothing can be kept, the folder is named."""
    (tmp_path / "media").write_text("a file")
    with pytest.raises(ImageError, match="cannot be kept in"):
        ImageStore(tmp_path / "media", fetch=Web()).take("beside.png", post, None)
