#!/bin/bash -eu
# SPDX-License-Identifier: BSD-2-Clause
exec "$SRC/rpmsg-testbench/fuzz/oss-fuzz/build.sh"
