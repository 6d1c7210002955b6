# SPDX-License-Identifier: BSD-2-Clause
unit_test(service_kinds remote_support)
unit_test(service_script remote_support)
