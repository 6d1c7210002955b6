# SPDX-License-Identifier: BSD-2-Clause
"""rpmsg-fuzz host: a guest's kernel, attacked from the device's side."""
