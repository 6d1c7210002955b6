# SPDX-License-Identifier: BSD-2-Clause
# Compiler flags of every C target that a user installs: one interface library.

add_library(testbench_flags INTERFACE)
target_compile_features(testbench_flags INTERFACE c_std_17)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

target_compile_definitions(testbench_flags INTERFACE _GNU_SOURCE
	TESTBENCH_VERSION="${PROJECT_VERSION}")
target_include_directories(testbench_flags INTERFACE ${CMAKE_SOURCE_DIR}/sim)
# Rows of tables leave out trailing members on purpose: they are zero.
target_compile_options(testbench_flags INTERFACE
	-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
	-Wwrite-strings -Wundef -Wvla -Wno-unused-parameter -Wno-missing-field-initializers
	-fstack-protector-strong -fno-common -fno-strict-aliasing)
target_link_options(testbench_flags INTERFACE -Wl,-z,relro,-z,now)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|amd64")
	target_compile_options(testbench_flags INTERFACE -fcf-protection=full)
endif()
if(WERROR)
	target_compile_options(testbench_flags INTERFACE -Werror)
endif()
if(NOT SANITIZE STREQUAL "none" AND COVERAGE)
	message(FATAL_ERROR "SANITIZE=${SANITIZE} and COVERAGE=ON exclude each other: "
		"use one preset, asan, tsan or coverage")
endif()

if(SANITIZE STREQUAL "address")
	set(sanitize_flags -fsanitize=address,undefined -fno-sanitize-recover=all
		-fno-omit-frame-pointer)
elseif(SANITIZE STREQUAL "thread")
	set(sanitize_flags -fsanitize=thread)
elseif(NOT SANITIZE STREQUAL "none")
	message(FATAL_ERROR "SANITIZE is \"${SANITIZE}\": it has to be none, address or thread")
endif()
if(FUZZ)
	if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
		message(FATAL_ERROR "FUZZ=ON needs clang, the compiler is ${CMAKE_C_COMPILER}: "
			"use the preset fuzz")
	endif()
	list(APPEND sanitize_flags ${FUZZ_INSTRUMENTATION})
	target_compile_definitions(testbench_flags INTERFACE TESTBENCH_READ_HOOK)
endif()
if(COVERAGE_MAP)
	list(APPEND sanitize_flags -fprofile-instr-generate -fcoverage-mapping)
	# What the linker then leaves out of a program cannot be reached in it.
	target_compile_options(testbench_flags INTERFACE -ffunction-sections)
endif()
if(COVERAGE)
	list(APPEND sanitize_flags --coverage)
endif()
target_compile_options(testbench_flags INTERFACE ${sanitize_flags})
target_link_options(testbench_flags INTERFACE ${sanitize_flags})

# Checked libc calls only work on optimised code, and fight with the sanitizers.
if(SANITIZE STREQUAL "none" AND NOT FUZZ AND NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
	target_compile_options(testbench_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()

# A message passes through four floors: what it costs is calls between their files, too. Programs that
# a user runs become one piece. Tests and fuzz targets put functions of their own in place of others
# (--wrap), of which gcc's optimiser knows nothing: its objects hold both forms, and those programs are
# linked from the plain one. Clang's hold one form only, but its linker does know of --wrap.
set(lto_works FALSE)
if(LTO)
	include(CheckIPOSupported)
	check_ipo_supported(RESULT lto_works OUTPUT lto_output LANGUAGES C)
	if(NOT lto_works)
		message(STATUS "LTO=ON has no effect, this compiler cannot: ${lto_output}")
	elseif(CMAKE_C_COMPILER_ID STREQUAL "GNU")
		target_link_options(testbench_flags INTERFACE
			$<$<NOT:$<BOOL:$<TARGET_PROPERTY:INTERPROCEDURAL_OPTIMIZATION>>>:-fno-lto>)
	else()
		set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
	endif()
endif()

# across_files(TARGET): optimise it across files where that is asked for and works.
function(across_files target)
	if(NOT lto_works)
		return()
	endif()
	set_target_properties(${target} PROPERTIES INTERPROCEDURAL_OPTIMIZATION ON)
	if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
		target_compile_options(${target} PRIVATE -ffat-lto-objects)
	endif()
endfunction()

# floor(NAME SOURCES... CALLS FLOORS...): a static library that may call only what it names.
function(floor name)
	cmake_parse_arguments(FLOOR "" "" "CALLS" ${ARGN})
	add_library(${name} STATIC ${FLOOR_UNPARSED_ARGUMENTS})
	target_link_libraries(${name} PUBLIC testbench_flags ${FLOOR_CALLS})
	across_files(${name})
endfunction()
