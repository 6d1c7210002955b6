# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# A private apt: its own sources, lists and (empty) status in a folder of ours, so that packages of
# another suite or architecture can be fetched without root and without touching the host's
# configuration. Signatures are checked by apt against the debian-archive-keyring.
# Source lib.sh first.

KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# debian_mirror: the mirror that this machine's own apt uses for Debian's main archive, or
# $RPMSG_DEBIAN_MIRROR. Fails when there is none.
debian_mirror() {
	local codename uris suite
	if [ -n "${RPMSG_DEBIAN_MIRROR:-}" ]; then
		echo "${RPMSG_DEBIAN_MIRROR%/}"
		return
	fi
	codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	# Tells addresses without fetching anything, also before the first update.
	uris=$(apt-get update --print-uris 2>/dev/null)
	for suite in "$codename" stable testing unstable sid; do
		[ -n "$suite" ] || continue
		if [[ $uris =~ \'([^\']+)/dists/$suite/(In)?Release ]]; then
			echo "${BASH_REMATCH[1]}"
			return
		fi
	done
	return 1
}

# apt_private DIR SUITE ARCH [PACKAGE...]: sets up a private apt in DIR and exports APT_CONFIG for
# it. The named packages count as installed: what depends on them gets along without them here.
# Proxies and validity policy are taken over from the host's configuration.
apt_private() {
	local dir=$1 suite=$2 arch=$3 mirror stub
	shift 3
	[ -r "$KEYRING" ] || die "$KEYRING is missing" "install the package debian-archive-keyring"
	mirror=$(debian_mirror) ||
		die "this machine's apt has no Debian mirror" "set RPMSG_DEBIAN_MIRROR to the URL of one"

	mkdir -p "$dir"/{etc/preferences.d,state/lists/partial,cache/archives/partial}
	echo "deb [signed-by=$KEYRING] $mirror $suite main" >"$dir/etc/sources.list"
	for stub in "$@"; do
		printf 'Package: %s\nStatus: install ok installed\nVersion: 999999:0\n' "$stub"
		printf 'Architecture: %s\nMaintainer: none\nDescription: stands for the real one\n\n' "$arch"
	done >"$dir/status"
	{
		apt-config dump 2>/dev/null | grep '^Acquire::' | grep -v '::IndexTargets'
		cat <<-CONF
			Dir "$dir";
			Dir::Etc "$dir/etc";
			Dir::Etc::sourcelist "$dir/etc/sources.list";
			Dir::Etc::sourceparts "/dev/null";
			Dir::Etc::parts "/dev/null";
			Dir::Etc::main "/dev/null";
			Dir::State "$dir/state";
			Dir::State::status "$dir/status";
			Dir::Cache "$dir/cache";
			APT::Architecture "$arch";
			APT::Architectures { "$arch"; };
			APT::Install-Recommends "false";
			APT::Sandbox::User "root";
			APT::Update::Error-Mode "any";
			Acquire::Languages { "none"; };
			Acquire::AllowInsecureRepositories "false";
			Acquire::AllowWeakRepositories "false";
			Acquire::Retries "3";
			Acquire::http::Timeout "30";
			Acquire::https::Timeout "30";
		CONF
	} >"$dir/apt.conf"
	export APT_CONFIG=$dir/apt.conf
}

# apt_quiet DIR ARGUMENT...: apt-get in the private apt of DIR (and in the folder DIR, which is where
# "download" puts things), its output kept in DIR/log. On failure shows apt's errors and returns 1.
apt_quiet() {
	local dir=$1
	shift
	if ! run_group env -C "$dir" apt-get -q -y "$@" >"$dir/log" 2>&1; then
		grep -E '^(E:|W:| .* (Depends|Conflicts):)' "$dir/log" | sed 's/^/  apt: /' >&2 || tail -n 5 "$dir/log" >&2
		return 1
	fi
}
