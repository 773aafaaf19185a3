# SPDX-License-Identifier: LGPL-2.1-or-later
"""--probe: symbols of programs and libraries are looked up by the client, which passes the files on."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from daemon import BUILD, ktracectl, reachable
from trace_file import events

PROBED = BUILD / "tests" / "lib" / "probed"
CALLS = 200


@pytest.fixture
def record(bus, polkit, daemon, folder):
    """Records with the given options while PROBED, or a copy, is run; the events that trace-cmd finds."""

    def record(*options, program=PROBED):
        path = folder / "trace.dat"
        path.unlink(missing_ok=True)
        # The session is there before the program starts, and ends after it.
        done = ktracectl(
            "record", *options, "-o", path, "--", "sh", "-c", f"echo x | {reachable(program)} {CALLS} >/dev/null", bus=bus
        )
        assert done.returncode == 0, done.stderr
        return events(path)

    return record


def data_offset():
    """Somewhere in .data."""
    sections = subprocess.run(["readelf", "-SW", PROBED], capture_output=True, text=True, check=True).stdout
    return "0x" + re.search(r" \.data +PROGBITS +[0-9a-f]+ 0*([0-9a-f]+) ", sections)[1]


IN_DATA = data_offset()


def refused(bus, *options):
    done = ktracectl("record", *options, "--", "true", bus=bus)
    assert done.returncode != 0
    return done.stderr


def calls(found, name="probed_function"):
    return [event for event in found if event.name == name]


# The byte of "x" and that of the line's end.
EXPECTED = 2 * CALLS


def test_symbol_of_a_program(record):
    found = calls(record("--probe", f"uprobe:{PROBED}:probed_function number=%di:s64 text=+0(%si):string"))
    assert len(found) == EXPECTED
    assert [int(re.search(r"number=(\d+)", event.text)[1]) for event in found] == 2 * list(range(CALLS))
    assert all('text="a text"' in event.text for event in found)


def test_return(record):
    found = calls(record("--probe", f"back=uretprobe:{PROBED}:probed_function value=$retval:s64"), "back")
    assert [int(re.search(r"value=(\d+)", event.text)[1]) for event in found] == 2 * [3 * i for i in range(CALLS)]


def test_several_probes_with_a_filter(record):
    found = record(
        "--probe",
        f"uprobe:{PROBED}:probed_function number=%di:s64",
        "-f",
        "number < 5",
        "--probe",
        f"back=uretprobe:{PROBED}:probed_function",
    )
    assert len(calls(found)) == 10
    assert len(calls(found, "back")) == EXPECTED


def test_library_by_its_name(record):
    """Each program that starts calls exit()."""
    found = calls(record("--probe", "uprobe:libc.so.6:exit status=%di:s32"), "exit")
    assert any("status=0" in event.text for event in found)


def test_program_by_its_name(bus, polkit, daemon):
    done = ktracectl("--json=short", "session", "start", "one", "--probe", "uprobe:bash:0x31000", bus=bus)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def stripped(folder):
    copy = folder / "stripped"
    shutil.copy(reachable(PROBED), copy)
    subprocess.run(["objcopy", "--only-keep-debug", copy, folder / "stripped.debug"], check=True)
    subprocess.run(["strip", "--strip-all", copy], check=True)
    return copy


def test_stripped(bus, polkit, daemon, stripped, folder):
    error = refused(bus, "--probe", f"uprobe:{stripped}:probed_function")
    # Its dynamic symbols are left, but none of the program's own.
    assert "is stripped" in error or 'has no function "probed_function"' in error


def test_symbols_in_a_file_of_their_own(record, stripped, folder):
    subprocess.run(["objcopy", f"--add-gnu-debuglink={folder / 'stripped.debug'}", stripped], check=True, cwd=folder)
    found = calls(record("--probe", f"uprobe:{stripped}:probed_function", program=stripped))
    assert len(found) == EXPECTED


@pytest.mark.parametrize("flags", [["-pie"], ["-no-pie"], ["-static"], ["-Wl,-z,noseparate-code"], ["-Wl,-Ttext-segment=0x10000000"]])
def test_programs_of_all_kinds(record, folder, flags):
    program = folder / "program"
    source = pathlib.Path(__file__).parents[1] / "lib" / "probed.c"
    subprocess.run(["cc", "-O2", *flags, "-o", program, source], check=True)
    assert len(calls(record("--probe", f"uprobe:{program}:probed_function", program=program))) == EXPECTED


VERSIONED = """
__asm__(".symver old_work,work@V1");
__asm__(".symver new_work,work@@V2");
int old_work(void) { return 1; }
int new_work(void) { return 2; }
"""


@pytest.mark.parametrize("strip", [False, True])
@pytest.mark.parametrize(
    "symbol, meant", [("work", "new_work"), ("work@V1", "old_work"), ("work@@V2", "new_work"), ("work@V2", "new_work")]
)
def test_versions_of_symbols(bus, polkit, daemon, folder, symbol, meant, strip):
    (folder / "lib.c").write_text(VERSIONED)
    (folder / "map").write_text("V1 { global: work; local: *; }; V2 { global: work; } V1;")
    library = folder / "lib.so"
    flags = ["-shared", "-fPIC", "-Wl,--version-script=map", "-Wl,-z,noseparate-code"]
    subprocess.run(["cc", *flags, "-o", library, "lib.c"], check=True, cwd=folder)
    # The first segment holds the code: its addresses are offsets.
    offset = re.search(rf"^0*([0-9a-f]+) t {meant}$", subprocess.run(["nm", library], capture_output=True, text=True, check=True).stdout, re.M)[1]
    if strip:
        subprocess.run(["strip", library], check=True)
    ktracectl("session", "create", "one", "--probe", f"work=uprobe:{library}:{symbol}", bus=bus)
    (row,) = json.loads(ktracectl("--json=short", "probe", bus=bus).stdout)
    assert row["definition"] == f"work=uprobe:@0:0x{offset}"


def test_unknown_version(bus, polkit, daemon):
    assert 'has no function "exit@NO_SUCH_1.0"' in refused(bus, "--probe", "uprobe:libc.so.6:exit@NO_SUCH_1.0")


@pytest.fixture
def by_build_id(stripped, folder):
    """The file with symbols where debuggers look for it by the note in the program."""
    notes = subprocess.run(["readelf", "-n", stripped], capture_output=True, text=True, check=True).stdout
    build_id = re.search(r"Build ID: ([0-9a-f]+)", notes)[1]
    target = pathlib.Path("/usr/lib/debug/.build-id") / build_id[:2] / f"{build_id[2:]}.debug"
    if not os.access("/usr/lib", os.W_OK):
        pytest.skip("/usr/lib cannot be written")
    made = [parent for parent in target.parents if not parent.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "stripped.debug", target)
    yield
    target.unlink()
    for parent in made:
        parent.rmdir()


def test_symbols_by_build_id(record, stripped, by_build_id):
    assert len(calls(record("--probe", f"uprobe:{stripped}:probed_function", program=stripped))) == EXPECTED


@pytest.mark.parametrize(
    "definition, text",
    [
        (f"uprobe:{PROBED}:probed_funktion", 'did you mean "probed_function"?'),
        (f"uprobe:{PROBED}", "a probe on a program is uprobe:FILE:SYMBOL"),
        (f"uprobe:{PROBED}:0x10zz", '"0x10zz" is no offset'),
        (f"uprobe:{PROBED}:probed_function+x", '"x" is no offset'),
        (f"uprobe:{PROBED}:0x0", f"Offset 0x0 is in no part of {PROBED} that can be executed"),
        (f"uprobe:{PROBED}:probed_function+0x7fffffff", "is in no part of"),
        (f"uprobe:{PROBED}:{IN_DATA}", f"Offset {IN_DATA} is in no part of"),
        ("uprobe:/nonexistent:main", "Cannot open /nonexistent"),
        ("uprobe:no_such_program:main", 'There is no program and no library "no_such_program"'),
        ("uprobe:/etc/passwd:main", "/etc/passwd is no ELF program or library"),
        ("uprobe:libc.so.6:strlen", "stands for several functions"),
        ("uprobe:@0:0x10", "A file is missing"),
        (f"uprobe:{PROBED}:probed_function x=%nosuch", "There is no such register"),
        ("nothing", "A probe begins with kprobe:"),
    ],
)
def test_wrong_definitions(bus, polkit, daemon, definition, text):
    assert text in refused(bus, "--probe", definition)


def test_nothing_stays(bus, polkit, daemon, record):
    record("--probe", f"uprobe:{PROBED}:probed_function")
    with open("/sys/kernel/tracing/dynamic_events", encoding="ascii") as file:
        assert "probed_function" not in file.read()


def test_embedded(folder):
    path = folder / "trace.dat"
    program = f"echo x | {reachable(PROBED)} {CALLS}"
    done = ktracectl(
        "--embedded", "record", "--probe", f"uprobe:{PROBED}:probed_function", "-o", path, "--", "sh", "-c", program
    )
    assert done.returncode == 0, done.stderr
    assert len(calls(events(path))) == EXPECTED
    assert os.path.getsize(path) > 0


def test_list(bus, polkit, daemon):
    assert ktracectl("probe", bus=bus).stdout == "0 probes listed.\n"
    ktracectl("session", "start", "one", "--probe", f"work=uprobe:{PROBED}:probed_function x=%di", bus=bus)
    (row,) = json.loads(ktracectl("--json=short", "probe", "list", bus=bus).stdout)
    assert (row["name"], row["session"], row["state"]) == ("work", "one", "active")
    assert row["file"] == str(PROBED)
    assert re.fullmatch(r"work=uprobe:@0:0x[0-9a-f]+ x=%di", row["definition"])


def probes_of_ours():
    with open("/sys/kernel/tracing/dynamic_events", encoding="ascii") as file:
        return [line for line in file if ":ktraced_" in line]


def test_try(bus, polkit, daemon):
    done = ktracectl("probe", "try", f"uprobe:{PROBED}:probed_function x=%di:s64 t=+0(%si):string", bus=bus)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("probed_function\n\n")
    assert re.search(r"^x +s64 ", done.stdout, re.M) and re.search(r"^t +__data_loc char\[\] ", done.stdout, re.M)
    assert probes_of_ours() == []


def test_try_several(bus, polkit, daemon):
    definitions = [f"uprobe:{PROBED}:probed_function x=%di:u8", f"back=uretprobe:{PROBED}:probed_function $retval"]
    found = json.loads(ktracectl("--json=short", "probe", "try", *definitions, bus=bus).stdout)["probes"]
    assert [one["name"] for one in found] == ["probed_function", "back"]
    assert {"name": "x", "type": "u8", "size": 1, "signed": False}.items() <= found[0]["fields"][-1].items()


@pytest.mark.parametrize(
    "definitions, text",
    [
        ([f"uprobe:{PROBED}:probed_function x=%nosuch"], "There is no such register"),
        ([f"uprobe:{PROBED}:probed_function x=%di x=%si"], "The kernel refused the probe"),
        ([f"uprobe:{PROBED}:probed_function x=$arg1"], "The kernel refused the probe"),
        ([f"uprobe:{PROBED}:probed_function"] * 2, 'Two probes are called "probed_function"'),
        (["eprobe:no_such:event"], "the kernel has no event"),
    ],
)
def test_try_what_is_wrong(bus, polkit, daemon, definitions, text):
    done = ktracectl("probe", "try", *definitions, bus=bus)
    assert done.returncode == 1
    assert "Failed to try the probe: " in done.stderr and text in done.stderr
    assert probes_of_ours() == []


def test_the_kernel_marks_the_position(bus, polkit, daemon):
    done = ktracectl("probe", "try", f"uprobe:{PROBED}:probed_function first=%di second=@0x10:symbol", bus=bus)
    if done.returncode == 0:
        pytest.skip("this kernel takes that")
    *_, line, mark = done.stderr.splitlines()
    assert mark.strip() == "^" and line[mark.index("^") :] == "symbol"
