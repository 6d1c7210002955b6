# SPDX-License-Identifier: BSD-2-Clause
# rpmsg-sim as a program: each test_daemon_AREA.py drives the built binary.
foreach(area options sockets control session capture remotes sandbox faults unarmed behaviour
		wire_faults wire_services life hostile stress sandbox_calls poll)
	add_test(NAME daemon_${area}
		COMMAND /usr/bin/python3 -m pytest -q -p no:cacheprovider
			${CMAKE_CURRENT_SOURCE_DIR}/test_daemon_${area}.py)
	set_tests_properties(daemon_${area} PROPERTIES LABELS daemon TIMEOUT 300
		ENVIRONMENT "RPMSG_SIM=$<TARGET_FILE:rpmsg-sim>;PYTHONDONTWRITEBYTECODE=1")
endforeach()

# Only for LD_PRELOAD, so it has none of the sanitizers' flags.
add_library(daemon_forbidden MODULE daemon_forbidden.c)
target_compile_definitions(daemon_forbidden PRIVATE _GNU_SOURCE)
set_target_properties(daemon_forbidden PROPERTIES PREFIX "" C_VISIBILITY_PRESET default
	LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
