# SPDX-License-Identifier: BSD-2-Clause

# A host in the same thread, with a clock of its own.
add_library(remote_support STATIC ${CMAKE_CURRENT_LIST_DIR}/support/remote_host.c)
target_include_directories(remote_support PUBLIC ${CMAKE_CURRENT_LIST_DIR})
target_link_libraries(remote_support PUBLIC remote PkgConfig::CMOCKA)

unit_test(remote_parts remote_support)
unit_test(remote_message remote_support)
unit_test(remote_malformed remote_support)
unit_test(remote_nameservice remote_support)
unit_test(remote_service remote_support)
unit_test(remote_flow remote_support)
unit_test(remote_session remote_support)
unit_test(remote_source remote_support)
unit_test(remote_repeat remote_support)
