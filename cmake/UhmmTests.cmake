# SPDX-License-Identifier: MIT
#
# Functions that register tests. Every test has a label and a timeout;
# exit status 77 means skipped.

set(UHMM_LOOPS uring epoll)

# What runs under uhmm runs with each loop, and that with each engine: with the
# best there is (auto), which has no name here, and with those that are not it.
# What a sanitizer sees it sees with each engine and each loop once.
set(UHMM_VARIANTS uring epoll copy.uring copy.epoll)
if(UHMM_SANITIZE)
	set(UHMM_VARIANTS uring copy.epoll)
endif()

# uhmm_variant_args(<variant> <out>): options of `uhmm run` and of the scripts
function(uhmm_variant_args variant out)
	string(REGEX MATCH "^([a-z]+)\\.([a-z]+)$" engine ${variant})
	if(engine)
		set(${out} --engine ${CMAKE_MATCH_1} --loop ${CMAKE_MATCH_2}
			PARENT_SCOPE)
	else()
		set(${out} --loop ${variant} PARENT_SCOPE)
	endif()
endfunction()

# uhmm_variant_engine(<variant> <out>): its engine, or auto
function(uhmm_variant_engine variant out)
	string(REGEX MATCH "^([a-z]+)\\." engine ${variant})
	if(engine)
		set(${out} ${CMAKE_MATCH_1} PARENT_SCOPE)
	else()
		set(${out} auto PARENT_SCOPE)
	endif()
endfunction()

# Environment every test starts with: the ones a developer may have set for
# himself must not change what is tested.
set(UHMM_TEST_ENV
	UHMM_SOCKET=unset: UHMM_ENGINE=unset: UHMM_LOOP=unset:
	UHMM_DEBUG=unset: LD_PRELOAD=unset:)

# uhmm_add_test(<name> LABEL <label>... SOURCES ... [DEPS ...] [ARGS ...]
#	[TIMEOUT seconds] [RUN_UNDER_UHMM] [UHMM_ARGS ...] [ENGINES ...]
#	[SERIAL] [PLAIN] [NEEDS_MOVE])
#
# RUN_UNDER_UHMM: the program is an unmodified one: built without sanitizer,
# run as `uhmm run --engine E --loop L UHMM_ARGS -- program ARGS`, once per
# variant, as <name>.uring and so on. PLAIN: built without sanitizer only.
# SERIAL: never beside another test (timing). ENGINES: with these only.
# NEEDS_MOVE: skipped where auto is another engine.
#
# What runs under uhmm runs under tests/watchdog, which ends it a little before
# the timeout, says where each thread stood, and lets no process be left behind.
function(uhmm_add_test name)
	cmake_parse_arguments(T "RUN_UNDER_UHMM;SERIAL;PLAIN;NEEDS_MOVE" "TIMEOUT"
		"LABEL;SOURCES;DEPS;ARGS;UHMM_ARGS;ENGINES" ${ARGN})
	if(NOT T_LABEL OR NOT T_SOURCES)
		message(FATAL_ERROR "test ${name}: LABEL and SOURCES needed")
	endif()
	add_executable(${name} ${T_SOURCES})
	target_link_libraries(${name} PRIVATE uhmm_flags)
	if(T_RUN_UNDER_UHMM OR T_PLAIN)
		uhmm_link_deps(${name} PRIVATE _plain ${T_DEPS})
	else()
		target_link_libraries(${name} PRIVATE uhmm_sanitize)
		uhmm_link_deps(${name} PRIVATE "" ${T_DEPS})
	endif()
	uhmm_apply_tidy(${name})
	set(opts LABEL ${T_LABEL})
	if(T_TIMEOUT)
		list(APPEND opts TIMEOUT ${T_TIMEOUT})
	endif()
	if(T_SERIAL)
		list(APPEND opts SERIAL)
	endif()
	if(NOT T_TIMEOUT)
		set(T_TIMEOUT 60)
	endif()
	math(EXPR patience "${T_TIMEOUT} * 9 / 10")
	if(NOT T_RUN_UNDER_UHMM)
		uhmm_add_command_test(${name} ${opts}
			COMMAND $<TARGET_FILE:${name}> ${T_ARGS})
		return()
	endif()
	set(before)
	if(T_NEEDS_MOVE)
		set(before ${PROJECT_SOURCE_DIR}/tests/probe/with-move
			${PROJECT_BINARY_DIR}/uhmm)
	endif()
	foreach(variant IN LISTS UHMM_VARIANTS)
		uhmm_variant_args(${variant} variant_args)
		uhmm_variant_engine(${variant} engine)
		if(T_ENGINES AND NOT engine IN_LIST T_ENGINES)
			continue()
		endif()
		uhmm_add_command_test(${name}.${variant} ${opts}
			COMMAND ${before} $<TARGET_FILE:uhmm-watchdog> ${patience}
				${PROJECT_BINARY_DIR}/uhmm run ${variant_args}
				${T_UHMM_ARGS} -- $<TARGET_FILE:${name}>
				${T_ARGS})
	endforeach()
endfunction()

# uhmm_add_command_test(<name> LABEL <label>... COMMAND ... [TIMEOUT s] [SERIAL])
#
# Any command as a test, with the same rules.
function(uhmm_add_command_test name)
	cmake_parse_arguments(T "SERIAL" "TIMEOUT" "LABEL;COMMAND" ${ARGN})
	if(NOT T_TIMEOUT)
		set(T_TIMEOUT 60)
	endif()
	add_test(NAME ${name} COMMAND ${T_COMMAND})
	set_tests_properties(${name} PROPERTIES
		LABELS "${T_LABEL}" TIMEOUT ${T_TIMEOUT} SKIP_RETURN_CODE 77
		ENVIRONMENT_MODIFICATION "${UHMM_TEST_ENV}")
	if(T_SERIAL)
		set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
	endif()
endfunction()

# uhmm_add_fuzzer(<name> SOURCES ... [DEPS ...])
#
# A libFuzzer target (LLVMFuzzerTestOneInput), in the preset fuzz only; its test
# is a short run. Longer: build/fuzz/tests/fuzz/<name> -max_total_time=600
function(uhmm_add_fuzzer name)
	if(NOT UHMM_FUZZ)
		return()
	endif()
	cmake_parse_arguments(F "" "" "SOURCES;DEPS" ${ARGN})
	add_executable(${name} ${F_SOURCES})
	target_link_libraries(${name} PRIVATE uhmm_flags uhmm_sanitize)
	target_link_options(${name} PRIVATE -fsanitize=fuzzer)
	uhmm_link_deps(${name} PRIVATE "" ${F_DEPS})
	uhmm_add_command_test(${name} LABEL fuzz TIMEOUT 60
		COMMAND $<TARGET_FILE:${name}> -max_total_time=20 -timeout=5)
endfunction()
