// cuda_runtime_api.h: the two handles of CUDA that TensorRT's headers name, so that the backend
// compiles on machines without CUDA, where libcudart is opened at run time anyway.
//
// Only the backend's own files see it; what calls CUDA at link time includes CUDA's header.
#pragma once

using cudaStream_t = struct CUstream_st*;
using cudaEvent_t = struct CUevent_st*;
