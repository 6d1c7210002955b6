# SPDX-License-Identifier: BSD-2-Clause
find_package(Threads REQUIRED)

# Guest memory and a ring with both ends; the tests of the floors above use it too.
add_library(ring_support STATIC ${CMAKE_CURRENT_LIST_DIR}/support/ring_fixture.c)
target_include_directories(ring_support PUBLIC ${CMAKE_CURRENT_LIST_DIR})
target_link_libraries(ring_support PUBLIC virtio PkgConfig::CMOCKA)

unit_test(gmem virtio)
unit_test(virtq ring_support)
unit_test(virtq_chain ring_support)
unit_test(virtq_hostile ring_support)
unit_test(virtq_notify ring_support)
unit_test(spin virtio)
unit_test(drvq ring_support)
unit_test(drvq_hostile ring_support)
unit_test(virtq_stress ring_support Threads::Threads)
# Two threads that have to run at the same time to find anything.
set_tests_properties(virtq_stress PROPERTIES PROCESSORS 2)
