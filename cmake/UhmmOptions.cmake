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
pkg_check_modules(UUID REQUIRED IMPORTED_TARGET uuid)
if(UHMM_TESTS)
	pkg_check_modules(CHECK REQUIRED IMPORTED_TARGET check)
endif()
