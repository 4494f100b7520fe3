# What `cmake --install` puts where: headers, both libraries, the program, manuals, pkg-config file, CMake package.
include(CMakePackageConfigHelpers)

if(NOT TARGET orderly_shared)
  return()
endif()

# The libraries' build interface names imported targets of this build; the installed package brings its own.
set(od_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/orderly)
install(TARGETS orderly_shared EXPORT orderlyTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS orderly_static EXPORT orderlyStaticTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT orderlyTargets NAMESPACE orderly:: DESTINATION ${od_package_dir})
install(EXPORT orderlyStaticTargets NAMESPACE orderly:: DESTINATION ${od_package_dir})
install(DIRECTORY include/orderly DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(TARGET orderly)
  install(TARGETS orderly RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
file(GLOB od_manuals CONFIGURE_DEPENDS man/*.[1-8])
foreach(manual ${od_manuals})
  string(REGEX REPLACE ".*\\." "" section ${manual})
  install(FILES ${manual} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()

configure_package_config_file(packaging/orderlyConfig.cmake.in ${CMAKE_BINARY_DIR}/orderlyConfig.cmake
  INSTALL_DESTINATION ${od_package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/orderlyConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/orderlyConfig.cmake ${CMAKE_BINARY_DIR}/orderlyConfigVersion.cmake DESTINATION ${od_package_dir})

# The prefix may be given to `cmake --install` alone, so the pkg-config file is written then.
install(CODE "
  set(PROJECT_VERSION \"${PROJECT_VERSION}\")
  set(PROJECT_DESCRIPTION \"${PROJECT_DESCRIPTION}\")
  set(ORDERLY_RDKAFKA_MINIMUM \"${ORDERLY_RDKAFKA_MINIMUM}\")
  set(OD_PC_INCLUDEDIR \"\\\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}\")
  set(OD_PC_LIBDIR \"\\\${prefix}/${CMAKE_INSTALL_LIBDIR}\")
  configure_file(${CMAKE_SOURCE_DIR}/packaging/orderly.pc.in ${CMAKE_BINARY_DIR}/orderly.pc @ONLY)
  file(INSTALL ${CMAKE_BINARY_DIR}/orderly.pc DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/pkgconfig\")
")
