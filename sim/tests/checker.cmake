# SPDX-License-Identifier: BSD-2-Clause
unit_test(checker remote_support)
target_compile_definitions(test_checker PRIVATE
	CATALOGUE="${CMAKE_SOURCE_DIR}/conformance/requirements.toml")
