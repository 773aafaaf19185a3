#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs the tests, as root: installs what they need, builds with sanitizers in build-test/, build-tsan/ and
# build-fuzz/ below the source, and runs the tiers that are named, or all of them; vm, see tests/vm/README.md, only
# where it is named or KTRACED_TEST_VM=1.
#
#   usage: tests/run.sh [lint|unit|capture|kernel|bus|client|tsan|fuzz|vm ...]
#
# The last line sums up the test cases of all tiers: "N passed, N failed[, N skipped]". The exit status is 0 only
# when nothing failed and every tier that was asked for ran.
set -euo pipefail

source_dir=$(cd "$(dirname "$0")/.." && pwd)
cd "$source_dir"
export PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
python=/usr/bin/python3

all_tiers=(lint unit capture kernel bus client tsan fuzz vm)
fuzz_seconds=${KTRACED_FUZZ_SECONDS:-5}
packages=(
        gcc libc6-dev meson ninja-build pkg-config git
        libsystemd-dev libtracefs-dev libtraceevent-dev libtracecmd-dev libzstd-dev libjson-c-dev libgcrypt20-dev libelf-dev
        libcmocka-dev clang clang-format clang-tidy libclang-rt-14-dev cppcheck shellcheck
        dbus polkitd gettext trace-cmd python3 python3-gi python3-dbus python3-pytest util-linux procps groff-base zsh systemd
        e2fsprogs xfsprogs btrfs-progs
)
vm_packages=(qemu-system-x86 mmdebstrap e2fsprogs lz4 zstd xz-utils)

tiers=("$@")
if [ $# -eq 0 ]; then
        tiers=("${all_tiers[@]}")
        [ "${KTRACED_TEST_VM:-}" = 1 ] || unset 'tiers[-1]'
fi
for tier in "${tiers[@]}"; do
        case " ${all_tiers[*]} " in
        *" $tier "*) ;;
        *)
                echo "no tier '$tier'; there are: ${all_tiers[*]}" >&2
                exit 2
                ;;
        esac
        [ "$tier" != vm ] || packages+=("${vm_packages[@]}")
done
if [ "$(id -u)" -ne 0 ]; then
        echo "tests/run.sh: the tests trace the kernel: run it as root" >&2
        exit 2
fi

section() {
        printf '\n==> %s (%d s)\n' "$1" "$SECONDS"
}

install_packages() {
        local missing=() package
        for package in "${packages[@]}"; do
                [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
        done
        [ "${#missing[@]}" -gt 0 ] || return 0
        section "installing ${missing[*]}"
        apt-get -q update
        apt-get -qy -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}"
}

mount_tracefs() {
        [ -d /sys/kernel/tracing/instances ] || mount -t tracefs nodev /sys/kernel/tracing
}

# configure DIR COMPILER OPTION...: once.
configure() {
        local dir=$1 compiler=$2
        shift 2
        if [ ! -f "$dir/build.ninja" ]; then
                rm -rf "$dir"
                CC=$compiler meson setup "$dir" "$@" >"$dir.log" 2>&1 || {
                        cat "$dir.log"
                        return 1
                }
                rm -f "$dir.log"
        fi
}

# suite_programs DIR SUITE: the programs of a suite, as ninja calls them.
suite_programs() {
        meson introspect "$1" --tests | "$python" -c '
import json, os, sys
for test in json.load(sys.stdin):
    if any(suite.split(":")[-1] == sys.argv[2] for suite in test["suite"]):
        print(os.path.relpath(test["cmd"][0], sys.argv[1]))' "$PWD/$1" "$2"
}

# One result that no framework writes: result TIER NAME pass|fail [TEXT]
result() {
        local word=ok
        if [ "$3" != pass ]; then
                word='not ok'
                echo "FAILED: $1: $2${4:+: $4}"
        fi
        echo "$word - $2" >>"$results/$1.tap"
}

# C tests of one meson suite, if it has any; $2 is the build directory, $3 the suite.
run_meson_suite() {
        local tier=$1 dir=$2 suite=$3
        [ -n "$(meson test -C "$dir" --list --suite "$suite" 2>/dev/null | grep ' / ' || true)" ] || return 0
        local status=0
        meson test -C "$dir" --no-rebuild --suite "$suite" --logbase "$tier-c" --print-errorlogs || status=$?
        # Without it, the status alone counts as a failure.
        cp "$dir/meson-logs/$tier-c.junit.xml" "$results/$tier-c.xml" || true
        echo "$status" >"$results/$tier-c.status"
}

# Python tests of one folder, if it has any: run_pytest TIER [SECONDS]. In the background the shell would have them, and
# what they start, ignore SIGINT.
run_pytest() {
        local tier=$1 seconds=${2:-1800}
        compgen -G "tests/$tier/test_*.py" >/dev/null || return 0
        local status=0
        KTRACED_BUILD_DIR="$source_dir/build-test" env --default-signal=INT,QUIT timeout --signal=INT --kill-after=30 "$seconds" \
                "$python" -m pytest -q -ra -p no:cacheprovider --junitxml="$results/$tier-py.xml" "tests/$tier" || status=$?
        echo "$status" >"$results/$tier-py.status"
}

# run_tests TIER: those in C and those in Python.
run_tests() {
        run_meson_suite "$1" build-test "$1"
        run_pytest "$1"
}

run_lint() {
        tests/lint.sh build-test | tee "$results/lint.tap" || true
}

run_tsan() {
        local programs
        if configure build-tsan gcc -Db_sanitize=thread -Db_lundef=false &&
                mapfile -t programs < <(suite_programs build-tsan tsan) &&
                ninja -C build-tsan --quiet "${programs[@]}"; then
                run_meson_suite tsan build-tsan tsan
        else
                result tsan build fail
        fi
}

# fuzz NAME: one target, for some seconds, from its corpus.
fuzz() {
        local name=$1 target=build-fuzz/tests/fuzz/$1 seeds=$temp/$1 corpus
        mkdir -p "$seeds"
        corpus=("$seeds")
        [ ! -d "tests/fuzz/corpus/${name#fuzz-}" ] || corpus+=("tests/fuzz/corpus/${name#fuzz-}")
        if "$target" -max_total_time="$fuzz_seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
                -artifact_prefix="$results/" "${corpus[@]}" >"$results/$name.log" 2>&1; then
                result fuzz "$name" pass
                echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$results/$name.log") runs"
        else
                tail -40 "$results/$name.log"
                result fuzz "$name" fail
        fi
}

run_fuzz() {
        local names name
        mapfile -t names < <(cd tests/fuzz && printf '%s\n' fuzz-*.c | sed 's/\.c$//')
        if ! configure build-fuzz clang -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false ||
                ! ninja -C build-fuzz --quiet "${names[@]/#/tests/fuzz/}"; then
                result fuzz build fail
                return 0
        fi
        for name in "${names[@]}"; do
                [ "$(jobs -rp | wc -l)" -lt "$(nproc)" ] || wait -n
                fuzz "$name" &
        done
        wait
        [ "$(grep -c . "$results/fuzz.tap")" -eq "${#names[@]}" ] || result fuzz "every target ran" fail
}

instances() {
        find /sys/kernel/tracing/instances -mindepth 1 -maxdepth 1 -printf '%f\n' | sort
}

processes() {
        pgrep -f -- "$source_dir/build-(test|tsan|fuzz)/" || true
}

# As systemd does. With fewer numbers a daemon that has to wait for a CPU cannot tell, in scope "self", whether the
# number of a task has gone to another, and ends the session. Here, since tests/conftest.py would set it back when the
# first of two tiers ends.
pid_max_before=
raise_pid_max() {
        local pid_max
        pid_max=$(cat /proc/sys/kernel/pid_max)
        if [ "$pid_max" -lt 4194304 ] && echo 4194304 2>/dev/null >/proc/sys/kernel/pid_max; then
                pid_max_before=$pid_max
        fi
}

results=$source_dir/build-test/results
temp=
beside=
cleanup() {
        [ -z "$temp" ] || rm -rf "$temp"
        [ -z "$pid_max_before" ] || echo "$pid_max_before" >/proc/sys/kernel/pid_max
}
trap cleanup EXIT
temp=$(mktemp -d)

install_packages
mount_tracefs
raise_pid_max
section "building build-test"
configure build-test gcc -Db_sanitize=address,undefined -Db_lundef=false
ninja -C build-test --quiet
rm -rf "$results"
mkdir -p "$results"
instances_before=$(instances)

for tier in "${tiers[@]}"; do
        section "$tier"
        case $tier in
        lint | tsan | fuzz) "run_$tier" ;;
        vm) run_pytest vm 3600 ;;
        bus)
                # Both wait more than they work, each on buses of its own: so the client's tests run beside these.
                case " ${tiers[*]} " in
                *" bus "*"client "*)
                        run_tests client >"$temp/client.log" 2>&1 &
                        beside=$!
                        ;;
                esac
                run_tests bus
                ;;
        client)
                if [ -n "$beside" ]; then
                        wait "$beside" || true
                        cat "$temp/client.log"
                else
                        run_tests client
                fi
                ;;
        *) run_tests "$tier" ;;
        esac
done

section "what is left behind"
left=$(comm -13 <(echo "$instances_before") <(instances) | xargs)
result cleanup "no trace instance is left" "$([ -z "$left" ] && echo pass || echo fail)" "$left"
left=$(processes | xargs)
result cleanup "no process is left" "$([ -z "$left" ] && echo pass || echo fail)" "$left"

section "results"
cleanup
"$python" tests/lib/sum_results.py "$results" "${tiers[@]}"
