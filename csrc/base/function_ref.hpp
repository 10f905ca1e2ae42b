// function_ref.hpp: a callable passed by reference: no copy, no allocation, valid for the call
// only.
#pragma once

#include <type_traits>
#include <utility>

namespace plait::detail {

template <typename Signature>
class FunctionRef;

template <typename R, typename... Args>
class FunctionRef<R(Args...)> {
 public:
  template <typename F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef> &&
           std::is_invocable_r_v<R, F&, Args...>) FunctionRef(F& callable)
  noexcept  // NOLINT(google-explicit-constructor): made to be converted to
      : object_(&callable), call_([](const void* object, Args... args) -> R {
          return (*static_cast<F*>(const_cast<void*>(object)))(std::forward<Args>(args)...);
        }) {}

  R operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

 private:
  const void* object_;
  R (*call_)(const void*, Args...);
};

}  // namespace plait::detail
