#include "deploy/demo/inbox.h"

#include <fcntl.h>
#include <unistd.h>

#include <thread>

#include "daemon/base/unique_fd.h"
#include "gtest/gtest.h"

namespace demo {
namespace {

class InboxTest : public ::testing::Test {
 protected:
  InboxTest() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    read_end_ = p2pd::UniqueFd(ends[0]);
    write_end_ = p2pd::UniqueFd(ends[1]);
    auto inbox = Inbox::Create(read_end_.get());
    EXPECT_TRUE(inbox.ok()) << inbox.status();
    inbox_ = *std::move(inbox);
  }

  void Type(const std::string& text) {
    EXPECT_EQ(write(write_end_.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }

  // The verb of the next command; "" if the next item is none.
  std::string NextVerb() {
    const std::optional<Item> item = inbox_->Take(absl::InfiniteDuration());
    const Command* command = std::get_if<Command>(&*item);
    return command == nullptr ? "" : command->verb;
  }

  p2pd::UniqueFd read_end_;
  p2pd::UniqueFd write_end_;
  std::unique_ptr<Inbox> inbox_;
};

TEST_F(InboxTest, IsEmptyAtFirst) { EXPECT_FALSE(inbox_->Take(absl::ZeroDuration()).has_value()); }

TEST_F(InboxTest, GivesCommandsLineByLine) {
  Type("copy\ntraf");
  EXPECT_EQ(NextVerb(), "copy");
  EXPECT_FALSE(inbox_->Take(absl::ZeroDuration()).has_value());
  Type("fic\n");
  EXPECT_EQ(NextVerb(), "traffic");
}

TEST_F(InboxTest, SaysWhenThereAreNoMoreCommands) {
  Type("stop\n");
  write_end_.Reset();
  EXPECT_EQ(NextVerb(), "stop");
  const std::optional<Item> end = inbox_->Take(absl::InfiniteDuration());
  EXPECT_TRUE(std::holds_alternative<EndOfCommands>(*end));
  EXPECT_FALSE(inbox_->Take(absl::ZeroDuration()).has_value()) << "said once";
}

TEST_F(InboxTest, AnotherThreadWakesTheOneThatWaits) {
  std::thread pusher([this] { inbox_->Push(absl::UnavailableError("p2pd went away")); });
  const std::optional<Item> item = inbox_->Take(absl::InfiniteDuration());
  pusher.join();
  EXPECT_EQ(std::get<absl::Status>(*item), absl::UnavailableError("p2pd went away"));
}

TEST(CommandTest, HasAVerbAndArguments) {
  const Command command = Command::Parse("probe  iova=0x1000 length=4096");
  EXPECT_EQ(command.verb, "probe");
  EXPECT_EQ(command.Number("iova", 0).value(), 0x1000u);
  EXPECT_EQ(command.Number("length", 0).value(), 4096u);
  EXPECT_EQ(command.Number("seed", 7).value(), 7u);
}

TEST(CommandTest, RefusesWhatIsNoNumber) {
  EXPECT_TRUE(absl::IsInvalidArgument(Command::Parse("check seed=seven").Number("seed", 0).status()));
}

}  // namespace
}  // namespace demo
