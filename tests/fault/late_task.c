/* A library whose function process_program.c starts in processes that do not have it yet.
 * SPDX-License-Identifier: MIT
 */
int return_42(void *arg);

__attribute__((visibility("default"))) int return_42(void *arg)
{
    (void)arg;
    return 42;
}
