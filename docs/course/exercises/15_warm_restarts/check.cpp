#include "docs/course/exercises/check.h"
#include COURSE_STUDENT

int main() {
  return course::run([](course::Check& check) {
    const WarmRestarts schedule(0.1, 2);
    const auto rate = [&](double epoch, double expected) {
      check.near(fmt::format("T = 2, base 0.1: rate at epoch {}", epoch), schedule.rate(epoch),
                 expected, 1e-9);
    };
    rate(0, 0.1);
    rate(1, 0.05);
    rate(1.5, 0.014644660940672);
    rate(2, 0.1);  // begins anew, for 4 epochs
    rate(4, 0.05);
    rate(6, 0.1);  // and for 8
    rate(10, 0.05);
    rate(14, 0.1);
    register_restarts();
    check.part("make_schedule(\"restarts:4\")", [&] {
      const auto made = make_schedule("restarts:4", 0.2, 30);
      check.near("make_schedule(\"restarts:4\", 0.2, ...): rate at epoch 2", made->rate(2), 0.1,
                 1e-9);
    });
    std::string error = "no error";
    try {
      make_schedule("restarts:0", 0.1, 30);
    } catch (const ValueError& e) {
      error = e.what();
    }
    check.that(error.find("[restarts]") == 0, "restarts:0 is refused",
               fmt::format("expected a ValueError that begins with [restarts], got: {}", error));
  });
}
