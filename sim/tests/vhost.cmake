# SPDX-License-Identifier: BSD-2-Clause

find_package(Threads REQUIRED)

# A back-end without a socket, and one in a thread; the tests of the floors above may use them.
add_library(vhost_support STATIC support/vhost_fixture.c support/vhost_peer.c)
target_include_directories(vhost_support PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(vhost_support PUBLIC vhost PkgConfig::CMOCKA Threads::Threads)

unit_test(vhost_dispatch vhost_support)
unit_test(vhost_session vhost_support)
unit_test(vhost_ring vhost_support)
unit_test(vhost_queue vhost_support)
unit_test(vhost_event vhost_support)
unit_test(vhost_memory vhost_support)
unit_test(vhost_log vhost_support)
unit_test(vhost_socket vhost_support)
unit_test(vhost_frontend vhost_support)
unit_test(vhost_frontend_hostile vhost_support)

# Lets a test say that no memory is left when a ring is to start.
target_link_options(test_vhost_queue PRIVATE -Wl,--wrap=calloc)
