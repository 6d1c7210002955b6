# SPDX-License-Identifier: BSD-2-Clause
"""``python3 -m rpmsg_conformance`` is the same program as ``rpmsg-conform``."""

import sys

from rpmsg_conformance.cli import main

sys.exit(main())
