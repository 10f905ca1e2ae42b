// error.cpp: how the four parts of an error become one message.
#include "plait/error.hpp"

namespace plait {
namespace {

std::string message_of(const ErrorParts& parts) {
  std::string text;
  if (!parts.where.empty()) text += parts.where + ": ";
  text += "expected " + parts.expected + ", got " + parts.got + ".";
  if (!parts.action.empty()) text += " " + parts.action;
  return text;
}

}  // namespace

Error::Error(ErrorParts parts) : std::runtime_error(message_of(parts)), parts_(std::move(parts)) {}

}  // namespace plait
