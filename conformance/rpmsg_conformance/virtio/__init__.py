# SPDX-License-Identifier: BSD-2-Clause
"""The host that the suite plays: vhost-user front-end, driver-side rings, rpmsg. Pure Python."""
