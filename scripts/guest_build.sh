# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# Kernels of our own: Debian's linux-source package, tinyconfig and the fragments (guests/*.config) that
# the guest's description names. Source lib.sh and apt.sh first.
#
# What comes out looks like an unpacked kernel package, so that guest_image.py treats both alike, with
# a folder "build" beside it that modules are built against.

# build_newest SUITE PACKAGE APT: sets SOURCE_VERSION to what Debian has now; APT is a new folder.
build_newest() {
	apt_private "$3" "$1" "$(dpkg --print-architecture)"
	apt_quiet "$3" update || return 1
	SOURCE_VERSION=$(apt-cache show --no-all-versions "$2" 2>/dev/null | sed -n 's/^Version: //p' | head -n 1)
	if [ -z "$SOURCE_VERSION" ]; then
		say "  Debian $1 has no package $2"
		return 1
	fi
}

# build_source PACKAGE APT: sets SOURCE to the cached package of SOURCE_VERSION, fetched when it is not there.
build_source() {
	local cache
	cache=$(cache_dir)/source
	SOURCE=$cache/$1_$SOURCE_VERSION.deb
	[ ! -e "$SOURCE" ] || return 0
	say "guest: fetching $1 $SOURCE_VERSION (about 155 MB; nothing is installed)"
	apt_quiet "$2" download "$1=$SOURCE_VERSION" || return 1
	mkdir -p "$cache"
	# Builds do not happen often, and each needs only the newest.
	rm -f "$cache/$1"_*.deb
	mv "$2/$1"_*.deb "$SOURCE"
}

# unpack_source DIR: without what no build of ours reads, half of the bytes.
# shellcheck disable=SC2317  # called through run_group
unpack_source() {
	mkdir "$1" &&
		dpkg-deb --fsys-tarfile "$SOURCE" |
		tar -x --to-stdout --wildcards '*/usr/src/linux-source-*.tar.xz' |
			tar -x --xz -C "$1" --strip-components=1 --exclude='*/tools/testing' \
				--exclude='*/drivers/gpu/drm/amd/include' --exclude='*/Documentation/devicetree' \
				--exclude='*/arch/*/boot/dts'
}

# kernel_make ARGUMENT...: make in the source, for the guest's architecture.
# shellcheck disable=SC2317  # called through run_group
kernel_make() {
	nice make -C "$BUILD/linux" O="$BUILD/out" ARCH="$KERNEL_ARCH" CROSS_COMPILE="$CROSS" \
		KBUILD_BUILD_TIMESTAMP=1970-01-01 KBUILD_BUILD_USER=rpmsg KBUILD_BUILD_HOST=testbench \
		"${MAKE_VARIABLES[@]}" "$@" >>"$BUILD/log" 2>&1
}

# build_configure FRAGMENT...: tinyconfig with the fragments; ends the script when one of their lines
# did not take, since then the kernel would not be what the guest's description says.
build_configure() {
	local line name got refused=()
	local -A wanted=()
	kernel_make tinyconfig || return 1
	env -C "$BUILD/linux" ARCH="$KERNEL_ARCH" scripts/kconfig/merge_config.sh -m -O "$BUILD/out" \
		"$BUILD/out/.config" "$@" >>"$BUILD/log" 2>&1 || return 1
	kernel_make olddefconfig || return 1
	# A later fragment may overrule an earlier one.
	while read -r line; do
		case $line in
		CONFIG_*) wanted[${line%%=*}]=${line#*=} ;;
		'# CONFIG_'*' is not set')
			name=${line#\# }
			wanted[${name%% *}]=n
			;;
		esac
	done < <(cat "$@")
	for name in "${!wanted[@]}"; do
		got=$(sed -n "s/^$name=//p" "$BUILD/out/.config")
		[ "${got:-n}" = "${wanted[$name]}" ] || refused+=("$name is ${got:-n}, not ${wanted[$name]}")
	done
	[ ${#refused[@]} -eq 0 ] ||
		die "the kernel's configuration does not take what the fragments ask for" "${refused[@]}"
}

# tick: run_group's sign of life.
# shellcheck disable=SC2317  # called through run_group
tick() {
	say "  $(since_ms "$BUILD_START"): $(grep -cE '^  (CC|AS|LD|HOSTCC)' "$BUILD/log" || true) objects, now $(
		tail -n 1 "$BUILD/log" | cut -c 1-60
	)"
}

# build_kernel WORK UNPACKED FRAGMENT...: builds SOURCE into UNPACKED, laid out as a kernel package,
# and UNPACKED.build. Needs KERNEL_ARCH, CROSS and MAKE_VARIABLES; takes some minutes.
build_kernel() {
	local work=$1 unpacked=$2 release
	shift 2
	BUILD=$work/kernel BUILD_START=$(now_ms)
	mkdir -p "$BUILD/out"
	say "guest: unpacking ${SOURCE##*/}"
	run_group unpack_source "$BUILD/linux" || die "unpacking $SOURCE failed: is the disk full?"
	run_group build_configure "$@" || build_failed
	say "guest: building the kernel (3 to 5 minutes on two cores)"
	# shellcheck disable=SC2034 # read by run_group
	TICK_SECONDS=20
	run_group kernel_make -j"$(nproc)" || build_failed
	# shellcheck disable=SC2034
	TICK_SECONDS=
	mkdir -p "$unpacked/boot"
	run_group kernel_make INSTALL_MOD_PATH="$unpacked" INSTALL_MOD_STRIP=1 modules_install || build_failed
	release=$(cat "$BUILD/out/include/config/kernel.release")
	cp "$BUILD/out/.config" "$unpacked/boot/config-$release"
	# An uncompressed image starts twice as fast as a packed one.
	"${CROSS}strip" -o "$unpacked/boot/vmlinuz-$release" "$BUILD/out/vmlinux" || build_failed
	# Its programs have to run here, also those that the script would build for the guest.
	# shellcheck disable=SC2016 # make's and the script's variables
	run_group kernel_make run-command \
		KBUILD_RUN_COMMAND='CC=$$HOSTCC $(srctree)/scripts/package/install-extmod-build '"$unpacked.build" || build_failed
	printf 'override ARCH = %s\noverride CROSS_COMPILE = %s\n' "$KERNEL_ARCH" "$CROSS" >"$unpacked.build/.kernelvariables"
	cp "$BUILD/out/.config" "$unpacked.build/"
	rm -rf "$BUILD"
	say "guest: kernel $release built in $(since_ms "$BUILD_START")"
}

# build_failed: ends the script, showing the log's end; nothing of the build is kept but that.
build_failed() {
	local log
	log=$(cache_dir)/kernel-build-failed.log
	grep -nE 'error:|Error [0-9]|fatal' "$BUILD/log" | head -n 10 >&2 || tail -n 15 "$BUILD/log" >&2
	cp "$BUILD/log" "$log"
	die "building the kernel failed" "whole log: $log"
}
