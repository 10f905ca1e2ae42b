// generation.cpp: token by token from a head's memory: greedy, drawn, or searched by beams.
#include "runtime/generation.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "base/format.hpp"
#include "base/quote.hpp"
#include "plait/error.hpp"
#include "runtime/model_impl.hpp"

namespace plait {
namespace {

constexpr std::int64_t kMostBeams = 64;
constexpr std::string_view kUnfinished = "\xEF\xBF\xBD";  // U+FFFD: bytes of a character so far

void check_option(bool good, const char* name, const char* expected, double got) {
  if (good) return;
  throw ConfigError({.where = std::string("generation, ") + name,
                     .expected = expected,
                     .got = detail::number_text(got),
                     .action = ""});
}

/// Bytes at the end of text that could still become one of the stop texts.
std::size_t held_back(std::string_view text, std::span<const std::string> stops) {
  std::size_t most = text.ends_with(kUnfinished) ? kUnfinished.size() : 0;
  for (const std::string& stop : stops) {
    for (std::size_t size = std::min(stop.size() - 1, text.size()); size > most; --size) {
      if (text.ends_with(std::string_view(stop).substr(0, size))) most = size;
    }
  }
  return most;
}

}  // namespace

std::string_view name_of(StoppedBy stopped_by) noexcept {
  constexpr std::array<std::string_view, 4> kNames = {"end", "stop", "max_tokens", "callback"};
  return kNames[static_cast<std::size_t>(stopped_by)];
}

void GenerationOptions::validate() const {
  const auto whole = [](std::int64_t value) { return static_cast<double>(value); };
  check_option(max_tokens >= 0, "max_tokens", "at least 1, or 0 for all there is room for",
               whole(max_tokens));
  check_option(temperature >= 0.0 && std::isfinite(temperature), "temperature",
               "a number of at least 0, which is greedy", temperature);
  check_option(top_k >= 0, "top_k", "at least 1, or 0 for all", whole(top_k));
  check_option(top_p > 0.0 && top_p <= 1.0, "top_p", "a share above 0, at most 1", top_p);
  check_option(repetition_penalty > 0.0 && std::isfinite(repetition_penalty), "repetition_penalty",
               "a number above 0; 1 is none", repetition_penalty);
  check_option(beams >= 1 && beams <= kMostBeams, "beams", "1 to 64", whole(beams));
  check_option(std::isfinite(length_penalty), "length_penalty", "a number", length_penalty);
  check_option(beams == 1 || temperature == 0.0, "temperature",
               "0 with several beams, which are not drawn", temperature);
  check_option(beams == 1 || stop.empty(), "beams", "1 with stop texts", whole(beams));
  check_option(temperature > 0.0 || (top_k == 0 && top_p == 1.0), "temperature",
               "a number above 0 with top_k or top_p, which are for drawing", temperature);
  for (const std::string& text : stop) {
    if (text.empty()) check_option(false, "stop", "texts of at least one byte", 0.0);
  }
}

GenerationOptions options_of(const GenerationDefaults& defaults) {
  GenerationOptions options;
  options.max_tokens = defaults.max_tokens;
  options.temperature = defaults.temperature;
  options.top_k = defaults.top_k;
  options.top_p = defaults.top_p;
  options.repetition_penalty = defaults.repetition_penalty;
  options.beams = defaults.beams;
  options.length_penalty = defaults.length_penalty;
  return options;
}

Generator::Generator(std::unique_ptr<GeneratorImpl> impl) noexcept : impl_(std::move(impl)) {}
Generator::Generator(Generator&&) noexcept = default;
Generator& Generator::operator=(Generator&&) noexcept = default;
Generator::~Generator() = default;

void Generator::generate(const Result& result, const Prompt& prompt,
                         const GenerationOptions& options, GeneratedText& out,
                         const OnToken& on_token) {
  impl_->generate(result, prompt, options, out, on_token);
}

GeneratorImpl::GeneratorImpl(std::shared_ptr<const ModelImpl> model, Head head)
    : model_(std::move(model)),
      head_(std::move(head)),
      sampler_(static_cast<std::size_t>(described().vocabulary)) {
  const auto vocabulary = static_cast<std::size_t>(described().vocabulary);
  const auto length = static_cast<std::size_t>(described().max_length);
  said_.reserve(length + 1);
  ids_.reserve(length + 1);
  processed_.resize(vocabulary);
  raw_.resize(vocabulary);
  is_end_.resize(vocabulary);
  presence_.resize(head_.description->modalities.size());
  (void)lane_of(1);
}

detail::GenerationLane& GeneratorImpl::lane_of(std::size_t beams) {
  auto& lane = lanes_[beams];
  if (lane == nullptr) {
    lane = std::make_unique<detail::GenerationLane>(described(), *head_.graph, *head_.step, beams);
  }
  return *lane;
}

void GeneratorImpl::generate(const Result& result, const Prompt& prompt,
                             const GenerationOptions& options, GeneratedText& out,
                             const OnToken& on_token) {
  const auto start = std::chrono::steady_clock::now();
  options.validate();
  check_option(options.beams == 1 || !on_token, "beams", "1 with a callback",
               static_cast<double>(options.beams));
  read(prompt);
  const std::size_t most = room(options);
  const auto beams = static_cast<std::size_t>(options.beams);
  detail::GenerationLane& lane = lane_of(beams);
  remember(result, lane);
  mark_ends(options, true);
  out.tokens.clear();
  out.scores.clear();
  told_.clear();
  try {
    say_prompt(lane, beams);
    if (beams == 1) {
      follow(lane, options, most, out, on_token);
    } else {
      search(lane, options, most, out);
    }
  } catch (const BackendError&) {
    lane.clear();
    mark_ends(options, false);
    throw;
  } catch (...) {
    mark_ends(options, false);
    throw;
  }
  mark_ends(options, false);
  out.text = text_of(out.tokens);
  for (const std::string& stop : options.stop) {
    out.text.resize(std::min(out.text.find(stop), out.text.size()));
  }
  out.duration = std::chrono::steady_clock::now() - start;
}

/// said_: start and prompt.
void GeneratorImpl::read(const Prompt& prompt) {
  const GenerationDescription& generation = described();
  said_.assign(generation.start.begin(), generation.start.end());
  if (!prompt.text.empty()) {
    if (head_.tokenizer == nullptr) {
      throw SampleError({.where = head_.where + ", prompt",
                         .expected = "token ids, as the bundle has no tokenizer for this head",
                         .got = "a text",
                         .action = "Pass the ids."});
    }
    head_.tokenizer->encode(prompt.text, /*special_tokens=*/false, scratch_, ids_);
    said_.insert(said_.end(), ids_.begin(), ids_.end());
  }
  said_.insert(said_.end(), prompt.tokens.begin(), prompt.tokens.end());
  for (const std::int64_t token : said_) {
    if (token >= 0 && token < generation.vocabulary) continue;
    throw SampleError({.where = head_.where + ", prompt",
                       .expected = "tokens of 0 to " + std::to_string(generation.vocabulary - 1),
                       .got = std::to_string(token),
                       .action = "Use the tokenizer that the bundle holds."});
  }
  if (said_.size() > static_cast<std::size_t>(generation.max_length)) {
    throw SampleError({.where = head_.where + ", prompt",
                       .expected = "at most " + std::to_string(generation.max_length) +
                                   " tokens, which the cache holds",
                       .got = std::to_string(said_.size()) + " with the start's",
                       .action = "Shorten it, or export with a larger max_length."});
  }
}

/// How many tokens may be said: the last of them needs no place in the cache.
std::size_t GeneratorImpl::room(const GenerationOptions& options) const {
  const std::size_t free = static_cast<std::size_t>(described().max_length) - said_.size() + 1;
  const auto asked = static_cast<std::size_t>(options.max_tokens);
  if (asked <= free) return asked == 0 ? free : asked;
  throw ConfigError({.where = head_.where + ", max_tokens",
                     .expected = "at most " + std::to_string(free) + " after " +
                                 std::to_string(said_.size()) +
                                 " of start and prompt: the cache "
                                 "holds " +
                                 std::to_string(described().max_length),
                     .got = std::to_string(asked),
                     .action = "Ask for fewer, or export with a larger max_length."});
}

void GeneratorImpl::remember(const Result& result, detail::GenerationLane& lane) {
  const HeadAnswer& answer = result[head_.description->name];
  const Shape memory = model_->memory_shape(head_.description->name);
  if (answer.output.data == nullptr || !(answer.output.shape == memory)) {
    throw SampleError({.where = head_.where,
                       .expected = "a result of this bundle with one of " +
                                   detail::one_of(std::vector<std::string_view>(
                                       head_.description->modalities.begin(),
                                       head_.description->modalities.end())),
                       .got = answer.output.data == nullptr ? "none present" : "another bundle's",
                       .action = "Run the model with a sample of it first."});
  }
  for (std::size_t i = 0; i < presence_.size(); ++i) {
    for (const ModalityReport& report : result.modalities()) {
      if (report.name != head_.description->modalities[i]) continue;
      presence_[i] = report.presence == Presence::kAbsent ? 0.0F : 1.0F;
    }
  }
  lane.remember(answer.output, presence_);
}

void GeneratorImpl::mark_ends(const GenerationOptions& options, bool mark) {
  for (const std::int64_t token : options.stop_tokens) {
    if (token < 0 || token >= described().vocabulary) {
      throw ConfigError({.where = head_.where + ", stop_tokens",
                         .expected = "tokens of 0 to " + std::to_string(described().vocabulary - 1),
                         .got = std::to_string(token),
                         .action = ""});
    }
  }
  for (const std::int64_t token : described().end) {
    is_end_[static_cast<std::size_t>(token)] = mark ? 1 : 0;
  }
  for (const std::int64_t token : options.stop_tokens) {
    is_end_[static_cast<std::size_t>(token)] = mark ? 1 : 0;
  }
}

/// All but the last go into the cache; the last asks for the first token of the text.
void GeneratorImpl::say_prompt(detail::GenerationLane& lane, std::size_t texts) {
  for (std::size_t position = 0; position < said_.size(); ++position) {
    for (std::size_t text = 0; text < texts; ++text) lane.say(text, said_[position]);
    lane.step(position);
  }
}

void GeneratorImpl::follow(detail::GenerationLane& lane, const GenerationOptions& options,
                           std::size_t most, GeneratedText& out, const OnToken& on_token) {
  while (true) {
    const std::span<const float> logits = lane.logits(0);
    const double sum = detail::log_sum_exp(logits, head_.where);
    std::copy(logits.begin(), logits.end(), processed_.begin());
    sampler_.penalize(processed_, said_, options.repetition_penalty);
    const double number = detail::uniform(options.seed, out.tokens.size());
    const std::int64_t token = options.temperature > 0.0
                                   ? sampler_.draw(processed_, options, number)
                                   : detail::Sampler::best(processed_);
    if (is_end_[static_cast<std::size_t>(token)] != 0) {
      const auto& ends = described().end;
      const bool own = std::find(ends.begin(), ends.end(), token) != ends.end();
      out.stopped_by = own ? StoppedBy::kEnd : StoppedBy::kStop;
      return;
    }
    out.tokens.push_back(token);
    out.scores.push_back(static_cast<float>(logits[static_cast<std::size_t>(token)] - sum));
    if (!tell(options, out, on_token)) return;
    if (out.tokens.size() == most) {
      out.stopped_by = StoppedBy::kMaxTokens;
      return;
    }
    lane.say(0, token);
    lane.step(said_.size());
    said_.push_back(token);
  }
}

/// Looks for stop texts and tells the callback. false: the text ends here.
bool GeneratorImpl::tell(const GenerationOptions& options, GeneratedText& out,
                         const OnToken& on_token) {
  if (options.stop.empty() && !on_token) return true;
  const std::string text = text_of(out.tokens);
  std::size_t cut = std::string::npos;
  for (const std::string& stop : options.stop) cut = std::min(cut, text.find(stop));
  const std::string_view whole = std::string_view(text).substr(0, cut);
  std::string_view piece;
  const std::size_t held = cut == std::string::npos ? held_back(whole, options.stop) : 0;
  const std::string_view ready = whole.substr(0, whole.size() - held);
  if (ready.starts_with(told_)) {
    piece = ready.substr(told_.size());
    told_ += piece;
  }
  const bool go_on = !on_token || on_token({out.tokens.back(), out.scores.back(), piece});
  if (cut != std::string::npos) {
    out.stopped_by = StoppedBy::kStop;
    return false;
  }
  if (!go_on) out.stopped_by = StoppedBy::kCallback;
  return go_on;
}

void GeneratorImpl::search(detail::GenerationLane& lane, const GenerationOptions& options,
                           std::size_t most, GeneratedText& out) {
  const auto beams = static_cast<std::size_t>(options.beams);
  const auto ends = static_cast<std::size_t>(std::count(is_end_.begin(), is_end_.end(), 1));
  if (!beams_ || beams_of_search_ != beams || ends_of_search_ != ends) {
    beams_.emplace(beams, ends, static_cast<std::size_t>(described().max_length) + 1);
    beams_of_search_ = beams;
    ends_of_search_ = ends;
  }
  beams_->begin(most, options.length_penalty);
  const std::size_t prompt = said_.size();
  std::size_t position = prompt;
  for (bool first = true;; first = false) {
    for (std::size_t beam = 0; beam < beams; ++beam) {
      const std::span<const float> logits = lane.logits(beam);
      const auto sum = static_cast<float>(detail::log_sum_exp(logits, head_.where));
      for (std::size_t i = 0; i < raw_.size(); ++i) raw_[i] = logits[i] - sum;
      std::copy(raw_.begin(), raw_.end(), processed_.begin());
      said_.resize(prompt);
      if (!first) {
        const auto own = beams_->tokens(beam);
        said_.insert(said_.end(), own.begin(), own.end());
      }
      sampler_.penalize(processed_, said_, options.repetition_penalty);
      beams_->offer(beam, processed_, raw_);
    }
    if (!beams_->advance(is_end_)) break;
    lane.reorder(beams_->parents(), position);
    for (std::size_t beam = 0; beam < beams; ++beam) lane.say(beam, beams_->tokens(beam).back());
    lane.step(position++);
  }
  const detail::BeamSearch::Text& best = beams_->best();
  std::size_t length = best.length;
  out.stopped_by = StoppedBy::kMaxTokens;
  if (length > 0 && is_end_[static_cast<std::size_t>(best.tokens[length - 1])] != 0) {
    out.stopped_by = StoppedBy::kEnd;
    --length;
  }
  out.tokens.assign(best.tokens.begin(), best.tokens.begin() + static_cast<std::ptrdiff_t>(length));
  out.scores.assign(best.scores.begin(), best.scores.begin() + static_cast<std::ptrdiff_t>(length));
}

std::string GeneratorImpl::text_of(const std::vector<std::int64_t>& tokens) {
  if (head_.tokenizer != nullptr) {
    ids_.assign(tokens.begin(), tokens.end());
    return head_.tokenizer->decode(ids_);
  }
  const GenerationDescription& generation = described();
  std::string text;
  for (const std::int64_t token : tokens) {
    const auto& start = generation.start;
    if (token == generation.pad || std::find(start.begin(), start.end(), token) != start.end()) {
      continue;
    }
    if (!text.empty()) text += ' ';
    text += head_.description->labels[static_cast<std::size_t>(token)];
  }
  return text;
}

}  // namespace plait
