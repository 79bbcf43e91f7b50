import struct

import pytest
from tensorboardX import summary
from tensorboardX.proto.event_pb2 import Event

from arjax.runs.board import Board


def crc32c(data: bytes) -> int:
    """Bit by bit: the Castagnoli polynomial, reflected."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> int:
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32


def events(path):
    content, found = path.read_bytes(), []
    while content:
        length, check = struct.unpack("<QI", content[:12])
        assert check == masked(content[:8])
        data = content[12 : 12 + length]
        assert struct.unpack("<I", content[12 + length : 16 + length]) == (masked(data),)
        found.append(Event.FromString(data))
        content = content[16 + length :]
    return found


def test_what_is_added_can_be_read_at_once_and_earlier_files_are_forgotten_from_there_on(tmp_path):
    assert crc32c(b"123456789") == 0xE3069283
    board = Board(tmp_path / "tensorboard", 7)
    board.add(summary.scalar("train/nats", 2.5), 8)
    version, start, scalar = events(board.path)
    assert version.file_version == "brain.Event:2"
    assert (start.step, start.session_log.status) == (8, 1)
    assert (scalar.step, scalar.summary.value[0].tag, scalar.summary.value[0].simple_value) == (8, "train/nats", 2.5)
    assert 0 <= scalar.wall_time - start.wall_time < 60
    board.close()


def test_a_file_that_cannot_be_written_is_an_error_where_it_is_told(tmp_path, monkeypatch):
    board = Board(tmp_path, 0)
    board.close()
    with open("/dev/full", "ab", buffering=0) as full:
        monkeypatch.setattr(board, "_file", full)
        with pytest.raises(OSError, match="No space left on device"):
            board.add(summary.scalar("train/nats", 2.5), 1)
