# SPDX-License-Identifier: MIT
#
# Functions that make targets.
#
# DEPS everywhere: a module ("base" means the target uhmm_base, wherever and
# whenever it is defined), one of the short names uring, uuid, check, pthread,
# or anything target_link_libraries() takes (a target, "dl", "m").

# uhmm_add_folder(<dir>) - add_subdirectory() if the folder has its file yet
function(uhmm_add_folder dir)
	if(dir MATCHES "^tests/" AND NOT UHMM_TESTS)
		return()
	endif()
	if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${dir}/CMakeLists.txt)
		add_subdirectory(${dir})
	endif()
endfunction()

# Link @target with @scope to the DEPS that follow; modules with @suffix.
function(uhmm_link_deps target scope suffix)
	foreach(dep IN LISTS ARGN)
		if(dep STREQUAL "uring")
			set(lib PkgConfig::URING)
		elseif(dep STREQUAL "uuid")
			set(lib PkgConfig::UUID)
		elseif(dep STREQUAL "check")
			set(lib PkgConfig::CHECK)
		elseif(dep STREQUAL "pthread")
			set(lib Threads::Threads)
		elseif(dep MATCHES "^[a-z_]+$")
			set(mod uhmm_${dep}${suffix})
			set(lib $<IF:$<TARGET_EXISTS:${mod}>,${mod},${dep}>)
		else()
			set(lib ${dep})
		endif()
		target_link_libraries(${target} ${scope} ${lib})
	endforeach()
endfunction()

# uhmm_add_module(<name> SOURCES ... [DEPS ...] [PLAIN])
#
# Static library uhmm_<name>. PLAIN: also uhmm_<name>_plain, the same code
# without sanitizer, for what is loaded into foreign programs (preload/).
function(uhmm_add_module name)
	cmake_parse_arguments(M "PLAIN" "" "SOURCES;DEPS" ${ARGN})
	add_library(uhmm_${name} STATIC ${M_SOURCES})
	set_target_properties(uhmm_${name} PROPERTIES
		POSITION_INDEPENDENT_CODE ON)
	target_link_libraries(uhmm_${name} PUBLIC uhmm_flags uhmm_sanitize)
	uhmm_link_deps(uhmm_${name} PUBLIC "" ${M_DEPS})
	uhmm_apply_tidy(uhmm_${name})
	if(NOT M_PLAIN)
		return()
	endif()
	if(NOT UHMM_SANITIZE)
		add_library(uhmm_${name}_plain ALIAS uhmm_${name})
		return()
	endif()
	add_library(uhmm_${name}_plain STATIC ${M_SOURCES})
	set_target_properties(uhmm_${name}_plain PROPERTIES
		POSITION_INDEPENDENT_CODE ON)
	target_link_libraries(uhmm_${name}_plain PUBLIC uhmm_flags)
	uhmm_link_deps(uhmm_${name}_plain PUBLIC _plain ${M_DEPS})
endfunction()

# uhmm_add_binary(<name> SOURCES ... [DEPS ...])
#
# An executable at the top of the build directory, installed in bin.
# UHMM_LIBDIR_FROM_BINDIR is where it finds lib when installed.
function(uhmm_add_binary name)
	cmake_parse_arguments(B "" "" "SOURCES;DEPS" ${ARGN})
	add_executable(${name} ${B_SOURCES})
	file(RELATIVE_PATH libdir ${CMAKE_INSTALL_FULL_BINDIR}
		${CMAKE_INSTALL_FULL_LIBDIR})
	target_compile_definitions(${name} PRIVATE
		UHMM_LIBDIR_FROM_BINDIR="${libdir}")
	target_link_libraries(${name} PRIVATE uhmm_flags uhmm_sanitize)
	uhmm_link_deps(${name} PRIVATE "" ${B_DEPS})
	uhmm_apply_tidy(${name})
	set_target_properties(${name} PROPERTIES
		RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
	install(TARGETS ${name} RUNTIME)
endfunction()

# uhmm_add_preload(<name> SOURCES ... [DEPS ...] [MAP version-script])
#
# A shared object that is loaded into foreign programs: lib<name>.so at the
# top of the build directory, never sanitized, linked to PLAIN modules only,
# nothing exported but what the version script lists. Installed in lib/uhmm.
function(uhmm_add_preload name)
	cmake_parse_arguments(P "" "MAP" "SOURCES;DEPS" ${ARGN})
	add_library(${name} SHARED ${P_SOURCES})
	target_link_libraries(${name} PRIVATE uhmm_flags)
	uhmm_link_deps(${name} PRIVATE _plain ${P_DEPS})
	uhmm_preload_flags(${name})
	if(P_MAP)
		get_filename_component(map ${P_MAP} ABSOLUTE)
		target_link_options(${name} PRIVATE
			-Wl,--version-script=${map})
		set_property(TARGET ${name} APPEND PROPERTY LINK_DEPENDS ${map})
	endif()
	uhmm_apply_tidy(${name})
	install(TARGETS ${name}
		LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/uhmm NAMELINK_SKIP)
endfunction()

# uhmm_preload_flags(<target>) - flags of code inside another program
function(uhmm_preload_flags target)
	target_compile_options(${target} PRIVATE
		-fvisibility=hidden -fno-plt -fexceptions
		-ftls-model=initial-exec)
	target_link_options(${target} PRIVATE
		-Wl,-z,defs -Wl,-z,now -Wl,-z,relro -Wl,--as-needed
		-Wl,--exclude-libs,ALL)
	set_target_properties(${target} PROPERTIES
		LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
endfunction()
