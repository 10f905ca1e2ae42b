# aarch64.cmake: CMake toolchain file for 64-bit Arm Linux: Debian's cross compiler, and the arm64 libraries that
# `scripts/setup arm` unpacked (or those of PLAIT_ARM_SYSROOT).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

set(plait_cache "$ENV{PLAIT_CACHE}")
if(NOT plait_cache)
  set(plait_cache "$ENV{HOME}/.cache/plait")
endif()
set(plait_sysroot "$ENV{PLAIT_ARM_SYSROOT}")
if(NOT plait_sysroot)
  set(plait_sysroot "${plait_cache}/aarch64/sysroot")
endif()

# Not CMAKE_SYSROOT: the C library to compile against is the compiler's own.
# Headers of no architecture lie beside it.
set(CMAKE_FIND_ROOT_PATH
  "${plait_sysroot}" "${plait_cache}/onnxruntime" "${plait_cache}/pocketfft" "${plait_cache}/tensorrt")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)
set(CMAKE_CXX_FLAGS_INIT
  "-isystem ${plait_sysroot}/usr/include -isystem ${plait_sysroot}/usr/include/aarch64-linux-gnu")

if(NOT CMAKE_CROSSCOMPILING_EMULATOR)
  set(CMAKE_CROSSCOMPILING_EMULATOR "${CMAKE_CURRENT_LIST_DIR}/../scripts/emulate_arm")
endif()
