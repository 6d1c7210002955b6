# SPDX-License-Identifier: BSD-2-Clause
unit_test(host_parts host)

# rpmsg-host as a program: each test_host_AREA.py drives the built binaries.
foreach(area commands remotes)
	add_test(NAME host_${area}
		COMMAND /usr/bin/python3 -m pytest -q -p no:cacheprovider
			${CMAKE_CURRENT_SOURCE_DIR}/test_host_${area}.py)
	set_tests_properties(host_${area} PROPERTIES LABELS host TIMEOUT 300
		ENVIRONMENT "RPMSG_SIM=$<TARGET_FILE:rpmsg-sim>;RPMSG_HOST=$<TARGET_FILE:rpmsg-host>;PYTHONDONTWRITEBYTECODE=1")
endforeach()
