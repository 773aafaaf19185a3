#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# From a fresh Debian 12 to a first trace, as root: installs the packages, builds in build/, runs the daemon, records
# three seconds of scheduler and system call events over D-Bus and shows what they were.
#
# Where systemd is PID 1, the daemon is installed and enabled, and stays. Elsewhere, a private dbus-daemon, polkitd
# and the daemon run from here for as long as this script does; the capture stays.
set -euo pipefail

cd "$(dirname "$0")"
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive

packages=(
        gcc libc6-dev meson ninja-build pkg-config
        libsystemd-dev libtracefs-dev libtraceevent-dev libtracecmd-dev libzstd-dev libjson-c-dev libgcrypt20-dev libelf-dev
        dbus polkitd util-linux
)
temp=
pids=()

say() {
        printf '\n==> %s\n' "$*"
}

cleanup() {
        local pid
        # The last started, which uses the others, goes first.
        for pid in $(printf '%s\n' "${pids[@]}" | tac); do
                kill "$pid" 2>/dev/null || continue
                wait "$pid" 2>/dev/null || true
        done
        [ -z "$temp" ] || rm -rf "$temp"
}

install_packages() {
        local missing=() package
        for package in "${packages[@]}"; do
                [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
        done
        [ "${#missing[@]}" -gt 0 ] || return 0
        say "Installing ${missing[*]}"
        apt-get -q update
        apt-get -qy -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}"
}

build() {
        [ -f build/build.ninja ] || meson setup build -Dtests=false
        ninja -C build --quiet
}

run_under_systemd() {
        say "Installing and enabling ktraced.service"
        meson install -C build --no-rebuild --quiet
        systemctl daemon-reload
        systemctl reload dbus.service
        systemctl enable --now ktraced.service
        # It may have run before, from an older build.
        systemctl restart ktraced.service
        ktracectl=ktracectl
        at_end="ktraced.service is enabled and runs; 'systemctl disable --now ktraced.service' ends that."
}

# start NAME COMMAND...: runs it until this script ends, its output in a file.
start() {
        local name=$1
        shift
        "$@" </dev/null >"$temp/$name.log" 2>&1 &
        pids+=("$!")
}

# until_named NAME BUS_NAME: waits until the program that was started last has its name on the bus.
until_named() {
        local i
        for ((i = 0; i < 100; i++)); do
                if [ "$(dbus-send --bus="$DBUS_SYSTEM_BUS_ADDRESS" --print-reply=literal --reply-timeout=2000 --dest=org.freedesktop.DBus \
                        /org/freedesktop/DBus org.freedesktop.DBus.NameHasOwner "string:$2" 2>/dev/null | xargs)" = "boolean true" ]; then
                        return 0
                fi
                kill -0 "${pids[-1]}" 2>/dev/null || break
                sleep 0.1
        done
        echo "$1 did not start:" >&2
        cat "$temp/$1.log" >&2
        return 1
}

run_privately() {
        say "systemd is not PID 1 here: starting a private bus, polkitd and ktraced"
        [ -d /sys/kernel/tracing/instances ] || mount -t tracefs nodev /sys/kernel/tracing
        cat >"$temp/bus.conf" <<-EOF
	<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
	 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
	<busconfig>
	  <type>system</type>
	  <listen>unix:path=$temp/bus</listen>
	  <auth>EXTERNAL</auth>
	  <policy context="default">
	    <allow user="*"/>
	    <deny own="*"/>
	    <deny send_type="method_call"/>
	    <allow send_type="signal"/>
	    <allow send_requested_reply="true" send_type="method_return"/>
	    <allow send_requested_reply="true" send_type="error"/>
	    <allow send_destination="org.freedesktop.DBus"/>
	    <allow receive_type="method_call"/>
	    <allow receive_type="method_return"/>
	    <allow receive_type="error"/>
	    <allow receive_type="signal"/>
	  </policy>
	  <policy user="root">
	    <allow own="*"/>
	  </policy>
	  <include>/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf</include>
	  <include>$PWD/dbus/org.ktraced1.conf</include>
	</busconfig>
	EOF
        export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$temp/bus
        start dbus-daemon dbus-daemon --config-file="$temp/bus.conf" --nofork --nopidfile --nosyslog
        until_named dbus-daemon org.freedesktop.DBus

        # polkitd reads its actions from one place only: a mount namespace of its own puts ours there.
        cp -r /usr/share/polkit-1/actions "$temp/actions"
        cp dbus/org.ktraced1.policy "$temp/actions"
        # shellcheck disable=SC2016
        start polkitd unshare --mount --propagation private sh -c \
                'mount --bind "$1" /usr/share/polkit-1/actions && exec /usr/lib/polkit-1/polkitd --no-debug' sh "$temp/actions"
        until_named polkitd org.freedesktop.PolicyKit1

        start ktraced build/daemon/ktraced --profiles="$PWD/profiles"
        until_named ktraced org.ktraced1
        ktracectl=build/client/ktracectl
        at_end="The private bus, polkitd and ktraced ended with this script; nothing of them runs any more."
}

if [ "$(id -u)" -ne 0 ]; then
        echo "quickstart.sh: tracing the kernel needs root: sudo ./quickstart.sh" >&2
        exit 1
fi
trap cleanup EXIT
temp=$(mktemp -d)
chmod 755 "$temp"
install_packages
say "Building"
build
if [ -d /run/systemd/system ]; then
        run_under_systemd
else
        run_privately
fi

say "Recording three seconds of scheduler and system call events over D-Bus"
"$ktracectl" record --name=quickstart -e sched -e syscalls --duration=3s 2>&1 | tee "$temp/record"
capture=$(sed -n 's/^Capture: \([^ ]*\).*/\1/p' "$temp/record")

say "The first events"
"$ktracectl" report --no-pager --first=20 "$capture"

say "Summary"
"$ktracectl" report --no-pager --summary "$capture" | sed -n 1,30p

cat <<EOF

The capture $capture is in /var/lib/ktraced/captures/$capture.
$at_end
EOF
