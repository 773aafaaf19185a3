# SPDX-License-Identifier: LGPL-2.1-or-later
"""ktracectl report on trace.dat files of both versions, with trace-cmd as the judge; and on damaged ones.

The files are made of pages that the kernel recorded into an instance of the test's own.
"""

import collections
import contextlib
import fnmatch
import json
import os
import pathlib
import random
import re
import struct
import subprocess
import tempfile

import pytest

from daemon import INSTANCES, SANITIZERS, ktracectl
from daemon import KTRACECTL as BUILT

KTRACECTL = os.environ.get("KTRACECTL", BUILT)
PAGE = 4096
MISSED = 1 << 31  # kernel/trace/ring_buffer.c, RB_MISSED_EVENTS
STORED = 1 << 30  # RB_MISSED_STORED: their number stands behind the page's data
LOST = 4711
OPTION_BUFFER = 3


def report(*arguments, **more):
    more.setdefault("text", True)
    environment = {**os.environ, **SANITIZERS, "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        [KTRACECTL, "report", *map(str, arguments)], capture_output=True, timeout=60, env=environment, **more
    )


def lines(*arguments):
    done = report(*arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


def objects(*arguments):
    return [json.loads(line) for line in lines("--json", *arguments)]


def trace_cmd(*arguments):
    return subprocess.run(["trace-cmd", *map(str, arguments)], check=True, capture_output=True).stdout


@contextlib.contextmanager
def instance(buffer_kb):
    folder = INSTANCES / f"test-report-{os.getpid()}"
    folder.mkdir()
    try:
        (folder / "tracing_on").write_text("0")
        (folder / "buffer_size_kb").write_text(str(buffer_kb))
        for system in ("sched", "syscalls"):
            (folder / "events" / system / "enable").write_text("1")
        yield folder
        (folder / "events" / "enable").write_text("0")
    finally:
        folder.rmdir()


def record(folder, marker):
    """The pages of each CPU, while some processes read, write, sleep and fail."""
    (folder / "tracing_on").write_text("1")
    subprocess.run(["sh", "-c", "ls -R /usr/include/linux; sleep 0.02; cat /nonexistent"], capture_output=True)
    (folder / "trace_marker").write_bytes(marker)
    (folder / "tracing_on").write_text("0")
    cpus = []
    for path in sorted(folder.glob("per_cpu/cpu*"), key=lambda path: int(path.name[3:])):
        fd = os.open(path / "trace_pipe_raw", os.O_RDONLY | os.O_NONBLOCK)
        pages = []
        with contextlib.suppress(BlockingIOError):
            while page := os.read(fd, PAGE):
                pages.append(page.ljust(PAGE, b"\0"))
        os.close(fd)
        cpus.append(b"".join(pages))
    return cpus


def commit(page):
    return struct.unpack_from("<Q", page, 8)[0]


def with_lost(data, count):
    """`data`, with `count` events lost before the first page that has room for the number."""
    for start in range(0, len(data), PAGE):
        page = bytearray(data[start : start + PAGE])
        used = commit(page) & 0xFFFFFFF
        if 0 < used <= PAGE - 16 - 8:
            struct.pack_into("<Q", page, 8, used | MISSED | STORED)
            struct.pack_into("<Q", page, 16 + used, count)
            return data[:start] + page + data[start + PAGE :]
    raise AssertionError("no page has room")


class Files:
    """The folder with the test's files."""

    def __init__(self, folder):
        self.folder = folder
        self.head = folder / "head"
        symbols = folder / "kallsyms"
        symbols.write_text("ffffffff81000000 T _text\n")  # the real table is most of the file
        trace_cmd("restore", "-c", "-k", symbols, "-o", self.head)

    def make(self, name, cpus):
        """A trace.dat of version 7 from the pages of each CPU."""
        raw = []
        for number, data in enumerate(cpus):
            raw.append(self.folder / f"{name}-cpu{number}")
            raw[-1].write_bytes(data)
        path = self.folder / f"{name}.dat"
        trace_cmd("restore", "-o", path, "-i", self.head, *raw)
        return path

    def convert(self, path, name, *options):
        converted = self.folder / f"{name}.dat"
        trace_cmd("convert", *options, "-i", path, "-o", converted)
        return converted


@pytest.fixture(scope="module")
def files():
    with tempfile.TemporaryDirectory(prefix="ktraced-test-") as folder:
        yield Files(pathlib.Path(folder))


@pytest.fixture(scope="module")
def pages():
    with instance(4096) as folder:
        return record(folder, b"a mark")


@pytest.fixture(scope="module")
def dat(files, pages):
    return files.make("plain", pages)


@pytest.fixture(scope="module")
def everything(dat):
    """All records, as JSON."""
    records = objects(dat)
    assert len(records) > 1000
    return records


# --- the same as trace-cmd


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--file-version", "7", "--compression", "none"),
        ("--file-version", "7", "--compression", "zstd"),
        ("--file-version", "6"),
    ],
)
def test_same_lines_as_trace_cmd(files, dat, options):
    path = files.convert(dat, "converted", *options) if options else dat
    expected = trace_cmd("report", path).decode().splitlines()
    assert re.match(r"cpus=\d+$", expected[0])
    assert len(expected) > 1000
    assert lines(path) == expected[1:]


def test_same_nanoseconds_as_trace_cmd(dat):
    assert lines("-t", dat) == trace_cmd("report", "-t", dat).decode().splitlines()[1:]


def test_instance_in_file(files, dat):
    """A buffer of a trace instance: its records come in between, with its name."""
    path = files.folder / "instance.dat"
    path.write_bytes(add_instance(dat.read_bytes(), b"web"))
    assert any(line.startswith("web: ") for line in lines(path))

    def without_comm(one):  # a record tells names for those behind it, which are other ones here
        return {key: value for key, value in one.items() if key not in ("comm", "instance")}

    plain, both = [without_comm(one) for one in objects(dat)], objects(path)
    assert [without_comm(one) for one in both if "instance" not in one] == plain
    assert [without_comm(one) for one in both if one.get("instance") == "web"] == plain
    assert len(both) == 2 * len(plain)


def add_instance(data, name):
    """A trace.dat of version 7 with a second buffer, whose pages are those of the first."""
    at = 10 + 2  # magic, "7" and its end
    at = data.index(b"\0", data.index(b"\0", at + 6) + 1) + 1
    (offset,) = struct.unpack_from("<Q", data, at)
    buffer = None
    while True:
        at = offset + 16
        while True:
            option, length = struct.unpack_from("<HI", data, at)
            if option == OPTION_BUFFER:
                buffer = data[at + 6 : at + 6 + length]
            if option == 0:
                break
            at += 6 + length
        (offset,) = struct.unpack_from("<Q", data, at + 6)
        if offset == 0:
            break
    content = buffer[:8] + name + buffer[8:]
    section = struct.pack("<HI", OPTION_BUFFER, len(content)) + content + struct.pack("<HIQ", 0, 8, 0)
    section = struct.pack("<HHIQ", 0, 0, 0, len(section)) + section
    return data[: at + 6] + struct.pack("<Q", len(data)) + data[at + 14 :] + section


# --- JSON


def test_json_agrees_with_text(dat, everything):
    pattern = re.compile(r" *(.*)-(\d+) +\[(\d+)\] +([\d.]+): (\w+): *(.*)$")
    text = [pattern.match(line).groups() for line in lines("-t", dat)]
    assert [
        (one["comm"], str(one["pid"]), f"{one['cpu']:03}", one["timestamp"], one["event"], one["info"])
        for one in everything
    ] == text


def test_json_fields(everything):
    by_event = collections.defaultdict(list)
    for one in everything:
        by_event[one["event"]].append(one)
    for one in by_event["sched_switch"]:
        assert one["system"] == "sched"
        assert set(one["fields"]) == {
            "prev_comm", "prev_pid", "prev_prio", "prev_state", "next_comm", "next_pid", "next_prio"
        }  # fmt: skip
        assert one["info"].startswith(f"{one['fields']['prev_comm']}:{one['fields']['prev_pid']} ")
    # Signed numbers: something failed with ENOENT.
    assert -2 in [one["fields"]["ret"] for one in by_event["sys_exit_openat"]]
    # Strings that are not in the fixed part of the record.
    assert "/nonexistent" not in json.dumps(by_event["sched_process_exec"])
    assert {one["fields"]["filename"] for one in by_event["sched_process_exec"]} >= {"/usr/bin/ls"}
    assert [one["info"].endswith("a mark") for one in by_event["print"]] == [True]
    assert by_event["print"][0]["fields"]["buf"].rstrip("\n") == "a mark"


def test_records_are_in_order(everything):
    times = [float(one["timestamp"]) for one in everything]
    assert times == sorted(times)


def test_json_pretty(dat):
    done = report("--json=pretty", "--first", "1", dat)
    assert done.stdout.count("\n") > 5
    assert json.loads(done.stdout)["cpu"] >= 0


# --- selection


def is_event(*globs):
    return lambda one: any(fnmatch.fnmatch(f"{one['system']}:{one['event']}", glob) for glob in globs)


@pytest.mark.parametrize(
    "options, wanted",
    [
        (["-e", "sched"], is_event("sched:*")),
        (["-e", "sched_switch"], is_event("sched:sched_switch")),
        (["-e", "sched:*wak*"], is_event("sched:*wak*")),
        (["-e", "openat"], is_event("syscalls:sys_enter_openat", "syscalls:sys_exit_openat")),
        (["-e", "openat,close", "-e", "sched_waking"], is_event("syscalls:sys_*_openat", "syscalls:sys_*_close", "*:sched_waking")),
        (["-e", "sched", "-e", "!sched:sched_switch"], lambda one: is_event("sched:*")(one) and one["event"] != "sched_switch"),
        (["--comm", "s?"], lambda one: one["comm"] == "sh"),
        (["--comm", "sh", "--comm", "python*"], lambda one: one["comm"] == "sh" or one["comm"].startswith("python")),
        (["-M", "0"], lambda one: one["cpu"] == 0),
        (["--cpu", "1-7"], lambda one: one["cpu"] > 0),
        (["-f", "sched_switch: prev_prio == 120"], lambda one: one["event"] == "sched_switch" and one["fields"]["prev_prio"] == 120),
        (["-f", 'sched_switch: next_comm =~ "^sh$"'], lambda one: one["event"] == "sched_switch" and one["fields"]["next_comm"] == "sh"),
        (["-e", "sched", "-M", "0", "--comm", "sh"], lambda one: one["system"] == "sched" and one["cpu"] == 0 and one["comm"] == "sh"),
    ],
)  # fmt: skip
def test_selection(dat, everything, options, wanted):
    expected = [one for one in everything if wanted(one)]
    assert objects(*options, dat) == expected
    if "--comm" in options and not any(one["comm"] == "sh" for one in everything):
        pytest.skip("the kernel, which keeps some hundred names for the whole machine, has forgotten that of sh")
    assert len(expected) < len(everything)
    if "0" not in options and "1-7" not in options:  # one CPU can have been idle
        assert expected


def test_pid(dat, everything):
    pids = [pid for pid, _ in collections.Counter(one["pid"] for one in everything).most_common(3)]
    assert objects("-P", pids[1], dat) == [one for one in everything if one["pid"] == pids[1]]
    assert objects("-P", f"{pids[0]},{pids[2]}", dat) == [one for one in everything if one["pid"] in (pids[0], pids[2])]


def nanoseconds(one):
    seconds, fraction = one["timestamp"].split(".")
    return int(seconds) * 1_000_000_000 + int(fraction)


def test_times(dat, everything):
    start, end = nanoseconds(everything[0]), nanoseconds(everything[-1])
    a, b = everything[200]["timestamp"], everything[400]["timestamp"]
    between = [one for one in everything if a <= one["timestamp"] <= b]
    assert objects("--since", a, "--until", b, dat) == between
    assert len(between) >= 201
    span = (end - start) // 3000  # usec
    assert objects(f"--since=+{span}us", dat) == [one for one in everything if nanoseconds(one) >= start + 1000 * span]
    assert objects(f"-U+{span}us", dat) == [one for one in everything if nanoseconds(one) <= start + 1000 * span]
    assert objects(f"-S-{span}us", dat) == [one for one in everything if nanoseconds(one) >= end - 1000 * span]


def test_first_and_last(dat, everything):
    sched = [one for one in everything if one["system"] == "sched"]
    assert objects("--first", "7", "-e", "sched", dat) == sched[:7]
    assert objects("--last", "7", "-e", "sched", dat) == sched[-7:]
    assert objects("--last", "1000000", dat) == everything
    assert lines("--last", "3", dat) == lines(dat)[-3:]


# --- summary


def test_summary_json(dat, everything):
    (summary,) = objects("--summary", "--top=0", dat)
    assert summary["events"] == len(everything)
    assert summary["start"] == everything[0]["timestamp"]
    assert summary["end"] == everything[-1]["timestamp"]
    assert (summary["segments"], summary["lost"], summary["lost_at_least"]) == (1, 0, False)
    seconds = (nanoseconds(everything[-1]) - nanoseconds(everything[0])) / 1e9
    assert summary["rate"] == pytest.approx(len(everything) / seconds)
    for table, key, of in (
        ("by_event", "event", lambda one: f"{one['system']}:{one['event']}"),
        ("by_cpu", "cpu", lambda one: one["cpu"]),
        ("by_task", "pid", lambda one: one["pid"]),
    ):
        counts = collections.Counter(map(of, everything))
        assert {row[key]: row["events"] for row in summary[table]} == counts
        for row in summary[table]:
            assert row["rate"] == pytest.approx(row["events"] / seconds)
    counts = [row["events"] for row in summary["by_event"]]
    assert counts == sorted(counts, reverse=True)


def test_summary_of_a_selection(dat, everything):
    (summary,) = objects("--summary", "-e", "sched", "--top=2", dat)
    assert summary["events"] == sum(one["system"] == "sched" for one in everything)
    assert len(summary["by_task"]) == 2


def test_summary_text(dat, everything):
    text = "\n".join(lines("--summary", "--top=1", dat))
    assert f"Events: {len(everything)} " in text
    assert "Lost: 0\n" in text
    tasks = len({one["pid"] for one in everything})
    assert f" {tasks - 1} more; --top=0 shows all" in text
    switches = sum(one["event"] == "sched_switch" for one in everything)
    assert re.search(rf"^ *{switches} +[\d.]+  sched:sched_switch$", text, re.M)


# --- several segments


def test_segments_are_merged(bus, polkit, daemon, folder):
    """Segments overlap in time, where several CPUs are busy; the report is by time all the same."""

    def run(*arguments):
        done = ktracectl(*arguments, bus=bus)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    program = "dd if=/dev/zero of=/dev/null bs=1 count=20000 & dd if=/dev/zero of=/dev/null bs=1 count=20000; wait"
    what = ["-e", "syscalls", "-F", "-c", "--segment-size=256K", "-b", "8M"]
    (recorded,) = run("--json=short", "record", *what, "--", "sh", "-c", program)
    capture = recorded["capture"]
    assert recorded["segments"] >= 5
    events = run("report", "--json", capture)
    times = [nanoseconds(one) for one in events]
    assert len(events) >= 160_000 and recorded["lost"] == 0
    assert times == sorted(times)
    assert run("report", "--json", "--last", "100", capture) == events[-100:]
    middle = events[len(events) // 2]["timestamp"]
    assert len(run("report", "--json", "--until", middle, capture)) == sum(one["timestamp"] <= middle for one in events)
    (summary,) = run("report", "--json", "--summary", capture)
    assert (summary["events"], summary["segments"]) == (len(events), recorded["segments"])
    # Each segment's own records are all there, in their order.
    copy = folder / "copy"
    assert ktracectl("capture", "export", capture, copy, bus=bus).returncode == 0
    parts = [objects(path) for path in sorted(copy.glob("*.dat"))]
    assert len(parts) == recorded["segments"]
    assert sorted(map(json.dumps, events)) == sorted(json.dumps(one) for part in parts for one in part)


# --- lost events


def test_lost_count(files, pages):
    path = files.make("lost", [with_lost(data, LOST) if data else data for data in pages])
    cpus = [number for number, data in enumerate(pages) if data]
    expected = trace_cmd("report", path).decode().splitlines()[1:]
    assert sorted(line for line in expected if "DROPPED" in line) == [f"CPU:{cpu} [{LOST} EVENTS DROPPED]" for cpu in cpus]
    assert lines(path) == expected
    lost = [one for one in objects(path) if "lost" in one]
    assert sorted(one["cpu"] for one in lost) == cpus
    assert {one["lost"] for one in lost} == {LOST}
    (summary,) = objects("--summary", path)
    assert (summary["lost"], summary["lost_at_least"]) == (LOST * len(cpus), False)
    assert {row["lost"] for row in summary["by_cpu"]} == {LOST}
    # They are told of even where the record behind them is not selected.
    assert sum("DROPPED" in line for line in lines("-e", "print", path)) == len(cpus)
    assert sum("DROPPED" in line for line in lines("-M", cpus[0], path)) == 1


def test_lost_unknown(files, pages):
    changed = bytearray(pages[0] or pages[1])
    struct.pack_into("<Q", changed, 8, commit(changed) | MISSED)
    path = files.make("unknown", [bytes(changed)])
    assert lines(path)[0] == "CPU:0 [EVENTS DROPPED]"
    assert objects(path)[0]["lost"] is None
    (summary,) = objects("--summary", path)
    assert (summary["lost"], summary["lost_at_least"]) == (0, True)
    assert "Lost: >= 0" in "\n".join(lines("--summary", path))


# --- bytes that a traced program chose


def test_escapes(files):
    with instance(4096) as folder:
        path = files.make("marks", record(folder, b"\x1b[31mred\x07 \xff\xc2\x9b caf\xc3\xa9 tab\t."))
    done = report("-e", "print", path, text=False)
    assert b"\\x1b[31mred\\x07 \\xff\\xc2\\x9b caf\xc3\xa9 tab\t." in done.stdout
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", done.stdout)
    done = report("-e", "print", "--json", path, text=False)
    (record_,) = [one for one in map(json.loads, done.stdout.decode("utf-8").splitlines()) if "lost" not in one]
    assert "\x1b[31mred\x07 \\xff\x9b café tab\t." in record_["info"]
    assert record_["fields"]["buf"].rstrip("\n") == "\x1b[31mred\x07 \\xff\x9b café tab\t."


# --- what is no trace, or no longer one


def refused(path, pattern):
    done = report(path)
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert done.stderr.startswith(f"Failed to report {path}: "), done.stderr
    assert re.search(pattern, done.stderr), done.stderr
    assert done.stderr.count("\n") == 1
    return done


def test_not_a_trace(tmp_path):
    refused("/nonexistent/trace.dat", "No such file")
    refused(tmp_path, "not a regular file")
    refused("/etc/passwd", "not a trace.dat file")
    empty = tmp_path / "empty"
    empty.touch()
    refused(empty, "not a trace.dat file")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    refused(fifo, "not a regular file")
    other = tmp_path / "other"
    other.write_bytes(b"\x17\x08\x44tracing8\0" + bytes(4096))
    refused(other, "version")


@pytest.mark.parametrize("version", ["6", "7"])
def test_truncated(files, dat, version):
    """All but the last bytes of version 7, which name its sections for trace-cmd dump, is needed."""
    whole = files.convert(dat, f"whole{version}", "--file-version", version)
    data = whole.read_bytes()
    chance = random.Random(version)
    lengths = [*range(11, 40), *(chance.randrange(40, len(data) - 200) for _ in range(30))]
    path = files.folder / "cut.dat"
    for length in lengths:
        path.write_bytes(data[:length])
        refused(path, "truncated|not a trace.dat file|version")
    path.write_bytes(data[:-1])
    if version == "7":
        assert lines(path) == lines(whole)
    else:
        refused(path, "truncated")


@pytest.mark.seconds(300)
@pytest.mark.parametrize("form", ["raw", "zstd", "6"])
def test_damaged(files, dat, form):
    """Whatever is wrong with a file: an error or a report, never a crash or a hang of ktracectl."""
    options = {"raw": (), "zstd": ("--compression", "zstd"), "6": ("--file-version", "6")}[form]
    data = files.convert(dat, f"damage{form}", *options).read_bytes() if options else dat.read_bytes()
    chance = random.Random(form)
    path = files.folder / "damaged.dat"
    for start, end in ((10, 2000), (10, len(data)), (len(data) - 400_000, len(data)), (len(data) - 2000, len(data))):
        for _ in range(5):
            damaged = bytearray(data)
            for _ in range(chance.choice((1, 4, 64))):
                damaged[chance.randrange(max(start, 10), end)] = chance.randrange(256)
            path.write_bytes(damaged)
            done = report("--summary", path)
            assert done.returncode in (0, 1), (done.returncode, done.stderr)
            if done.returncode == 1:
                assert re.fullmatch(rf"Failed to report {path}: .+\n", done.stderr), done.stderr
    path.write_bytes(data[:16] + b"\xff" * 400 + data[416:])
    refused(path, "damaged|truncated")


def test_options_in_a_loop(files, dat):
    """The last list of options refers to the first one."""
    data = bytearray(dat.read_bytes())
    first = struct.unpack_from("<Q", data, data.index(b"none\0\0") + 6)[0]
    last = add_instance(bytes(data), b"x").index(struct.pack("<HIQ", 0, 8, len(data)))
    struct.pack_into("<Q", data, last + 6, first)
    path = files.folder / "loop.dat"
    path.write_bytes(data)
    refused(path, "form a loop")


# --- the command line


@pytest.mark.parametrize(
    "options, pattern",
    [
        (["--since", "yesterday"], "--since=yesterday: use a time stamp"),
        (["-M", "3-1"], '--cpu=3-1: "3-1"'),
        (["-P", "one"], "--pid=one: not a list of process ids"),
        (["--first", "0"], "--first=0"),
        (["--first", "1", "--last", "1"], "cannot be combined"),
        (["--json=long"], "--json=long"),
        (["--no-such-option"], "no-such-option"),
        (["another"], "Usage"),
    ],
)
def test_wrong_usage(dat, options, pattern):
    done = report(*options, dat)
    assert done.returncode == 2
    assert pattern in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "options, pattern",
    [
        (["-e", "nosuch"], '"nosuch"'),
        (["-e", "sched:nosuch"], '"sched:nosuch"'),
        (["-f", "nosuch: a == 1"], 'filter "nosuch: a == 1": no event found'),
        (["-f", "sched_switch: nosuch == 1"], "nothing can match"),
        (["-f", "sched_switch: prev_pid =="], 'filter "sched_switch: prev_pid ==": incomplete'),
        (["-f", "sched_switch: (prev_pid == 1"], "Unbalanced"),
    ],
)
def test_wrong_selection(dat, options, pattern):
    done = report(*options, dat)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Failed to report {dat}: ")
    assert pattern in done.stderr


def test_help():
    done = report("--help")
    assert done.returncode == 0
    for option in ("--event", "--cpu", "--pid", "--comm", "--filter", "--since", "--until", "--first", "--last", "--summary"):
        assert option in done.stdout


@pytest.mark.parametrize("ignored", [False, True])
def test_reader_goes_away(dat, ignored):
    """As with `| head -1`; with and without SIGPIPE."""
    command = 'trap "" PIPE; ' if ignored else ""
    command += '"$0" report "$1" | head -1; echo ${PIPESTATUS[0]}'
    done = subprocess.run(["bash", "-c", command, KTRACECTL, dat], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [lines(dat)[0], "0"]


def test_disk_full(dat):
    with open("/dev/full", "w") as full:
        done = subprocess.run([KTRACECTL, "report", dat], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == f"Failed to report {dat}: cannot be printed: No space left on device\n"
