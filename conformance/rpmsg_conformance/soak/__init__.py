# SPDX-License-Identifier: BSD-2-Clause
"""Soak: numbered messages both ways for a long time, while either side is broken on purpose."""
