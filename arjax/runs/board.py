"""TensorBoard's file of events, in the format of TFRecords:

    length (8 bytes), crc(length) (4), event (length), crc(event) (4)          all little-endian, crc a masked CRC-32C

Written when told and by whoever tells, so that a file that cannot be written is an OSError there. tensorboardX's own writer hands
events to a thread; where the disk is full that ends with a traceback, and whoever adds the next few events waits for ever.
"""

import os
import socket
import struct
import time
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import masked_crc32c


class Board:
    """A new file in `folder`, which is made if need be, of a run that goes on from `step`: TensorBoard forgets what earlier files
    hold from there on. OSError, here and in `add`, if it cannot be written."""

    def __init__(self, folder: Path, step: int):
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        # Without a buffer nothing is left that could only be written, or fail to be, at the end.
        self._file = self.path.open("ab", buffering=0)
        self._write(Event(file_version="brain.Event:2"))
        self._write(Event(step=step + 1, session_log=SessionLog(status=SessionLog.START)))

    def add(self, summary: Summary, step: int) -> None:
        """Show it at this step."""
        self._write(Event(summary=summary, step=step))

    def close(self) -> None:
        self._file.close()

    def _write(self, event):
        event.wall_time = time.time()
        left = _framed(event.SerializeToString())
        while left:
            # A disk that is nearly full takes a part, and says why no more when asked again.
            left = left[self._file.write(left) :]


def _framed(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc32c(length)) + data + struct.pack("<I", masked_crc32c(data))
