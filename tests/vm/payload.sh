#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Installs the project into a folder, as a distribution's package would hold it, for a guest of the VM tier.
#
#   usage: tests/vm/payload.sh SOURCE_OR_BUILD DEST
#
# SOURCE_OR_BUILD is the source, which is then built in build-vm/ below it, or a build directory; DEST is made anew.
# The build has no sanitizers: what runs in the guest is what users get.
set -euo pipefail

if [ $# -ne 2 ]; then
        echo "usage: tests/vm/payload.sh SOURCE_OR_BUILD DEST" >&2
        exit 2
fi
build=$(realpath "$1")
dest=$(realpath -m "$2")
if [ ! -f "$build/build.ninja" ]; then
        source_dir=$build
        build=$source_dir/build-vm
        if [ ! -f "$build/build.ninja" ]; then
                rm -rf "$build"
                meson setup "$build" "$source_dir" -Dprefix=/usr -Dbuildtype=debugoptimized -Dtests=false >"$build.log" 2>&1 || {
                        cat "$build.log" >&2
                        exit 1
                }
                rm -f "$build.log"
        fi
fi
ninja -C "$build" --quiet
rm -rf "$dest"
mkdir -p "$dest"
DESTDIR=$dest meson install -C "$build" --no-rebuild --quiet
