# SPDX-License-Identifier: LGPL-2.1-or-later
"""How ktracectl report draws the calls of function_graph, with trace-cmd as the judge. The records are made here, so
that each case is there on every kernel."""

import contextlib
import json
import os
import shutil
import struct
import subprocess

import pytest

from daemon import KTRACECTL as BUILT
from daemon import INSTANCES, SANITIZERS

KTRACECTL = os.environ.get("KTRACECTL", BUILT)
TRACING = INSTANCES.parent
PAGE = 4096
ENTRY, EXIT, PRINT = 11, 10, 5
COMMON = """\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

"""
FORMATS = {
    "funcgraph_entry": f"""name: funcgraph_entry
ID: {ENTRY}
format:
{COMMON}\tfield:unsigned long func;\toffset:8;\tsize:8;\tsigned:0;
\tfield:int depth;\toffset:16;\tsize:4;\tsigned:1;

print fmt: "--> %ps (%d)", (void *)REC->func, REC->depth
""",
    "funcgraph_exit": f"""name: funcgraph_exit
ID: {EXIT}
format:
{COMMON}\tfield:unsigned long func;\toffset:8;\tsize:8;\tsigned:0;
\tfield:int depth;\toffset:16;\tsize:4;\tsigned:1;
\tfield:unsigned int overrun;\toffset:20;\tsize:4;\tsigned:0;
\tfield:unsigned long long calltime;\toffset:24;\tsize:8;\tsigned:0;
\tfield:unsigned long long rettime;\toffset:32;\tsize:8;\tsigned:0;

print fmt: "<-- %ps (%d) (start: %llx  end: %llx) over: %d", (void *)REC->func, REC->depth, REC->calltime, REC->rettime, REC->depth
""",
}
READ, WRITE, LOCK = 0xFFFFFFFF81001000, 0xFFFFFFFF81002000, 0xFFFFFFFF81003000
SYMBOLS = f"{READ:x} T vfs_read\n{WRITE:x} T vfs_write\n{LOCK:x} t lock\t[module]\n{LOCK + 0x1000:x} T _etext\n"
UNKNOWN = 0x1000


def entry(ts, pid, function, depth):
    return ts, struct.pack("<HBBiQi4x", ENTRY, 0, 0, pid, function, depth)


def leave(ts, pid, function, depth, duration):
    return ts, struct.pack("<HBBiQiIQQ", EXIT, 0, 0, pid, function, depth, 0, ts - duration, ts)


def page(records):
    """One page of the kernel's ring buffer (kernel/trace/ring_buffer.c): each record with the time since the last."""
    last = start = records[0][0]
    data = b""
    for ts, body in records:
        delta = ts - last
        last = ts
        if delta >= 1 << 27:  # a time extend
            data += struct.pack("<II", 30 | (delta & ((1 << 27) - 1)) << 5, delta >> 27)
            delta = 0
        assert len(body) % 4 == 0
        data += struct.pack("<I", len(body) // 4 | delta << 5) + body
    assert len(data) <= PAGE - 16
    return (struct.pack("<QQ", start, len(data)) + data).ljust(PAGE, b"\0")


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """A function that makes a trace.dat from the records of each CPU."""
    folder = tmp_path_factory.mktemp("graph")
    tracing = folder / "tracing"
    (tracing / "events" / "ftrace").mkdir(parents=True)
    for name in ["events/header_page", "events/header_event", "trace_clock"]:
        shutil.copyfile(TRACING / name, tracing / name)
    (tracing / "printk_formats").write_text("")
    (tracing / "saved_cmdlines").write_text("")
    (tracing / "available_tracers").write_text("function_graph nop\n")
    (tracing / "current_tracer").write_text("nop\n")
    for name, text in FORMATS.items():
        (tracing / "events" / "ftrace" / name).mkdir()
        (tracing / "events" / "ftrace" / name / "format").write_text(text)
    (folder / "kallsyms").write_text(SYMBOLS)
    head = folder / "head"
    subprocess.run(
        ["trace-cmd", "restore", "-c", "-t", tracing, "-k", folder / "kallsyms", "-o", head], check=True, capture_output=True
    )

    def make(*cpus):
        raw = []
        for number, records in enumerate(cpus):
            raw.append(folder / f"cpu{number}")
            raw[-1].write_bytes(page(records) if records else b"")
        path = folder / "trace.dat"
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        subprocess.run(["trace-cmd", "restore", "-i", head, "-o", path, *raw], check=True, capture_output=True)
        return path

    return make


def report(path, *arguments):
    environment = {**os.environ, **SANITIZERS, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [KTRACECTL, "report", *arguments, path], capture_output=True, text=True, timeout=60, env=environment, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def judge(path):
    done = subprocess.run(["trace-cmd", "report", "-i", path], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if not line.startswith("cpus=")]


def test_calls_nest_and_leaves_are_one_line(make):
    path = make(
        [
            entry(1000, 7, READ, 0),
            entry(2000, 7, LOCK, 1),
            leave(3000, 7, LOCK, 1, 900),
            entry(4000, 7, UNKNOWN, 1),
            leave(5000, 7, UNKNOWN, 1, 800),
            leave(6000, 7, READ, 0, 4900),
        ]
    )
    ours = report(path)
    assert ours == judge(path)
    assert [line.split(": ", 1)[1].split(":", 1)[1].strip() for line in ours] == [
        "|  vfs_read() {",
        "0.900 us   |    lock();",
        "0.800 us   |    1000();",
        "4.900 us   |  }",
    ]


@pytest.mark.parametrize(
    "duration", [0, 1, 999, 10_000, 10_001, 99_999, 100_001, 1_000_000, 1_000_001, 999_999_999, 1_000_000_001, 12_345_678_901]
)
def test_durations_and_their_marks(make, duration):
    start = 50_000_000_000
    end = start + duration + 1
    path = make([entry(start, 7, READ, 0), leave(end, 7, READ, 0, duration), leave(end + 9, 7, WRITE, 0, duration)])
    ours = report(path)
    assert ours == judge(path)
    assert len(ours) == 2


def test_what_another_cpu_does_between_unfolds_a_call(make):
    path = make(
        [entry(1000, 7, READ, 0), leave(5000, 7, READ, 0, 3900), entry(6000, 7, READ, 0), leave(7000, 7, READ, 0, 900)],
        [entry(2000, 8, WRITE, 0), leave(3000, 8, WRITE, 0, 900), entry(9000, 8, WRITE, 0)],
    )
    ours = report(path)
    assert ours == judge(path)
    assert sum("();" in line for line in ours) == 2 and sum("{" in line for line in ours) == 2


def test_a_call_may_return_on_another_cpu(make):
    # Not judged: trace-cmd 3.1.6 looks at a record that it has freed then, and its order is left to chance.
    path = make(
        [entry(1000, 7, READ, 0), entry(6000, 9, LOCK, 0)],
        [leave(2000, 7, READ, 0, 900), entry(3000, 8, WRITE, 0), leave(4000, 8, WRITE, 0, 900), leave(7000, 9, LOCK, 0, 1)],
    )
    assert [line.split("|")[1].strip() for line in report(path)] == ["vfs_read();", "vfs_write();", "lock();"]


def test_equal_times_and_strangers_do_not_fold(make):
    path = make(
        [entry(1000, 7, READ, 0), leave(1000, 7, READ, 0, 0), entry(2000, 7, READ, 0), leave(3000, 7, WRITE, 0, 1)],
        [entry(1000, 8, WRITE, 0), leave(1000, 8, WRITE, 0, 0), entry(4000, 8, READ, 0), leave(5000, 9, READ, 0, 1)],
    )
    assert report(path) == judge(path)


def test_json_has_both_records_and_the_duration(make):
    path = make([entry(1000, 7, READ, 3), leave(2000, 7, READ, 3, 900)])
    call, back = [json.loads(line) for line in report(path, "--json")]
    assert (call["event"], call["fields"], "duration" in call) == ("funcgraph_entry", {"func": READ, "depth": 3}, False)
    assert (back["event"], back["duration"], back["fields"]["depth"]) == ("funcgraph_exit", 900, 3)
    assert call["info"].endswith("vfs_read() {") and back["info"].endswith("}")


def test_a_summary_counts_every_record(make):
    path = make([entry(1000, 7, READ, 0), leave(2000, 7, READ, 0, 900)])
    (summary,) = [json.loads(line) for line in report(path, "--summary", "--json")]
    assert {row["event"]: row["events"] for row in summary["by_event"]} == {
        "ftrace:funcgraph_entry": 1,
        "ftrace:funcgraph_exit": 1,
    }


def test_a_damaged_depth_is_no_endless_line(make):
    path = make([entry(1000, 7, READ, -5), entry(2000, 7, READ, 2_000_000_000)])
    assert all(len(line) < 4096 for line in report(path))
