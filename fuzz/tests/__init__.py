# SPDX-License-Identifier: BSD-2-Clause
"""Tests of fuzz/common (in C) and fuzz/tools."""
