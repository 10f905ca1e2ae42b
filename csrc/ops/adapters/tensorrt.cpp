// tensorrt.cpp: creators of all operators' plugins, and the library's entry points.
#include "ops/adapters/tensorrt.hpp"

#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "ops/adapters/tensorrt_fields.hpp"
#include "ops/adapters/tensorrt_plugin.hpp"
#include "ops/cuda.hpp"

namespace plait::ops {
namespace {

class Creator final : public nvinfer1::IPluginCreatorV3One {
 public:
  Creator(const CudaEntry& entry, const char* name_space)
      : entry_(entry), name_(entry.schema->name), name_space_(name_space), fields_(*entry.schema) {}
  Creator(const Creator&) = delete;
  Creator& operator=(const Creator&) = delete;

  /// Reads fields alike when an engine is built and when one is loaded.
  nvinfer1::IPluginV3* createPlugin(const char* name, const nvinfer1::PluginFieldCollection* fields,
                                    nvinfer1::TensorRTPhase) noexcept override {
    try {
      const Attributes attributes = read_fields(*entry_.schema, fields);
      return std::make_unique<Plugin>(
                 std::make_shared<const PluginModel>(entry_, attributes, name_space_))
          .release();
    } catch (const std::exception& error) {
      log_error("layer " + std::string(name == nullptr ? "" : name) + ": " + error.what());
      return nullptr;
    }
  }
  const nvinfer1::PluginFieldCollection* getFieldNames() noexcept override {
    return fields_.collection();
  }
  const char* getPluginName() const noexcept override { return name_.c_str(); }
  const char* getPluginVersion() const noexcept override { return kPluginVersion; }
  const char* getPluginNamespace() const noexcept override { return name_space_.c_str(); }

 private:
  const CudaEntry& entry_;
  std::string name_;
  std::string name_space_;
  Fields fields_;
};

struct Creators {
  std::deque<Creator> owned;
  std::vector<nvinfer1::IPluginCreatorInterface*> pointers;

  Creators() {
    for (const char* name_space : {kDomain, ""}) {
      for (const CudaEntry& entry : cuda_registry()) {
        pointers.push_back(&owned.emplace_back(entry, name_space));
      }
    }
  }
};

}  // namespace
}  // namespace plait::ops

nvinfer1::IPluginCreatorInterface* const* getCreators(std::int32_t& count) noexcept {
  count = 0;
  try {
    // Never destroyed: TensorRT's registry may outlive static objects.
    static const auto& creators = *std::make_unique<plait::ops::Creators>().release();
    count = static_cast<std::int32_t>(creators.pointers.size());
    return creators.pointers.data();
  } catch (const std::exception& error) {
    plait::ops::log_error(error.what());
    return nullptr;
  }
}

void setLoggerFinder(nvinfer1::ILoggerFinder* finder) noexcept {
  plait::ops::set_logger_finder(finder);
}

const char* plait_plugins_abi() noexcept { return plait::ops::kPluginAbi; }
