# SPDX-License-Identifier: MIT
#
# Two interface targets carry the flags:
#   uhmm_flags     language, warnings, include roots: everything of ours
#   uhmm_sanitize  the sanitizer of the preset: everything of ours except
#                  what is loaded into foreign programs, and those programs

# Assertions state our own invariants and stay on in every preset.
foreach(type IN ITEMS RELEASE RELWITHDEBINFO MINSIZEREL)
	string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_${type}
		"${CMAKE_C_FLAGS_${type}}")
endforeach()

set(CMAKE_C_VISIBILITY_PRESET hidden)

add_library(uhmm_flags INTERFACE)
target_compile_features(uhmm_flags INTERFACE c_std_11)
target_include_directories(uhmm_flags INTERFACE
	${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
target_compile_definitions(uhmm_flags INTERFACE
	_GNU_SOURCE UHMM_VERSION="${PROJECT_VERSION}")
target_compile_options(uhmm_flags INTERFACE
	-Wall -Wextra -Wshadow -Wparentheses -Wstrict-prototypes
	-Wmissing-prototypes -Wpointer-arith -Wvla
	-fno-strict-aliasing
	# snprintf()'s result is how truncation is seen
	$<$<C_COMPILER_ID:GNU>:-Wno-format-truncation>
	$<$<BOOL:${UHMM_WERROR}>:-Werror>)

add_library(uhmm_sanitize INTERFACE)
if(UHMM_SANITIZE STREQUAL "address")
	set(san -fsanitize=address,undefined -fno-sanitize-recover=all
		-fno-omit-frame-pointer)
elseif(UHMM_SANITIZE STREQUAL "thread")
	set(san -fsanitize=thread -fno-omit-frame-pointer)
endif()
if(UHMM_FUZZ)
	target_compile_options(uhmm_sanitize INTERFACE -fsanitize=fuzzer-no-link)
endif()
target_compile_options(uhmm_sanitize INTERFACE ${san})
target_link_options(uhmm_sanitize INTERFACE ${san})
unset(san)

# clang-tidy is set per target by uhmm_apply_tidy(), so that code that is not
# ours (the kernel's selftest) is never judged.
if(UHMM_TIDY)
	find_program(UHMM_CLANG_TIDY clang-tidy REQUIRED)
endif()

function(uhmm_apply_tidy target)
	if(UHMM_TIDY)
		set_target_properties(${target} PROPERTIES C_CLANG_TIDY
			"${UHMM_CLANG_TIDY};--quiet;--warnings-as-errors=*")
	endif()
endfunction()
