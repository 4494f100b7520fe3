# librdkafka comes from the system when it is new enough, else from the cache folder that `./run` fills.
set(ORDERLY_RDKAFKA_MINIMUM 2.14.0)

if(DEFINED ENV{ORDERLY_CACHE})
  set(od_cache $ENV{ORDERLY_CACHE})
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(od_cache $ENV{XDG_CACHE_HOME}/orderly)
else()
  set(od_cache $ENV{HOME}/.cache/orderly)
endif()
set(ORDERLY_CACHE ${od_cache} CACHE PATH "Where ./run keeps librdkafka and the Kafka jars")
set(ENV{PKG_CONFIG_PATH} "${ORDERLY_CACHE}/librdkafka/lib/pkgconfig:$ENV{PKG_CONFIG_PATH}")
if(ORDERLY_SANITIZE STREQUAL "thread")
  set(ENV{PKG_CONFIG_PATH} "${ORDERLY_CACHE}/librdkafka-thread/lib/pkgconfig:$ENV{PKG_CONFIG_PATH}")
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(RDKAFKA IMPORTED_TARGET rdkafka>=${ORDERLY_RDKAFKA_MINIMUM})
if(NOT RDKAFKA_FOUND)
  message(FATAL_ERROR "librdkafka >= ${ORDERLY_RDKAFKA_MINIMUM} not found: `./run setup` builds it into ${ORDERLY_CACHE}")
endif()

# Only the daemon and the command line need these.
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd)
pkg_check_modules(FYAML REQUIRED IMPORTED_TARGET libfyaml)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
