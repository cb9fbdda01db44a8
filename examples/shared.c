/* Memory of the family: what a task allocates outlives it, and is freed by another one.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>

struct board {
    char *text;
};

static int leave_a_text(void *arg)
{
    struct board *board = arg;

    board->text = plait_shared_alloc(100);
    if (board->text == NULL)
        return 1;
    snprintf(board->text, 100, "%s was here", plait_task_name(plait_task_current()));
    return 0;
}

int main(int argc, char **argv)
{
    plait_task *task = NULL;

    if (plait_init(&argc, &argv) < 0)
        return 1;
    struct board *board = plait_shared_alloc(sizeof *board); /* zeroed */
    if (board == NULL || plait_task_start(&task, PLAIT_PROCESS, leave_a_text, board, NULL) < 0)
        return 1;
    if (plait_task_join(task, PLAIT_FOREVER) == 0 && board->text != NULL)
        puts(board->text); /* its process has ended */
    plait_task_destroy(task);

    plait_shared_free(board->text);
    plait_shared_free(board);
    return 0;
}

/* prints:
 * Process-1 was here
 */
