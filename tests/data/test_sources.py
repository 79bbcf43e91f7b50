"""Files of public data sets, found or downloaded, and always checked; and a user's own files."""

import bz2
import contextlib
import gzip
import hashlib
import http.server
import logging
import threading
import tracemalloc
from pathlib import Path

import pooch
import pytest
from faults import fault

from arjax.data import data_root, sources
from arjax.data.sources import Source, find, read, read_file

CONTENT = b"the quick brown fox" * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()
LOCAL = Source("fox.gz", SHA256)
PACKED = gzip.compress(CONTENT, mtime=0)


def refusal(source, root):
    return fault(read, source, str(root))


@contextlib.contextmanager
def serving(monkeypatch, body, declared=None):
    """A source whose url answers with this body, and says that it has `declared` bytes."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body) if declared is None else declared))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Source("fox.gz", SHA256, f"http://127.0.0.1:{server.server_port}/fox.gz")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_data_root_is_the_argument_else_the_environment_else_the_cache(monkeypatch):
    monkeypatch.setenv("ARJAX_DATA", "elsewhere")
    assert data_root("here") == Path("here")
    assert data_root(None) == Path("elsewhere")
    monkeypatch.delenv("ARJAX_DATA")
    assert data_root(None) == Path.home() / ".cache" / "arjax"


@pytest.mark.parametrize(("file", "name"), [("fox.gz", "fox"), ("fox.bz2", "fox"), ("fox.gz", "fox.gz"), ("fox", "fox")])
def test_find_and_read_accept_a_file_under_either_name_and_see_by_its_content_how_it_is_packed(tmp_path, file, name):
    for packed in (gzip.compress(CONTENT, 1), gzip.compress(CONTENT, 9), bz2.compress(CONTENT), CONTENT):
        (tmp_path / name).write_bytes(packed)
        assert find(Source(file, SHA256), str(tmp_path)) == tmp_path / name
        assert read(Source(file, SHA256), str(tmp_path)) == CONTENT


def test_read_takes_a_file_of_unknown_checksum_as_it_is_and_does_not_download_one(tmp_path, monkeypatch):
    with serving(monkeypatch, CONTENT) as source:
        message = refusal(Source("fox", None, source.url), tmp_path)
    assert "has no known checksum" in message
    assert source.url in message
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "fox").write_bytes(b"anything")
    assert read(Source("fox", None), str(tmp_path)) == b"anything"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "is not in {0}; save it there as fox.gz, or name the folder that has it by root or $ARJAX_DATA"),
        (CONTENT + b"!", f"{hashlib.sha256(CONTENT + b'!').hexdigest()}, expected {SHA256}; replace it by the published file"),
        (PACKED[:-20], "{0}/fox.gz cannot be read (EOFError"),
        (PACKED[:12] + b"\xff" * 8 + PACKED[20:], "cannot be read"),
        (bz2.compress(CONTENT)[:12] + b"\xff" * 8 + bz2.compress(CONTENT)[20:], "cannot be read"),
    ],
)
def test_read_names_a_missing_other_truncated_or_damaged_file_with_the_remedy(content, says, tmp_path):
    if content is not None:
        (tmp_path / "fox.gz").write_bytes(content)
    message = refusal(LOCAL, tmp_path)
    assert "fox.gz" in message
    assert says.format(tmp_path) in message


def test_read_unpacks_no_more_than_the_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MAX_BYTES", 2**20)
    for packed in (gzip.compress(bytes(2**22)), bz2.compress(bytes(2**26))):
        (tmp_path / "fox.gz").write_bytes(packed)
        tracemalloc.start()
        assert "more than 1048576 bytes" in refusal(LOCAL, tmp_path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 2**23


@pytest.mark.parametrize("body", [PACKED, bz2.compress(CONTENT), CONTENT])
def test_read_downloads_a_missing_file_once_and_stores_it_unpacked(tmp_path, monkeypatch, body):
    root = tmp_path / "new" / "folder"
    with serving(monkeypatch, body) as source:
        assert read(source, str(root)) == CONTENT
    assert [path.name for path in root.iterdir()] == ["fox"]
    assert read(source, str(root)) == CONTENT  # the server is gone


@pytest.mark.parametrize(
    ("body", "declared", "reason"),
    [
        (gzip.compress(CONTENT + b"!", mtime=0), None, "hash"),
        (PACKED[:-20], None, "EOFError"),
        (PACKED[:-20], 10_000, "IncompleteRead"),
        (b"<html>moved</html>", None, "hash"),
    ],
    ids=str,
)
def test_read_leaves_nothing_behind_of_a_bad_download(tmp_path, monkeypatch, body, declared, reason):
    with serving(monkeypatch, body, declared) as source:
        message = refusal(source, tmp_path)
    for part in (reason, source.url, "save it there as fox.gz"):
        assert part in message
    assert list(tmp_path.iterdir()) == []


def test_read_says_without_network_which_file_to_put_where(tmp_path, monkeypatch):
    def no_network(*args, **kwargs):
        raise ConnectionError("Network is\nunreachable")

    monkeypatch.setattr(pooch, "HTTPDownloader", lambda: no_network)
    message = refusal(Source("fox.gz", SHA256, "https://example.org/fox.gz"), tmp_path)
    for part in (f"fox.gz is not in {tmp_path}", "https://example.org/fox.gz", "ConnectionError: Network is unreachable"):
        assert part in message


def test_read_announces_no_download_and_leaves_poochs_level_as_it_was(tmp_path, monkeypatch):
    said = []
    handler, logger = logging.Handler(), pooch.get_logger()
    level, handler.emit = logger.level, said.append
    logger.addHandler(handler)
    try:
        with serving(monkeypatch, CONTENT) as source:
            read(source, str(tmp_path))
        with serving(monkeypatch, b"<html>moved</html>") as source:
            refusal(source, tmp_path / "other")
    finally:
        logger.removeHandler(handler)
    assert said == []
    assert logger.level == level


def test_read_reports_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    with serving(monkeypatch, CONTENT) as source:
        assert f"is not in {tmp_path / 'file' / 'folder'}" in refusal(source, tmp_path / "file" / "folder")


def test_read_file_finds_a_users_file_as_given_or_in_the_data_root(tmp_path):
    (tmp_path / "mine.txt").write_bytes(b"text")
    for path, root in (("mine.txt", str(tmp_path)), (str(tmp_path / "mine.txt"), None)):
        assert read_file(path, root) == (str(tmp_path / "mine.txt"), b"text")
