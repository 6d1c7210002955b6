# SPDX-License-Identifier: BSD-2-Clause
unit_test(wire wire)
unit_test(violation wire)
