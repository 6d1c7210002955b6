# SPDX-License-Identifier: BSD-2-Clause
add_library(wire_view STATIC ${CMAKE_CURRENT_LIST_DIR}/support/wire_view.c)
target_link_libraries(wire_view PUBLIC remote_support)

unit_test(fault wire_view)
target_sources(test_fault PRIVATE fault_message_cases.c fault_notice_cases.c fault_ring_cases.c
	fault_life_cases.c)
unit_test(fault_limits wire_view)
