# SPDX-License-Identifier: BSD-2-Clause
# Scenario files, played by the built rpmsg-sim: each test_scenario_AREA.py.
foreach(area examples errors run repeat keys)
	add_test(NAME scenario_${area}
		COMMAND /usr/bin/python3 -m pytest -q -p no:cacheprovider
			${CMAKE_CURRENT_SOURCE_DIR}/test_scenario_${area}.py)
	set_tests_properties(scenario_${area} PROPERTIES LABELS scenario TIMEOUT 300
		ENVIRONMENT "RPMSG_SIM=$<TARGET_FILE:rpmsg-sim>;PYTHONDONTWRITEBYTECODE=1")
endforeach()

# The parser by itself, on bytes in memory.
unit_test(scenario daemon)
target_compile_definitions(test_scenario PRIVATE
	SCENARIOS="${CMAKE_SOURCE_DIR}/fixtures/scenarios")
