/* What a process pool shares: how slots go, and what the dead leave.
 * SPDX-License-Identifier: MIT
 */
#include "pool/process_block.h"
#include "test.h"

#include <signal.h>

enum {
    SLOT = 3,
    WORKER = 1,
};

static uint32_t bell;
static struct plait__pool_block *block;
static struct plait__slot *slot;
static struct plait__item_end ends[5];
static const struct plait__death killed = { .pid = 77, .signal = SIGKILL };

/* A block with one job of so many items in it, not queued yet. */
static void set_up(uint32_t items, unsigned attempts)
{
    struct plait__block_shape shape = { .n_own = 100, .n_records = 4, .n_lanes = 1 };

    CHECK_INT(plait__block_create(&block, &shape), 0);
    block->owner_bell = &bell;
    block->poison_limit = 2;
    slot = &block->slots[SLOT];
    slot->n = items;
    slot->attempts = attempts;
    slot->ends = ends;
    CHECK(items <= sizeof ends / sizeof *ends);
}

static void set_word(struct plait__slot_word word)
{
    slot->word = plait__slot_glue(word);
}

static struct plait__slot_word word_now(void)
{
    return plait__slot_cut(plait__slot_load(slot));
}

static void set_current(unsigned generation)
{
    block->workers[WORKER].current[0] = plait__slot_hint(block, slot, generation);
}

static bool was_told(void)
{
    return (block->done[SLOT / 64] >> SLOT % 64 & 1) != 0;
}

static uint32_t take_hint(void)
{
    uint64_t current;

    return plait__hints_take(&block->lanes[0], &current);
}

TEST(a_word_keeps_what_is_put_into_it)
{
    struct plait__slot_word word = { .state = PLAIT__SLOT_OVER,
                                     .worker = 0x1abc,
                                     .item = PLAIT__POOL_ITEMS,
                                     .starts = PLAIT__POOL_STARTS,
                                     .generation = 0xffff };
    struct plait__slot_word cut = plait__slot_cut(plait__slot_glue(word));

    CHECK_INT(cut.state, word.state);
    CHECK_INT(cut.worker, word.worker);
    CHECK_INT(cut.item, word.item);
    CHECK_INT(cut.starts, word.starts);
    CHECK_INT(cut.generation, word.generation);
    word.generation++; /* goes round */
    CHECK_INT(plait__slot_cut(plait__slot_glue(word)).generation, 0);
}

TEST(a_hint_taken_by_a_worker_that_died_before_it_entered_comes_again)
{
    set_up(1, 1);
    set_word((struct plait__slot_word){ .state = PLAIT__SLOT_QUEUED, .generation = 5 });
    set_current(5);
    plait__block_recover(block, WORKER, &killed, PLAIT_CAUSE_DEATH);
    CHECK_INT(word_now().state, PLAIT__SLOT_QUEUED);
    CHECK_INT(take_hint(), plait__slot_hint(block, slot, 5));
    CHECK_INT(block->workers[WORKER].current[0], 0);
    CHECK(!was_told());
}

TEST(a_hint_taken_by_a_worker_that_does_not_enter_comes_again)
{
    set_up(1, 1);
    set_word((struct plait__slot_word){ .state = PLAIT__SLOT_QUEUED, .generation = 5 });
    set_current(5);
    plait__block_hint_again(block);
    CHECK_INT(take_hint(), plait__slot_hint(block, slot, 5));
    set_current(4);
    plait__block_hint_again(block);
    CHECK_INT(take_hint(), 0);
    set_current(5);
    set_word((struct plait__slot_word){
        .state = PLAIT__SLOT_ENTERED, .worker = WORKER, .generation = 5 });
    plait__block_hint_again(block);
    CHECK_INT(take_hint(), 0);
}

TEST(the_item_that_a_dead_worker_was_in_is_lost_and_the_rest_goes_on)
{
    set_up(3, 1);
    set_word((struct plait__slot_word){
        .state = PLAIT__SLOT_ENTERED, .worker = WORKER, .item = 1, .starts = 1, .generation = 5 });
    set_current(5);
    plait__block_recover(block, WORKER, &killed, PLAIT_CAUSE_DEATH);
    CHECK_INT(word_now().state, PLAIT__SLOT_QUEUED);
    CHECK_INT(word_now().item, 2);
    CHECK_INT(word_now().starts, 0);
    CHECK_INT(slot->ends[1].end, PLAIT_JOB_LOST);
    CHECK_INT(slot->ends[1].cause, PLAIT_CAUSE_DEATH);
    CHECK_INT(slot->ends[1].signal, SIGKILL);
    CHECK_INT(slot->ends[1].pid, 77);
    CHECK_INT(slot->ends[1].starts, 1);
    CHECK_INT(slot->ends[0].end, 0);
    CHECK(take_hint() != 0);
}

TEST(the_first_loss_among_items_that_nobody_asks_about_says_which_it_is)
{
    set_up(5, 1);
    slot->is_summed = true;
    slot->first_end = PLAIT__SLOT_ALL_VALUES;
    set_word((struct plait__slot_word){
        .state = PLAIT__SLOT_ENTERED, .worker = WORKER, .item = 2, .starts = 1 });
    set_current(0);
    plait__block_recover(block, WORKER, &killed, PLAIT_CAUSE_DEATH);
    CHECK_INT(slot->first_end, 2);
    CHECK_INT(slot->ends[2].end, PLAIT_JOB_LOST);
    set_word((struct plait__slot_word){
        .state = PLAIT__SLOT_ENTERED, .worker = WORKER, .item = 3, .starts = 1 });
    set_current(0);
    plait__block_recover(block, WORKER, &killed, PLAIT_CAUSE_DEATH);
    CHECK_INT(slot->first_end, 2);
    CHECK_INT(slot->ends[3].end, PLAIT_JOB_LOST);
}

TEST(the_last_item_lost_ends_the_job)
{
    set_up(2, 1);
    set_word((struct plait__slot_word){
        .state = PLAIT__SLOT_ENTERED, .worker = WORKER, .item = 1, .starts = 1 });
    set_current(0);
    plait__block_recover(block, WORKER, &killed, PLAIT_CAUSE_KEEPER);
    CHECK_INT(word_now().state, PLAIT__SLOT_OVER);
    CHECK_INT(word_now().item, 2);
    CHECK_INT(slot->ends[1].cause, PLAIT_CAUSE_KEEPER);
    CHECK(was_told());
}

TEST(an_item_with_attempts_left_is_queued_again_and_its_starts_are_counted)
{
    set_up(1, 3);
    set_word((struct plait__slot_word){
        .state = PLAIT__SLOT_ENTERED, .worker = WORKER, .starts = 1, .generation = 9 });
    set_current(9);
    plait__block_recover(block, WORKER, &killed, PLAIT_CAUSE_DEATH);
    CHECK_INT(word_now().state, PLAIT__SLOT_QUEUED);
    CHECK_INT(word_now().starts, 1);
    CHECK_INT(word_now().item, 0);
}

TEST(what_was_in_as_many_dying_workers_as_the_limit_says_is_poison)
{
    set_up(1, 9);
    set_word(
        (struct plait__slot_word){ .state = PLAIT__SLOT_ENTERED, .worker = WORKER, .starts = 2 });
    set_current(0);
    plait__block_recover(block, WORKER, &killed, PLAIT_CAUSE_DEATH);
    CHECK_INT(word_now().state, PLAIT__SLOT_OVER);
    CHECK_INT(slot->ends[0].cause, PLAIT_CAUSE_POISON);
    CHECK_INT(slot->ends[0].starts, 2);
}

TEST(a_job_that_another_worker_runs_is_left_alone)
{
    struct plait__slot_word word = {
        .state = PLAIT__SLOT_ENTERED, .worker = WORKER + 1, .starts = 1, .generation = 5
    };

    set_up(1, 1);
    set_word(word);
    set_current(5); /* the dead worker had looked at it, and was not the first */
    plait__block_recover(block, WORKER, &killed, PLAIT_CAUSE_DEATH);
    CHECK_INT(slot->word, plait__slot_glue(word));
    CHECK(!was_told());
    CHECK_INT(take_hint(), 0);
}

TEST(a_slot_that_has_another_job_by_now_is_left_alone)
{
    set_up(1, 1);
    set_word((struct plait__slot_word){ .state = PLAIT__SLOT_OVER, .generation = 6 });
    set_current(5);
    plait__block_recover(block, WORKER, &killed, PLAIT_CAUSE_DEATH);
    CHECK(!was_told());
}

TEST(a_committed_result_is_told_though_its_worker_died_before_it_could)
{
    set_up(1, 1);
    set_word((struct plait__slot_word){ .state = PLAIT__SLOT_OVER, .item = 1, .generation = 5 });
    set_current(5);
    plait__block_recover(block, WORKER, &killed, PLAIT_CAUSE_DEATH);
    CHECK(was_told());
}

TEST(a_doomed_item_is_expired_and_the_rest_goes_on)
{
    set_up(2, 5);
    set_word((struct plait__slot_word){
        .state = PLAIT__SLOT_EXPIRED, .worker = WORKER, .starts = 1, .generation = 5 });
    set_current(5);
    plait__block_recover(block, WORKER, &killed, PLAIT_CAUSE_DEATH);
    CHECK_INT(slot->ends[0].end, PLAIT_JOB_EXPIRED);
    CHECK_INT(word_now().state, PLAIT__SLOT_QUEUED);
    CHECK_INT(word_now().item, 1);
}

TEST(a_cancelled_job_that_was_killed_is_over_with_all_its_items)
{
    set_up(5, 5);
    set_word((struct plait__slot_word){
        .state = PLAIT__SLOT_CANCELLED, .worker = WORKER, .item = 1, .starts = 1 });
    set_current(0);
    plait__block_recover(block, WORKER, &killed, PLAIT_CAUSE_DEATH);
    CHECK_INT(slot->ends[1].end, PLAIT_JOB_CANCELLED);
    CHECK_INT(word_now().state, PLAIT__SLOT_OVER);
    CHECK_INT(word_now().item, 2);
    CHECK_INT(word_now().worker, plait__slot_end(PLAIT_JOB_CANCELLED, PLAIT_CAUSE_NONE));
    CHECK(was_told());
}

TEST(a_keeper_killed_in_its_work_leaves_it_to_the_next_one)
{
    set_up(1, 3);
    set_word((struct plait__slot_word){
        .state = PLAIT__SLOT_ENTERED, .worker = WORKER, .starts = 1, .generation = 5 });
    set_current(5);
    plait__block_recover(block, WORKER, &killed, PLAIT_CAUSE_DEATH);
    set_current(5); /* as if it had been killed before it cleared that */
    plait__block_recover(block, WORKER, &killed, PLAIT_CAUSE_DEATH);
    CHECK_INT(word_now().state, PLAIT__SLOT_QUEUED);
    CHECK_INT(word_now().starts, 1);
    CHECK(take_hint() != 0);
}

TEST(who_asked_a_job_to_end_when_it_ran_ends_it_when_its_worker_dies)
{
    set_up(1, 3);
    slot->is_asked = 1;
    set_word(
        (struct plait__slot_word){ .state = PLAIT__SLOT_QUEUED, .starts = 1, .generation = 5 });
    set_current(5);
    plait__block_recover(block, WORKER, &killed, PLAIT_CAUSE_DEATH);
    CHECK_INT(word_now().state, PLAIT__SLOT_OVER);
    CHECK_INT(word_now().worker, plait__slot_end(PLAIT_JOB_CANCELLED, PLAIT_CAUSE_NONE));
}

TEST(what_a_worker_ran_deeper_than_its_record_names_is_found_as_well)
{
    set_up(1, 1);
    set_word((struct plait__slot_word){
        .state = PLAIT__SLOT_ENTERED, .worker = WORKER, .starts = 1, .generation = 5 });
    block->workers[WORKER].is_deep = 1;
    plait__block_recover(block, WORKER, &killed, PLAIT_CAUSE_DEATH);
    CHECK_INT(slot->ends[0].end, PLAIT_JOB_LOST);
    CHECK(was_told());
}

TEST(the_unstarted_jobs_of_a_dead_worker_are_over)
{
    set_up(1, 1);
    slot = &block->slots[block->n_own + WORKER * PLAIT__POOL_NESTED];
    slot->submitter = WORKER + 1;
    slot->n = 1;
    set_word((struct plait__slot_word){ .state = PLAIT__SLOT_QUEUED });
    plait__block_recover(block, WORKER, &killed, PLAIT_CAUSE_DEATH);
    CHECK_INT(word_now().state, PLAIT__SLOT_OVER);
    CHECK_INT(block->workers[WORKER].done, 1);
}

TEST(a_hint_without_a_place_is_not_forgotten)
{
    set_up(1, 1);
    while (plait__hints_put(&block->lanes[0], 1))
        ;
    set_word((struct plait__slot_word){ .state = PLAIT__SLOT_QUEUED });
    plait__block_hint(block, slot, 0);
    CHECK_INT(block->is_incomplete, 1);
}

TEST(a_worker_that_dies_while_it_looks_at_all_slots_does_not_hide_them)
{
    set_up(1, 1);
    block->is_incomplete = 0;
    plait__block_recover(block, WORKER, &killed, PLAIT_CAUSE_DEATH);
    CHECK_INT(block->is_incomplete, 1);
}

TEST(a_cancel_of_a_job_does_not_reach_the_one_that_has_its_slot_by_now)
{
    set_up(1, 1);
    slot->is_asked = 1; /* of the job of generation 7, which is over */
    set_word((struct plait__slot_word){ .state = PLAIT__SLOT_QUEUED, .generation = 8 });
    plait__block_requeued(block, slot, 7);
    CHECK_INT(word_now().state, PLAIT__SLOT_QUEUED);
    CHECK(!was_told());
    plait__block_requeued(block, slot, 8);
    CHECK_INT(word_now().state, PLAIT__SLOT_OVER);
    CHECK(was_told());
    plait__block_destroy(block);
}
