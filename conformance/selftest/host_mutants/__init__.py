# SPDX-License-Identifier: BSD-2-Clause
"""Hosts that make one mistake each, for the checker of rpmsg-sim."""
