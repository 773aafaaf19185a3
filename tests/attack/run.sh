#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The attacks that take minutes, as root: a flood of requests, 100,000 sessions made and removed, and random calls of
# every method. tests/bus has each of them in a form of some seconds. Builds a release in build-attack/ below the
# source, and for the random calls one with sanitizers in build-test/, which tests/run.sh uses, too.
#
#   usage: tests/attack/run.sh [flood|cycles|calls ...]
#
# Prints the figures that are in docs/threat-model.md and docs/fuzzing.md. The environment:
#
#   KTRACED_ATTACK_NICE      nice value of all that is measured, for a machine that has more to do; 0
#   KTRACED_ATTACK_SECONDS   how long each flood takes; 60
#   KTRACED_ATTACK_CYCLES    how many sessions are made and removed; 100000
#   KTRACED_FUZZ_SECONDS     how long the random calls take; 600
#   KTRACED_FUZZ_SEED        with which they begin; random
set -euo pipefail

cd "$(dirname "$0")/../.."
export PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8
what=("$@")
[ $# -gt 0 ] || what=(flood cycles calls)

# build DIR OPTION...: the daemon, and what the tests need beside it.
build() {
        local dir=$1
        shift
        [ -f "$dir/build.ninja" ] || meson setup "$dir" "$@" >/dev/null
        ninja -C "$dir" --quiet daemon/ktraced client/ktracectl tests/lib/caller tests/lib/writer tests/lib/storm
}

# attack DIR TEST
attack() {
        KTRACED_BUILD_DIR=$PWD/$1 /usr/bin/python3 -m pytest -q -rP -p no:cacheprovider "$2"
}

for name in "${what[@]}"; do
        case $name in
        flood | cycles)
                build build-attack --buildtype=release
                attack build-attack "tests/attack/test_$name.py"
                ;;
        calls)
                build build-test -Db_sanitize=address,undefined -Db_lundef=false
                KTRACED_FUZZ_SECONDS=${KTRACED_FUZZ_SECONDS:-600} attack build-test tests/bus/test_fuzz.py
                ;;
        *)
                echo "no attack '$name'; there are: flood cycles calls" >&2
                exit 2
                ;;
        esac
done
