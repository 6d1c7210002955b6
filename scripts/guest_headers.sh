# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What a kernel module for one of Debian's own kernels is built against: its header packages, unpacked
# into the cache, with Debian's kbuild programs for this machine. Source lib.sh and apt.sh first.
#
# Nothing is installed. The programs may want a newer C library than this machine has, so each is
# started through the loader of its own release.

# Changes when what a cached folder of headers consists of does; read by scripts/guest.
# shellcheck disable=SC2034
HEADERS_FORMAT=2

# headers_folder HEADERS RELEASE: the folder for "make -C" of a cached set of headers.
headers_folder() {
	echo "$1/usr/src/linux-headers-$2"
}

# fetch_headers OUT SUITE ARCH RELEASE VERSION: fills the new folder OUT with the headers of the kernel
# RELEASE (of package version VERSION, for Debian architecture ARCH) and what it takes to use them.
fetch_headers() {
	local out=$1 suite=$2 arch=$3 release=$4 version=$5
	local apt=$1.apt package=linux-headers-$4 depends common kbuild deb
	cleanup_on_exit "$apt"
	say "guest: fetching $package $version and what it needs (about 15 MB; nothing is installed)"

	apt_private "$apt/target" "$suite" "$arch"
	apt_quiet "$apt/target" update || return 1
	depends=$(apt-cache show "$package=$version" 2>/dev/null | sed -n 's/^Depends: //p' | head -n 1)
	common=$(grep -o 'linux-headers-[^ ,]*-common[^ ,]*' <<<"$depends" | head -n 1 || true)
	kbuild=$(grep -o 'linux-kbuild-[^ ,]*' <<<"$depends" | head -n 1 || true)
	if [ -z "$common" ] || [ -z "$kbuild" ]; then
		say "  Debian $suite has no (or no longer) $package $version; --refresh fetches the newest kernel"
		return 1
	fi
	apt_quiet "$apt/target" download "$package=$version" "$common=$version" || return 1

	apt_private "$apt/tools" "$suite" "$(dpkg --print-architecture)"
	apt_quiet "$apt/tools" update && apt_quiet "$apt/tools" download "$kbuild=$version" libc6 || return 1

	mkdir -p "$out/libc"
	for deb in "$apt"/target/*.deb "$apt/tools/$kbuild"_*.deb; do
		run_group dpkg-deb -x "$deb" "$out" || die "unpacking $deb failed: is the disk full?"
	done
	run_group dpkg-deb -x "$apt"/tools/libc6_*.deb "$out/libc" || die "unpacking libc6 failed: is the disk full?"
	rm -rf "$apt" "${out:?}/usr/share"
	make_relocatable "$out" "$release"
	wrap_programs "$out"
}

# make_relocatable OUT RELEASE: the packages name each other by absolute path, and a
# compiler by version; any version of the cross compiler will do.
make_relocatable() {
	local folder
	folder=$(headers_folder "$1" "$2")
	# shellcheck disable=SC2016 # the makefile's own variables
	sed -i -e '1i debian_src := $(realpath $(dir $(lastword $(MAKEFILE_LIST)))..)' \
		-e 's,/usr/src/,$(debian_src)/,' "$folder/Makefile"
	sed -i 's/)gcc-[0-9.]*$/)gcc/' "$folder/.kernelvariables"
}

# wrap_programs OUT: has every program of kbuild started through the loader beside it.
wrap_programs() {
	local out=$1 loader program up
	loader=$(find "$out/libc" -name 'ld-linux*.so.*' -type f | head -n 1)
	[ -n "$loader" ] || die "Debian's libc6 has no loader ld-linux*.so.* in it"
	loader=${loader#"$out/"}
	while read -r program; do
		up=${program#"$out/"}
		up=$(sed 's,[^/]*/,../,g; s,[^/]*$,,' <<<"$up")
		mv "$program" "$program.elf"
		cat >"$program" <<-WRAPPER
			#!/bin/sh
			here=\$(dirname "\$0")
			lib=\$here/$up${loader%/*}
			exec "\$lib/${loader##*/}" --library-path "\$lib" --argv0 "\$0" "\$0.elf" "\$@"
		WRAPPER
		chmod +x "$program"
	done < <(find "$out"/usr/lib/linux-kbuild-*/scripts -type f -perm -1 -exec sh -c \
		'for file; do [ "$(head -c 4 "$file" | tail -c 3)" != ELF ] || echo "$file"; done' sh {} +)
}
