# SPDX-License-Identifier: MIT
#
# Options of the build and the libraries it needs.

option(UHMM_WERROR "Treat compiler warnings as errors" OFF)
option(UHMM_TIDY "Run clang-tidy on every file, its findings are errors" OFF)
option(UHMM_TESTS "Build the tests" ON)
option(UHMM_FUZZ "Build the fuzzers (clang, libFuzzer)" OFF)
set(UHMM_SANITIZE "" CACHE STRING
	"Sanitizer of everything but the preload library: empty, address or thread")
set_property(CACHE UHMM_SANITIZE PROPERTY STRINGS "" address thread)

if(NOT UHMM_SANITIZE MATCHES "^(address|thread)?$")
	message(FATAL_ERROR
		"UHMM_SANITIZE is '${UHMM_SANITIZE}'; use address, thread or nothing")
endif()
if(NOT CMAKE_BUILD_TYPE)
	set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()

set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

include(GNUInstallDirs)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(URING REQUIRED IMPORTED_TARGET liburing)
# liburing 2.1 is enough (Ubuntu 22.04); newer ones have more.
include(CheckSymbolExists)
set(CMAKE_REQUIRED_INCLUDES ${URING_INCLUDE_DIRS})
set(CMAKE_REQUIRED_LIBRARIES ${URING_LINK_LIBRARIES})
set(CMAKE_REQUIRED_DEFINITIONS -D_GNU_SOURCE)
check_symbol_exists(io_uring_get_events liburing.h UHMM_HAVE_URING_GET_EVENTS)
check_symbol_exists(io_uring_submit_and_wait_timeout liburing.h
	UHMM_HAVE_URING_SUBMIT_AND_WAIT_TIMEOUT)
unset(CMAKE_REQUIRED_INCLUDES)
unset(CMAKE_REQUIRED_LIBRARIES)
unset(CMAKE_REQUIRED_DEFINITIONS)
pkg_check_modules(UUID REQUIRED IMPORTED_TARGET uuid)
if(UHMM_TESTS)
	pkg_check_modules(CHECK REQUIRED IMPORTED_TARGET check)
endif()
