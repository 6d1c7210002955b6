# SPDX-License-Identifier: BSD-2-Clause
unit_test(profile wire_view)
