# SPDX-License-Identifier: MIT
#
# What users of the library need: headers, pkg-config file, CMake package.

if(NOT TARGET libuhmm)
	return()
endif()

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/uhmm
	DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

# Where the folder is in the end is not known now (cmake --install --prefix).
file(RELATIVE_PATH UHMM_PREFIX_FROM_PC
	${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(${PROJECT_SOURCE_DIR}/cmake/uhmm.pc.in
	${PROJECT_BINARY_DIR}/uhmm.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/uhmm.pc
	DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/examples/
	DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples
	FILES_MATCHING PATTERN "*.[ch]")

include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/uhmm)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/uhmm-config.cmake.in
	${PROJECT_BINARY_DIR}/uhmm-config.cmake
	INSTALL_DESTINATION ${package} PATH_VARS CMAKE_INSTALL_LIBDIR
	CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/uhmm-config-version.cmake
	COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/uhmm-config.cmake
	${PROJECT_BINARY_DIR}/uhmm-config-version.cmake DESTINATION ${package})
