# SPDX-License-Identifier: BSD-2-Clause
unit_test(random wire)
unit_test(seed wire_view)
