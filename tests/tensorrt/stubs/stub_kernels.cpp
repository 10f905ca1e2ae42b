// stub_kernels.cpp: the frame kernel's very source, emulated when its turn on the stub's stream
// comes.
#include "stub_kernels.hpp"

#include <memory>

#include "stub_cuda.hpp"

#define plait_cuda_prepare_frame emulated_frame
#include "preprocess/frame_cuda.cu"
#undef plait_cuda_prepare_frame

namespace {
plait::stub::KernelControl control;
}

extern "C" {

plait::stub::KernelControl* plait_stub_kernels() { return &control; }

const char* plait_cuda_prepare_frame(const plait::detail::FrameCudaCall* call,
                                     CUstream_st* stream) noexcept {
  using plait::detail::FrameCudaCall;
  if (control.refuse) return "out of launches";
  ++control.frames;
  plait_stub_queue(
      stream,
      [](void* data) { (void)emulated_frame(static_cast<const FrameCudaCall*>(data), nullptr); },
      std::make_unique<FrameCudaCall>(*call).release(),
      [](void* data) {
        const std::unique_ptr<FrameCudaCall> owner(static_cast<FrameCudaCall*>(data));
      });
  return nullptr;
}
}
