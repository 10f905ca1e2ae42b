# csrc/ops/tensorrt.cmake: the operators as TensorRT plugins, libplait_tensorrt. Included at the top, behind cuda.cmake.

set(PLAIT_PLUGIN_SOURCES
  "${CMAKE_CURRENT_LIST_DIR}/adapters/tensorrt.cpp"
  "${CMAKE_CURRENT_LIST_DIR}/adapters/tensorrt_fields.cpp"
  "${CMAKE_CURRENT_LIST_DIR}/adapters/tensorrt_plugin.cpp")

# TensorRT opens it by its path and finds its entry points; it finds libplait and libplait_cuda beside itself.
if(TARGET plait_cuda AND PLAIT_TENSORRT_INCLUDE)
  add_library(plait_tensorrt SHARED ${PLAIT_PLUGIN_SOURCES})
  target_include_directories(plait_tensorrt PRIVATE "${PROJECT_SOURCE_DIR}/csrc")
  target_link_libraries(plait_tensorrt PRIVATE plait_options plait_tensorrt_headers plait_cuda plait)
  set_target_properties(plait_tensorrt PROPERTIES INSTALL_RPATH "$ORIGIN")
  target_link_options(plait_tensorrt PRIVATE -Wl,--exclude-libs,ALL -Wl,--gc-sections -Wl,-z,defs)
  install(TARGETS plait_tensorrt DESTINATION "${CMAKE_INSTALL_LIBDIR}")
endif()
