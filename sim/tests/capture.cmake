# SPDX-License-Identifier: BSD-2-Clause
unit_test(capture_file daemon)

# Lets a test say that the file system gives no room ahead.
target_link_options(test_capture_file PRIVATE -Wl,--wrap=fallocate)
