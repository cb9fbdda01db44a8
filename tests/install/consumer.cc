// A program of a stranger's, in C++17.
// SPDX-License-Identifier: MIT
#include <cerrno>
#include <iostream>
#include <plait.h>

int main(int argc, char **argv)
{
    if (plait_init(&argc, &argv) < 0)
        return 1;
    std::cout << "plait " << plait_version() << " says " << plait_errname(-ETIMEDOUT) << "\n";
}
