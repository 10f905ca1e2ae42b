# csrc/backends/tensorrt/tensorrt.cmake: the TensorRT backend, wherever TensorRT's headers are. Included by csrc.

if(PLAIT_TENSORRT_INCLUDE)
  # TensorRT's headers name two handles of CUDA's, which stand in for CUDA's header: its library is opened at run time.
  add_library(plait_tensorrt_headers INTERFACE)
  target_include_directories(plait_tensorrt_headers SYSTEM INTERFACE
    "${CMAKE_CURRENT_LIST_DIR}/cuda_declarations" "${PLAIT_TENSORRT_INCLUDE}")

  target_sources(plait_objects PRIVATE
    backends/tensorrt/backend.cpp
    backends/tensorrt/cuda_buffer.cpp
    backends/tensorrt/cuda_runtime.cpp
    backends/tensorrt/engine.cpp
    backends/tensorrt/engine_choice.cpp
    backends/tensorrt/host_locks.cpp
    backends/tensorrt/library.cpp
    backends/tensorrt/port.cpp
    backends/tensorrt/search.cpp)
  target_link_libraries(plait_objects PRIVATE plait_tensorrt_headers)
else()
  target_sources(plait_objects PRIVATE backends/tensorrt/absent.cpp)
endif()
