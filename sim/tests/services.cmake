# SPDX-License-Identifier: BSD-2-Clause
unit_test(service_kinds remote_support)
