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

from arjax.data import data_root, sources
from arjax.data.sources import Source, find, read

ONE_LINE = r"\A[^\n]+; [^\n]+\Z"  # the fault; the remedy
CONTENT = b"the quick brown fox" * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()
LOCAL = Source("fox.gz", SHA256)


def fault(source, root):
    with pytest.raises(ValueError, match=ONE_LINE) as info:
        read(source, str(root))
    return str(info.value)


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
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Source("fox.gz", SHA256, f"http://127.0.0.1:{server.server_port}/fox.gz")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_root_is_the_argument_else_the_environment_else_the_cache(monkeypatch):
    monkeypatch.setenv("ARJAX_DATA", "elsewhere")
    assert data_root("here") == Path("here")
    assert data_root(None) == Path("elsewhere")
    monkeypatch.delenv("ARJAX_DATA")
    assert data_root(None) == Path.home() / ".cache" / "arjax"


@pytest.mark.parametrize("level", [1, 9])
def test_the_checksum_does_not_depend_on_the_packing(tmp_path, level):
    (tmp_path / "fox.gz").write_bytes(gzip.compress(CONTENT, level))
    assert read(LOCAL, str(tmp_path)) == CONTENT


@pytest.mark.parametrize("name", ["fox.gz", "fox.bz2", "fox"])
def test_how_a_file_is_packed_is_seen_by_its_content(tmp_path, name):
    for pack in (gzip.compress, bz2.compress, bytes):
        (tmp_path / name).write_bytes(pack(CONTENT))
        assert read(Source(name, SHA256), str(tmp_path)) == CONTENT


@pytest.mark.parametrize("end", ["gz", "bz2"])
@pytest.mark.parametrize("packed", [False, True])
def test_an_unpacked_file_is_accepted_under_either_name(tmp_path, end, packed):
    name = f"fox.{end}" if packed else "fox"
    (tmp_path / name).write_bytes(CONTENT)
    source = Source(f"fox.{end}", SHA256)
    assert find(source, str(tmp_path)) == tmp_path / name
    assert read(source, str(tmp_path)) == CONTENT


def test_a_missing_file_without_url_is_named_with_the_remedy(tmp_path):
    message = fault(LOCAL, tmp_path)
    assert f"fox.gz is not in {tmp_path}" in message
    assert "$ARJAX_DATA" in message


def test_a_missing_file_of_unknown_checksum_is_not_downloaded(tmp_path, monkeypatch):
    with serving(monkeypatch, CONTENT) as source:
        message = fault(Source("fox", None, source.url), tmp_path)
    assert "has no known checksum" in message
    assert source.url in message
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_unknown_checksum_is_read_as_it_is(tmp_path):
    (tmp_path / "fox").write_bytes(b"anything")
    assert read(Source("fox", None), str(tmp_path)) == b"anything"


def test_a_wrong_checksum_is_reported_with_both_sums(tmp_path):
    (tmp_path / "fox").write_bytes(CONTENT + b"!")
    message = fault(LOCAL, tmp_path)
    assert str(tmp_path / "fox") in message
    assert SHA256 in message
    assert hashlib.sha256(CONTENT + b"!").hexdigest() in message


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_a_truncated_packed_file_is_named_with_the_remedy(tmp_path, pack):
    (tmp_path / "fox.gz").write_bytes(pack(CONTENT)[:-20])
    assert f"{tmp_path / 'fox.gz'} cannot be read (EOFError" in fault(LOCAL, tmp_path)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_a_damaged_packed_file_is_named_with_the_remedy(tmp_path, pack):
    packed = bytearray(pack(CONTENT))
    packed[12:20] = bytes(8 * [0xFF])
    (tmp_path / "fox.gz").write_bytes(packed)
    assert "cannot be read" in fault(LOCAL, tmp_path)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch, pack):
    monkeypatch.setattr(sources, "MAX_BYTES", 1000)
    (tmp_path / "fox.gz").write_bytes(pack(CONTENT))
    assert "more than 1000 bytes" in fault(LOCAL, tmp_path)


def test_of_a_file_that_unpacks_to_too_much_no_more_than_the_bound_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "MAX_BYTES", 2**20)
    (tmp_path / "fox.gz").write_bytes(bz2.compress(bytes(2**26)))
    tracemalloc.start()
    assert "more than 1048576 bytes" in fault(LOCAL, tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**23


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, bytes])
def test_a_missing_file_is_downloaded_once_and_stored_unpacked(tmp_path, monkeypatch, pack):
    root = tmp_path / "new" / "folder"
    with serving(monkeypatch, pack(CONTENT)) as source:
        assert read(source, str(root)) == CONTENT
    assert [path.name for path in root.iterdir()] == ["fox"]
    assert read(source, str(root)) == CONTENT  # the server is gone


@pytest.mark.parametrize(
    ("body", "declared", "reason"),
    [
        (gzip.compress(CONTENT + b"!", mtime=0), None, "hash"),
        (gzip.compress(CONTENT, mtime=0)[:-20], None, "EOFError"),
        (gzip.compress(CONTENT, mtime=0)[:-20], 10_000, "IncompleteRead"),
        (b"<html>moved</html>", None, "hash"),
    ],
)
def test_a_bad_download_leaves_nothing_behind(tmp_path, monkeypatch, body, declared, reason):
    with serving(monkeypatch, body, declared) as source:
        message = fault(source, tmp_path)
    assert reason in message
    assert source.url in message
    assert "save it there as fox.gz" in message
    assert list(tmp_path.iterdir()) == []


def test_without_network_the_message_says_which_file_to_put_where(tmp_path, monkeypatch):
    def no_network(*args, **kwargs):
        raise ConnectionError("Network is\nunreachable")

    monkeypatch.setattr(pooch, "HTTPDownloader", lambda: no_network)
    message = fault(Source("fox.gz", SHA256, "https://example.org/fox.gz"), tmp_path)
    assert f"fox.gz is not in {tmp_path}" in message
    assert "https://example.org/fox.gz" in message
    assert "ConnectionError: Network is unreachable" in message
    assert "save it there as fox.gz" in message


def test_a_download_is_not_announced_and_pooch_keeps_its_own_level(tmp_path, monkeypatch):
    said = []
    handler, logger = logging.Handler(), pooch.get_logger()
    level, handler.emit = logger.level, said.append
    logger.addHandler(handler)
    try:
        with serving(monkeypatch, CONTENT) as source:
            read(source, str(tmp_path))
        with serving(monkeypatch, b"<html>moved</html>") as source:
            fault(source, tmp_path / "other")
    finally:
        logger.removeHandler(handler)
    assert said == []
    assert logger.level == level


def test_a_folder_that_cannot_be_written_is_reported(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    with serving(monkeypatch, CONTENT) as source:
        assert f"is not in {tmp_path / 'file' / 'folder'}" in fault(source, tmp_path / "file" / "folder")
