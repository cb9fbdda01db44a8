// Boost.Context: its fiber, a continuation that is moved along.
// SPDX-License-Identifier: MIT
#include "switches.h"

#include <boost/context/fiber.hpp>
#include <unistd.h>
#include <utility>

namespace context = boost::context;

static context::fiber here, there;

static int switches_make(void *low, size_t bytes)
{
    (void)low; // it has its own
    there = context::fiber(std::allocator_arg, context::fixedsize_stack(bytes),
                           [](context::fiber &&back) {
                               here = std::move(back);
                               switches_there();
                               return std::move(here);
                           });
    return 0;
}

static void switches_go()
{
    there = std::move(there).resume();
}

static void switches_back()
{
    here = std::move(here).resume();
}

int main(int argc, char **argv)
{
    int rc = switches_main(argc, argv);

    fflush(stdout);
    _exit(rc); // the fiber's end would unwind it
}
