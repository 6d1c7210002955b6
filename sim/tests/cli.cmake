# SPDX-License-Identifier: BSD-2-Clause
unit_test(cli cli)
