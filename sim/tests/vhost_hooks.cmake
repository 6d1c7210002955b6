# SPDX-License-Identifier: BSD-2-Clause
unit_test(vhost_hooks vhost_support)
