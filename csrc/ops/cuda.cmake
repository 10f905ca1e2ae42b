# csrc/ops/cuda.cmake: the operators and the frame path for CUDA devices, libplait_cuda. Included at the top, as languages have to be.

set(PLAIT_CUDA_SOURCES
  "${CMAKE_CURRENT_LIST_DIR}/bev_pool/cuda.cu"
  "${CMAKE_CURRENT_LIST_DIR}/gated_fusion/cuda.cu"
  "${CMAKE_CURRENT_LIST_DIR}/multi_scale_deformable_attention/cuda.cu"
  "${CMAKE_CURRENT_LIST_DIR}/pillar_scatter/cuda.cu"
  "${CMAKE_CURRENT_LIST_DIR}/presence_pack/cuda.cu"
  "${CMAKE_CURRENT_LIST_DIR}/presence_unpack/cuda.cu"
  "${CMAKE_CURRENT_LIST_DIR}/segment_reduce/cuda.cu"
  "${CMAKE_CURRENT_LIST_DIR}/skeleton/cuda.cu"
  "${CMAKE_CURRENT_LIST_DIR}/voxel_reduce/cuda.cu"
  "${CMAKE_CURRENT_LIST_DIR}/../preprocess/frame_cuda.cu")

# Turing to Blackwell, Orin (87) and Thor (110) among them; the PTX of 120 serves what comes later.
set(PLAIT_CUDA_ARCHITECTURES "75-real;80-real;86-real;87-real;89-real;90-real;100-real;110-real;120"
    CACHE STRING "Targets of libplait_cuda, as CMAKE_CUDA_ARCHITECTURES")

if(PLAIT_BUILD_CUDA)
  find_program(PLAIT_NVCC nvcc PATHS "$ENV{CUDA_HOME}/bin" /usr/local/cuda/bin)
  if(NOT PLAIT_NVCC)
    message(STATUS "CUDA is left out: no nvcc on the PATH, in CUDA_HOME or in /usr/local/cuda")
    return()
  endif()
  set(CMAKE_CUDA_COMPILER "${PLAIT_NVCC}" CACHE FILEPATH "")
  set(CMAKE_CUDA_ARCHITECTURES "${PLAIT_CUDA_ARCHITECTURES}")
  set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
  enable_language(CUDA)
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake before 3.26 does not know that nvcc speaks C++20
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
    list(APPEND CMAKE_CUDA_COMPILE_FEATURES cuda_std_20)
  endif()
  find_package(CUDAToolkit REQUIRED)

  add_library(plait_cuda SHARED "${CMAKE_CURRENT_LIST_DIR}/cuda.cpp" ${PLAIT_CUDA_SOURCES})
  target_include_directories(plait_cuda PRIVATE "${PROJECT_SOURCE_DIR}/csrc")
  target_link_libraries(plait_cuda PRIVATE plait CUDA::cudart_static)
  target_compile_options(plait_cuda PRIVATE
    $<$<COMPILE_LANGUAGE:CUDA>:-Xptxas=-v -Werror=all-warnings -Xcompiler=-Wall,-Wextra,-Werror>)
  # What ptxas says of each kernel is kept beside its object: scripts/cuda_resources reads it.
  set_target_properties(plait_cuda PROPERTIES
    CUDA_RUNTIME_LIBRARY Static INSTALL_RPATH "$ORIGIN"
    CUDA_COMPILER_LAUNCHER "${PROJECT_SOURCE_DIR}/cmake/keep_ptxas_log;${CMAKE_CXX_COMPILER_LAUNCHER}")
  target_link_options(plait_cuda PRIVATE -Wl,--exclude-libs,ALL -Wl,--gc-sections -Wl,-z,defs)
  install(TARGETS plait_cuda DESTINATION "${CMAKE_INSTALL_LIBDIR}")

  # For tests on a device, not installed.
  add_library(plait_cuda_arrays SHARED "${PROJECT_SOURCE_DIR}/tests/ops/cuda_arrays.cpp")
  target_include_directories(plait_cuda_arrays PRIVATE "${PROJECT_SOURCE_DIR}/csrc")
  target_link_libraries(plait_cuda_arrays PRIVATE plait_cuda plait CUDA::cudart_static)

  # The frame kernel's tests and times on a device, which scripts/gpu_check asks for.
  add_executable(plait_frame_cuda_times EXCLUDE_FROM_ALL "${PROJECT_SOURCE_DIR}/tests/cuda_emulation/time_frames.cpp")
  target_link_libraries(plait_frame_cuda_times PRIVATE plait_cuda plait_objects CUDA::cudart_static)
  find_package(GTest)
  if(GTest_FOUND)
    add_executable(plait_frame_cuda_tests EXCLUDE_FROM_ALL
      "${PROJECT_SOURCE_DIR}/tests/cpp/frame_cases.cpp" "${PROJECT_SOURCE_DIR}/tests/cuda_emulation/test_frame_cuda.cpp")
    target_include_directories(plait_frame_cuda_tests PRIVATE "${PROJECT_SOURCE_DIR}/tests/cpp")
    target_link_libraries(plait_frame_cuda_tests PRIVATE
      plait_cuda plait_objects CUDA::cudart_static GTest::gtest_main)
  endif()
endif()
