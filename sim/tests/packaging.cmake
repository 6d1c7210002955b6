# SPDX-License-Identifier: BSD-2-Clause
# What is installed and packaged. Not of an instrumented build: a sanitizer's library is in no package.
if(SANITIZE STREQUAL "none" AND NOT COVERAGE)
	add_test(NAME install
		COMMAND /usr/bin/python3 -m pytest -q -p no:cacheprovider
			${CMAKE_CURRENT_SOURCE_DIR}/test_install.py)
	set_tests_properties(install PROPERTIES LABELS install TIMEOUT 600
		ENVIRONMENT "BUILD_TREE=${CMAKE_BINARY_DIR};PYTHONDONTWRITEBYTECODE=1")
endif()
