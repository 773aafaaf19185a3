#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Static checks of everything that git knows. usage: tests/lint.sh BUILD_DIR [CHECK ...]
#
# BUILD_DIR is a configured build directory; its compile_commands.json tells how the sources are compiled.
# Each check prints what it found, then one TAP line, so that tests/run.sh can count them.
#
# The check_* functions are called through "check_$check":
# shellcheck disable=SC2317
set -euo pipefail

cd "$(dirname "$0")/.."
build=${1:?usage: tests/lint.sh BUILD_DIR [CHECK ...]}
shift
jobs=$(nproc)

# The checkout may belong to someone else than the root that tests it.
git() {
        command git -c safe.directory='*' "$@"
}

mapfile -t c_files < <(git ls-files -- '*.c')
mapfile -t c_and_h_files < <(git ls-files -- '*.c' '*.h')
mapfile -t shell_files < <(git grep -lE '^#!/bin/(ba)?sh' -- ':!*.md')

check_clang_format() {
        clang-format --dry-run -Werror "${c_and_h_files[@]}"
}

# Sources that a build option left out have no compile command; meson says which those are.
compiled_files() {
        local file
        for file in "${c_files[@]}"; do
                if grep -qF "/$file\"" "$build/compile_commands.json"; then
                        printf '%s\n' "$file"
                fi
        done
}

check_clang_tidy() {
        # What it says of suppressed warnings in system headers is noise; its status is what counts.
        compiled_files | xargs -P "$jobs" -n 2 clang-tidy --quiet -p "$build" 2> >(grep -v 'warnings\? generated' >&2)
}

check_cppcheck() {
        local queue
        # cppcheck judges our code with its own knowledge of the library, but the macros for lists it must see.
        queue=$(echo '#include <sys/queue.h>' | gcc -M -x c - | grep -o '/[^ ]*/sys/queue\.h')
        compiled_files | cppcheck --quiet --file-list=- -j "$jobs" --std=c11 --enable=warning,performance,portability \
                --include="$queue" --inline-suppr --suppressions-list=.cppcheck --error-exitcode=1 -D_GNU_SOURCE -Iinclude -Idaemon -I. -I"$build"
}

check_shellcheck() {
        shellcheck "${shell_files[@]}"
}

check_licence() {
        local missing
        mapfile -t missing < <(git ls-files -- '*.c' '*.h' '*.py' '*.sh' '*.xml' '*.md' '*.in' '*meson*' quickstart.sh .ci/run docs/man completion |
                xargs grep -L 'SPDX-License-Identifier: LGPL-2.1-or-later' || true)
        if [ "${#missing[@]}" -gt 0 ]; then
                printf 'no SPDX line: %s\n' "${missing[@]}"
                return 1
        fi
}

check_python() {
        local status=0 file
        while read -r file; do
                /usr/bin/python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$file" || status=1
        done < <(git ls-files -- '*.py')
        return "$status"
}

checks=("$@")
if [ "${#checks[@]}" -eq 0 ]; then
        checks=(clang_format clang_tidy cppcheck shellcheck licence python)
fi
echo "1..${#checks[@]}"
number=0
failed=0
for check in "${checks[@]}"; do
        number=$((number + 1))
        if output=$("check_$check" 2>&1); then
                echo "ok $number - $check"
        else
                printf '%s\n' "$output"
                echo "not ok $number - $check"
                failed=1
        fi
done
exit "$failed"
