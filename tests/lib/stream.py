# SPDX-License-Identifier: LGPL-2.1-or-later
"""What Session.OpenStream sends with format "pages": ktraced(8) has the frames, kernel/trace/ring_buffer.c the pages."""

import os
import struct
import threading

HEAD, PAGE, LOST, COMMS, SYNC = range(1, 6)
FRAME = struct.Struct("=IIII")
DATA_TYPE_LEN_MAX, PADDING, TIME_EXTEND, TIME_STAMP = 28, 29, 30, 31


def ends_of(daemon):
    """How many pipes and sockets, which streams are made of, the daemon has open."""
    folder = f"/proc/{daemon.process.pid}/fd"
    kinds = []
    for name in os.listdir(folder):
        try:
            kinds.append(os.readlink(f"{folder}/{name}").split(":")[0])
        except FileNotFoundError:
            pass
    return sum(kind in ("pipe", "socket") for kind in kinds)


def threads_of(daemon):
    """How many streams the daemon passes on."""
    folder = f"/proc/{daemon.process.pid}/task"
    names = []
    for task in os.listdir(folder):
        try:
            with open(f"{folder}/{task}/comm", encoding="ascii") as comm:
                names.append(comm.read().strip())
        except (FileNotFoundError, ProcessLookupError):
            pass
    return names.count("kt-stream")


def events_of(page):
    """The data of each event on a page of the kernel's ring buffer."""
    (commit,) = struct.unpack_from("=Q", page, 8)
    at, end = 16, 16 + (commit & 0xFFFFF)
    assert end <= len(page), "a page is cut"
    while at < end:
        (word,) = struct.unpack_from("=I", page, at)
        kind = word & 31
        at += 4
        if kind == PADDING:
            if word >> 5 == 0:
                break
            at += struct.unpack_from("=I", page, at)[0]
        elif kind in (TIME_EXTEND, TIME_STAMP):
            at += 4
        elif kind == 0:
            (length,) = struct.unpack_from("=I", page, at)
            yield page[at + 4 : at + length]
            at += (length + 3) & ~3
        else:
            yield page[at : at + kind * 4]
            at += kind * 4
    assert at == end or kind == PADDING


class Reader:
    """Reads a stream in a thread of its own; `head_ended` is set once events can come. As a context it closes `fd`."""

    def __init__(self, fd):
        self.fd = fd
        self.head = b""
        self.head_ended = threading.Event()
        self.ended = threading.Event()
        self.events = self.lost_events = self.lost_pages = self.syncs = 0
        self.comms = ""
        self._thread = None

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        if self._thread:
            assert self.ended.wait(60)
            self._thread.join()
        os.close(self.fd)

    def start(self):
        self._thread = threading.Thread(target=self.read_to_end)
        self._thread.start()
        return self

    def _read(self, size):
        data = b""
        while len(data) < size:
            more = os.read(self.fd, size - len(data))
            if not more:
                assert not data, "the stream ends within a frame"
                return None
            data += more
        return data

    def read_frame(self):
        """Its type; None at the end."""
        head = self._read(FRAME.size)
        if head is None:
            return None
        kind, size, _cpu, reserved = FRAME.unpack(head)
        data = self._read(size) if size else b""
        assert reserved == 0 and data is not None
        if kind == HEAD:
            assert not self.head_ended.is_set()
            self.head += data
            if not data:
                self.head_ended.set()
            return kind
        assert self.head_ended.is_set(), "something comes before the head is through"
        if kind == PAGE:
            self.events += sum(1 for _ in events_of(data))
        elif kind == LOST:
            pages, events = struct.unpack("=QQ", data)
            self.lost_pages += pages
            self.lost_events += events
        elif kind == COMMS:
            self.comms += data.decode()
        elif kind == SYNC:
            self.syncs += 1
        return kind

    def read_head(self):
        while not self.head_ended.is_set():
            assert self.read_frame() == HEAD

    def read_to_end(self):
        try:
            while self.read_frame() is not None:
                pass
        finally:
            self.ended.set()
