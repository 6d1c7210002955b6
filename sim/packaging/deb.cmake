# SPDX-License-Identifier: BSD-2-Clause
# The Debian package: cpack -G DEB in a build tree, best that of the preset release.
set(PACKAGE_MAINTAINER "The rpmsg-testbench authors <authors@rpmsg-testbench.invalid>"
	CACHE STRING "Maintainer field of the Debian package")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME rpmsg-testbench)
set(CPACK_PACKAGE_VENDOR "The rpmsg-testbench authors")
set(CPACK_PACKAGE_CONTACT ${PACKAGE_MAINTAINER})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "test implementations of virtio-rpmsg without hardware")
set(CPACK_PACKAGE_DESCRIPTION
"rpmsg-sim is a remote processor in a process: a vhost-user back-end that
plugs into QEMU as virtio device 7 and behaves, or misbehaves, exactly as
told. rpmsg-host is the opposite end, so that a remote can be driven without
booting anything. rpmsg-ctl speaks to a running simulator, and rpmsg-conform
judges an implementation against a catalogue of requirements.")

# Into /usr whatever the prefix of the build; what is made at install time then knows that, too.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "python3 (>= 3.11)")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS
	"python3-pytest, python3-pytest-timeout, python3-pytest-xdist, python3-hypothesis, python3-jinja2")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "qemu-system, tshark, bash-completion")
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)

include(CPack)
