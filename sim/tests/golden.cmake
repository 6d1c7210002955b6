# SPDX-License-Identifier: BSD-2-Clause
# The C side of what has to agree with the suite's Python: golden messages and constants.
foreach(dump golden constants)
	add_executable(${dump}_dump ${dump}_dump.c)
	target_link_libraries(${dump}_dump PRIVATE vhost)
	set_target_properties(${dump}_dump PROPERTIES
		RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endforeach()

add_test(NAME golden
	COMMAND /usr/bin/python3 -m pytest -q -p no:cacheprovider
		selftest/test_virtio_golden_c.py selftest/test_virtio_constants.py
	WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}/conformance)
set_tests_properties(golden PROPERTIES LABELS unit TIMEOUT 120
	ENVIRONMENT "GOLDEN_DUMP=$<TARGET_FILE:golden_dump>;CONSTANTS_DUMP=$<TARGET_FILE:constants_dump>;PYTHONDONTWRITEBYTECODE=1")
