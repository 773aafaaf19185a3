#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Builds the fuzz targets with clang, ASan and UBSan, and runs each for a while.
#
#   usage: tests/fuzz/run.sh [SECONDS [TARGET ...]]
#
# SECONDS is the time for each target, 10 by default. Prints a line for each, and the sum; fails when one crashed, and
# then names the file with the input, which stays in build-fuzz/. KTRACED_FUZZ_OPTIONS are further options of libFuzzer,
# such as "-timeout=60" where the targets get little of the CPU. The last long run is in docs/fuzzing.md.
set -euo pipefail

cd "$(dirname "$0")/../.."
seconds=${1:-10}
shift || true
build='build-fuzz'

if [ ! -f "$build/build.ninja" ]; then
        CC=clang meson setup "$build" -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false
fi

targets=("$@")
if [ "${#targets[@]}" -eq 0 ]; then
        for source in tests/fuzz/fuzz-*.c; do
                name=$(basename "$source" .c)
                targets+=("${name#fuzz-}")
        done
fi
ninja -C "$build" --quiet "${targets[@]/#/tests/fuzz/fuzz-}"

found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT
failed=0
total=0
read -ra options <<<"${KTRACED_FUZZ_OPTIONS:-}"
for name in "${targets[@]}"; do
        log=$build/fuzz-$name.log
        mkdir -p "$found/$name"
        # New inputs go into the first folder; the seeds are only read.
        if "$build/tests/fuzz/fuzz-$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
                -print_final_stats=1 "${options[@]}" -artifact_prefix="$build/$name-" "$found/$name" "tests/fuzz/corpus/$name" \
                >"$log" 2>&1; then
                runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
                total=$((total + runs))
                echo "ok - $name: $runs runs, $(find "$found/$name" -type f | wc -l) inputs found"
        else
                failed=1
                tail -n 40 "$log"
                echo "not ok - $name: see $log"
        fi
done
echo "${#targets[@]} targets, $total runs, $SECONDS s"
exit "$failed"
