// run_context.hpp: one set of run buffers with everything bound to them, and the store that lends
// such sets out.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "backends/backend.hpp"
#include "base/function_ref.hpp"
#include "plait/model.hpp"
#include "plait/sample.hpp"
#include "plait/tensor.hpp"
#include "preprocess/preprocessor.hpp"
#include "runtime/device_frames.hpp"

namespace plait::detail {

/// The encoder bound to as many samples as the last call of encode_regions had.
struct RegionBuffers {
  std::size_t regions = 0;
  Tensor input;      // [regions, ...]
  Tensor embedding;  // [regions, ...]
  std::unique_ptr<BoundRun> encoder;
};

/// A modality's part: the encoder reads input and writes embedding, which heads read in place.
struct ModalityBuffers {
  std::unique_ptr<PrepareScratch> scratch;
  Tensor input;      // [1, ...]
  Tensor embedding;  // [1, ...]; zero while the modality is absent
  std::unique_ptr<BoundRun> encoder;
  std::unique_ptr<DeviceFrames> device_frames;  // nullptr: input is made on the host
  RegionBuffers regions;
};

struct HeadBuffers {
  Tensor presence;  // [1, modalities of the head], 0 or 1
  Tensor output;    // [1, values]
  std::unique_ptr<BoundRun> head;
};

/// What one run in flight needs. Used by one thread at a time.
struct RunContext {
  std::vector<ModalityBuffers> modalities;
  std::vector<HeadBuffers> heads;
  std::vector<Presence> presence;      // one per modality
  std::vector<const Sample*> samples;  // one per modality; of the run under way
  std::vector<char> seen;              // scratch of the presence contract
};

/// Lends contexts. Makes one only when all are in use, so its size is the highest number of runs
/// that were ever in flight together. Thread-safe.
class ContextStore {
 public:
  class Lease {
   public:
    Lease(ContextStore& store, std::unique_ptr<RunContext> context) noexcept
        : store_(store), context_(std::move(context)) {}
    ~Lease() { store_.take_back(std::move(context_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    RunContext& operator*() const noexcept { return *context_; }
    RunContext* operator->() const noexcept { return context_.get(); }

   private:
    ContextStore& store_;
    std::unique_ptr<RunContext> context_;
  };

  Lease lend(FunctionRef<std::unique_ptr<RunContext>()> make);

 private:
  void take_back(std::unique_ptr<RunContext> context) noexcept;

  std::mutex mutex_;
  std::vector<std::unique_ptr<RunContext>> idle_;
  std::size_t made_ = 0;
};

}  // namespace plait::detail
