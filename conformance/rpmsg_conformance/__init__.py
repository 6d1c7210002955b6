# SPDX-License-Identifier: BSD-2-Clause
"""rpmsg-conform: judges implementations of virtio-rpmsg against a catalogue of requirements."""

__version__ = "0.1.0"
