#include "masks.hpp"

#include <algorithm>

namespace gramspec {

namespace {
constexpr std::int64_t kOverhead = 128;  // of one mask: its slot, its place in the order, its control block

std::int64_t base_cost(std::size_t words) { return static_cast<std::int64_t>(words) * 4 + kOverhead; }
}  // namespace

Masks::Base::Base(std::span<const std::uint32_t> bits, Counter counter)
    : words(bits.begin(), bits.end()), total(std::move(counter)) {
  total->fetch_add(base_cost(words.size()), std::memory_order_relaxed);
}

Masks::Base::~Base() { total->fetch_sub(base_cost(words.size()), std::memory_order_relaxed); }

Masks::Masks(std::size_t words, std::int64_t max_bytes)
    : words_(words), max_bytes_(max_bytes), bytes_(std::make_shared<std::atomic<std::int64_t>>(0)) {}

std::int64_t Masks::cost(const Mask& mask) {
  return kOverhead + static_cast<std::int64_t>(sizeof(Mask) + mask.others.size() * sizeof(Word));
}

std::shared_ptr<const Masks::Mask> Masks::find(Id config) const {
  const auto c = static_cast<std::size_t>(config);
  const Shard& shard = shards_[c % kShards];
  const std::lock_guard held(shard.lock);
  const std::size_t slot = c / kShards;
  return slot < shard.masks.size() ? shard.masks[slot] : nullptr;
}

// The mask that was there before.
std::shared_ptr<const Masks::Mask> Masks::put(Id config, std::shared_ptr<const Mask> mask) {
  const auto c = static_cast<std::size_t>(config);
  Shard& shard = shards_[c % kShards];
  const std::lock_guard held(shard.lock);
  const std::size_t slot = c / kShards;
  if (slot >= shard.masks.size()) shard.masks.resize(std::max(slot + 1, 2 * shard.masks.size()));
  shard.masks[slot].swap(mask);
  return mask;
}

Masks::Known Masks::known(Id config) const {
  const std::shared_ptr<const Mask> mask = find(config);
  if (!mask) return Known::kNo;
  return mask->accepting ? Known::kAccepting : Known::kMask;
}

Masks::Known Masks::copy(Id config, std::span<std::uint32_t> out) const {
  const std::shared_ptr<const Mask> mask = find(config);
  return mask ? write(*mask, out) : Known::kNo;
}

Masks::Known Masks::write(const Mask& mask, std::span<std::uint32_t> out) {
  if (!mask.used.load(std::memory_order_relaxed)) mask.used.store(true, std::memory_order_relaxed);
  if (mask.base) {
    std::copy(mask.base->words.begin(), mask.base->words.end(), out.begin());
  } else {
    std::fill(out.begin(), out.end(), 0U);
  }
  for (const Word& word : mask.others) out[word.at] = word.bits;
  return mask.accepting ? Known::kAccepting : Known::kMask;
}

Masks::Known Masks::Recent::copy(const Masks& masks, Id config, std::span<std::uint32_t> out) {
  const std::size_t place =
      (static_cast<std::size_t>(config) ^ reinterpret_cast<std::uintptr_t>(&masks) >> 8);
  Entry& entry = entries_[place % entries_.size()];
  if (!entry.mask || entry.config != config || entry.from != &masks) {
    entry = {&masks, config, masks.find(config)};
    if (!entry.mask) return Known::kNo;
  }
  return write(*entry.mask, out);
}

void Masks::store(Id config, std::size_t alike, bool accepting, std::span<const std::uint32_t> bits) {
  if (max_bytes_ <= 0) return;
  auto mask = std::make_shared<Mask>();
  mask->accepting = accepting;
  const auto differ = [&](const std::uint32_t* base) {
    mask->others.clear();
    const std::size_t most = words_ / 16;  // beyond, a base of its own is the better choice
    for (std::size_t begin = 0; begin < words_; begin += 16) {  // mostly equal: sixteen at a time
      const std::size_t end = std::min(begin + 16, words_);
      std::uint32_t any = 0;
      for (std::size_t w = begin; w < end; ++w) any |= bits[w] ^ (base == nullptr ? 0U : base[w]);
      if (any == 0) continue;
      for (std::size_t w = begin; w < end; ++w) {
        if (bits[w] != (base == nullptr ? 0U : base[w])) {
          mask->others.push_back({static_cast<std::uint32_t>(w), bits[w]});
        }
      }
      if (mask->others.size() > most) return false;
    }
    return true;
  };
  std::weak_ptr<const Base>& known = bases_[alike];
  mask->base = known.lock();
  if (!(mask->base && differ(mask->base->words.data()))) {
    mask->base = nullptr;
    if (!differ(nullptr)) {
      mask->others.clear();
      mask->base = std::make_shared<const Base>(bits, bytes_);
      known = mask->base;
    }
  }
  mask->others.shrink_to_fit();
  const std::int64_t own = cost(*mask);
  bytes_->fetch_add(own, std::memory_order_relaxed);
  if (const std::shared_ptr<const Mask> before = put(config, std::move(mask))) {
    bytes_->fetch_sub(cost(*before), std::memory_order_relaxed);  // its place in the order serves the new one
  } else {
    order_.push_back(config);
  }
  ++stored_;
  evict();
  if (bases_.size() > sweep_) {
    std::erase_if(bases_, [](const auto& entry) { return entry.second.expired(); });
    sweep_ = std::max<std::size_t>(64, 2 * bases_.size());
  }
}

// What has been used since it was last looked at is passed over, but not for ever.
void Masks::evict() {
  std::size_t passes = order_.size();
  while (bytes() > max_bytes_ && !order_.empty()) {
    const Id config = order_.front();
    order_.pop_front();
    const std::shared_ptr<const Mask> mask = find(config);
    if (mask->used.exchange(false, std::memory_order_relaxed) && passes > 0) {
      --passes;
      order_.push_back(config);
      continue;
    }
    put(config, nullptr);
    bytes_->fetch_sub(cost(*mask), std::memory_order_relaxed);
    ++evicted_;
  }
}

}  // namespace gramspec
