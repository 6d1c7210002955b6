# SPDX-License-Identifier: BSD-2-Clause
# rpmsg-ctl, its completion and the manual pages, with the built programs.
foreach(area commands errors events watch completion man)
	add_test(NAME ctl_${area}
		COMMAND /usr/bin/python3 -m pytest -q -p no:cacheprovider
			${CMAKE_CURRENT_SOURCE_DIR}/test_ctl_${area}.py)
	set_tests_properties(ctl_${area} PROPERTIES LABELS ctl TIMEOUT 300
		ENVIRONMENT "RPMSG_SIM=$<TARGET_FILE:rpmsg-sim>;RPMSG_CTL=$<TARGET_FILE:rpmsg-ctl>;\
MAN_PAGES=${CMAKE_BINARY_DIR}/sim/man;PYTHONDONTWRITEBYTECODE=1")
endforeach()
# The help of a build with a sanitizer says that the sandbox is off there; pages are of the others.
if(SANITIZE STREQUAL "none")
	add_test(NAME man_generated
		COMMAND ${CMAKE_SOURCE_DIR}/sim/man/update --check ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
	set_tests_properties(man_generated PROPERTIES LABELS ctl TIMEOUT 120)
endif()
