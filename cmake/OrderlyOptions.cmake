# How everything is compiled: language level, warnings, sanitizers.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

option(ORDERLY_WERROR "Warnings are errors" ON)
set(ORDERLY_SANITIZE "" CACHE STRING "Empty, 'address' (with undefined) or 'thread'")
set_property(CACHE ORDERLY_SANITIZE PROPERTY STRINGS "" address thread)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_C_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

add_library(od_options INTERFACE)
target_compile_options(od_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes
  -Wold-style-definition -Wcast-qual -Wcast-align -Wwrite-strings -Wpointer-arith -Wformat=2 -Wundef -Wvla
  -Wimplicit-fallthrough -Wdouble-promotion -Wdate-time -fno-semantic-interposition -fno-common
  $<$<C_COMPILER_ID:GNU>:-Wlogical-op> $<$<C_COMPILER_ID:GNU>:-Wduplicated-cond>
  $<$<C_COMPILER_ID:GNU>:-Wjump-misses-init>
  $<$<BOOL:${ORDERLY_WERROR}>:-Werror>)

if(ORDERLY_SANITIZE STREQUAL "address")
  set(od_sanitize -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
elseif(ORDERLY_SANITIZE STREQUAL "thread")
  set(od_sanitize -fsanitize=thread -fno-omit-frame-pointer)
elseif(NOT ORDERLY_SANITIZE STREQUAL "")
  message(FATAL_ERROR "ORDERLY_SANITIZE is empty, 'address' or 'thread', not '${ORDERLY_SANITIZE}'")
endif()
if(od_sanitize)
  list(APPEND od_sanitize -Wno-maybe-uninitialized) # gcc guesses wrong in instrumented code
endif()
target_compile_options(od_options INTERFACE ${od_sanitize})
target_link_options(od_options INTERFACE ${od_sanitize})

# ThreadSanitizer does not know glibc's C11 threads, which librdkafka uses: programs of that build carry their own.
if(ORDERLY_SANITIZE STREQUAL "thread")
  add_library(od_c11threads OBJECT ${CMAKE_SOURCE_DIR}/tests/support/c11threads.c)
  target_compile_definitions(od_c11threads PRIVATE _GNU_SOURCE)
  target_link_libraries(od_c11threads PRIVATE od_options)
endif()
