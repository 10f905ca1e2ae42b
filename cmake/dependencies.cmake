# dependencies.cmake: what the core builds against, found with a clear message for whatever is missing.
#
# Static where the result ships (zip reading, SHA-256), so that a wheel needs nothing installed.

function(plait_require variable what hint)
  if(NOT ${variable})
    message(FATAL_ERROR "Plait needs ${what}, which was not found. ${hint}")
  endif()
endfunction()

find_path(PLAIT_JSON_INCLUDE nlohmann/json.hpp)
plait_require(PLAIT_JSON_INCLUDE "the JSON headers nlohmann/json.hpp" "On Debian and Ubuntu: apt install nlohmann-json3-dev")

# Headers only: Debian has no static libhwy, and choosing the target at run time takes a few lines.
find_path(PLAIT_HIGHWAY_INCLUDE hwy/highway.h)
plait_require(PLAIT_HIGHWAY_INCLUDE "the Highway headers hwy/highway.h" "On Debian and Ubuntu: apt install libhwy-dev")

find_path(PLAIT_MINIZIP_INCLUDE minizip/unzip.h)
find_library(PLAIT_MINIZIP_LIBRARY NAMES libminizip.a)
plait_require(PLAIT_MINIZIP_INCLUDE "minizip's headers" "On Debian and Ubuntu: apt install libminizip-dev")
plait_require(PLAIT_MINIZIP_LIBRARY "the static libminizip.a" "On Debian and Ubuntu: apt install libminizip-dev")

find_library(PLAIT_ZLIB_LIBRARY NAMES libz.a)
plait_require(PLAIT_ZLIB_LIBRARY "the static libz.a" "On Debian and Ubuntu: apt install zlib1g-dev")

find_path(PLAIT_OPENSSL_INCLUDE openssl/sha.h)
find_library(PLAIT_CRYPTO_LIBRARY NAMES libcrypto.a)
plait_require(PLAIT_OPENSSL_INCLUDE "OpenSSL's headers" "On Debian and Ubuntu: apt install libssl-dev")
plait_require(PLAIT_CRYPTO_LIBRARY "the static libcrypto.a" "On Debian and Ubuntu: apt install libssl-dev")

if(NOT PLAIT_POCKETFFT_INCLUDE)
  find_path(PLAIT_POCKETFFT_SEARCH pocketfft_hdronly.h
            PATHS "$ENV{PLAIT_CACHE}/pocketfft" "$ENV{HOME}/.cache/plait/pocketfft")
  set(PLAIT_POCKETFFT_INCLUDE "${PLAIT_POCKETFFT_SEARCH}")
endif()
plait_require(PLAIT_POCKETFFT_INCLUDE "the header pocketfft_hdronly.h"
  "Run scripts/setup, or set PLAIT_POCKETFFT_INCLUDE to its folder.")
# Unicode normalization and graphemes, and regular expressions: of texts.
find_path(PLAIT_UTF8PROC_INCLUDE utf8proc.h)
find_library(PLAIT_UTF8PROC_LIBRARY NAMES libutf8proc.a)
plait_require(PLAIT_UTF8PROC_INCLUDE "utf8proc's header" "On Debian and Ubuntu: apt install libutf8proc-dev")
plait_require(PLAIT_UTF8PROC_LIBRARY "the static libutf8proc.a" "On Debian and Ubuntu: apt install libutf8proc-dev")

find_path(PLAIT_PCRE2_INCLUDE pcre2.h)
find_library(PLAIT_PCRE2_LIBRARY NAMES libpcre2-8.a)
plait_require(PLAIT_PCRE2_INCLUDE "PCRE2's header" "On Debian and Ubuntu: apt install libpcre2-dev")
plait_require(PLAIT_PCRE2_LIBRARY "the static libpcre2-8.a" "On Debian and Ubuntu: apt install libpcre2-dev")

if(NOT PLAIT_ONNXRUNTIME_INCLUDE)
  find_path(PLAIT_ONNXRUNTIME_SEARCH onnxruntime_c_api.h
            PATHS "$ENV{PLAIT_CACHE}/onnxruntime/usr/include/onnxruntime"
                  "$ENV{HOME}/.cache/plait/onnxruntime/usr/include/onnxruntime"
                  /usr/include/onnxruntime /usr/local/include/onnxruntime)
  set(PLAIT_ONNXRUNTIME_INCLUDE "${PLAIT_ONNXRUNTIME_SEARCH}")
endif()
plait_require(PLAIT_ONNXRUNTIME_INCLUDE "ONNX Runtime's headers"
  "Run scripts/setup, or set PLAIT_ONNXRUNTIME_INCLUDE to the folder of onnxruntime_c_api.h.")

# Headers only: libnvinfer and CUDA's runtime are opened at run time. Without them TensorRT is left out.
if(NOT PLAIT_TENSORRT_INCLUDE)
  find_path(PLAIT_TENSORRT_SEARCH NvInferRuntime.h
            PATHS "$ENV{PLAIT_CACHE}/tensorrt" "$ENV{HOME}/.cache/plait/tensorrt"
                  "/usr/include/${CMAKE_SYSTEM_PROCESSOR}-linux-gnu")
  if(PLAIT_TENSORRT_SEARCH)
    set(PLAIT_TENSORRT_INCLUDE "${PLAIT_TENSORRT_SEARCH}")
  else()
    message(STATUS "TensorRT is left out: no NvInferRuntime.h. Run scripts/setup, or set PLAIT_TENSORRT_INCLUDE.")
  endif()
endif()
