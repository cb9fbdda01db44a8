# Every source file but the tests, one block a layer, in the order of src/LAYERS. A *_test.c beside a source is found by
# pattern (tests.cmake), so that no test can be forgotten; sources are listed, so that no scratch file is ever built.

set(PLAIT_LIBRARY_SOURCES
    # base: knows no OS, no task
    src/base/assert.c
    src/base/buf.c
    src/base/debug.c
    src/base/env.c
    src/base/error.c
    src/base/heap.c
    src/base/log.c
    src/base/opts.c
    src/base/time.c
    # os: the only raw system calls
    src/os/barrier.c
    src/os/cgroup.c
    src/os/child.c
    src/os/child_plan.c
    src/os/clock.c
    src/os/context.c
    src/os/context_aarch64.c
    src/os/context_ucontext.c
    src/os/context_x86_64.c
    src/os/cpu.c
    src/os/epoll.c
    src/os/fault.c
    src/os/fd.c
    src/os/futex.c
    src/os/identity.c
    src/os/inotify.c
    src/os/memory.c
    src/os/module.c
    src/os/named_memory.c
    src/os/oom.c
    src/os/packet.c
    src/os/pidfd.c
    src/os/place.c
    src/os/private_file.c
    src/os/probe.c
    src/os/process.c
    src/os/readfile.c
    src/os/record_lock.c
    src/os/sched.c
    src/os/signal.c
    src/os/spawn.c
    src/os/stack.c
    src/os/stat_line.c
    src/os/thread.c
    src/os/timer.c
    src/os/tree.c
    # family: who we are, who is dead; the heap
    src/family/attached.c
    src/family/heap.c
    src/family/member.c
    src/family/parcel.c
    src/family/runs.c
    src/family/segment.c
    src/family/segment_layout.c
    src/family/segment_name.c
    src/family/segment_open.c
    src/family/segment_path.c
    # wait: the one place that knows how a task sleeps
    src/wait/home_lock.c
    src/wait/mutex.c
    src/wait/scope.c
    src/wait/sleeper.c
    src/wait/table.c
    src/wait/time.c
    src/wait/wait.c
    src/wait/wait_any.c
    src/wait/waitable.c
    src/wait/waitlist.c
    # sync: locks and what is made of them
    src/sync/barrier.c
    src/sync/condition.c
    src/sync/debug.c
    src/sync/event.c
    src/sync/eventcount.c
    src/sync/held_semaphore.c
    src/sync/lock.c
    src/sync/nap.c
    src/sync/notes.c
    src/sync/once.c
    src/sync/owned.c
    src/sync/rwlock.c
    src/sync/segment.c
    src/sync/semaphore.c
    src/sync/shared_array.c
    src/sync/shared_list.c
    src/sync/shared_number.c
    # chan: queues and pipes
    src/chan/bell.c
    src/chan/items.c
    src/chan/message.c
    src/chan/pipe.c
    src/chan/priority_queue.c
    src/chan/queue.c
    src/chan/queue_attach.c
    src/chan/queue_lanes.c
    src/chan/queue_own.c
    src/chan/queue_own_items.c
    src/chan/queue_own_lease.c
    src/chan/queue_select.c
    src/chan/queue_wait.c
    src/chan/ring_get.c
    src/chan/ring_lease.c
    src/chan/ring_make.c
    src/chan/ring_put.c
    src/chan/select.c
    src/chan/visits.c
    # loop: what runs the coroutines of a thread
    src/loop/balance.c
    src/loop/host.c
    src/loop/idle.c
    src/loop/life.c
    src/loop/look.c
    src/loop/outside.c
    src/loop/park.c
    src/loop/poller.c
    src/loop/poller_epoll.c
    src/loop/poller_uring.c
    src/loop/run.c
    src/loop/stacks.c
    src/loop/trace.c
    src/loop/watch.c
    # task: tasks, their kinds, the keeper
    src/task/census.c
    src/task/coroutine.c
    src/task/coroutine_calls.c
    src/task/coroutine_place.c
    src/task/coroutine_thread.c
    src/task/dump.c
    src/task/ending.c
    src/task/failure.c
    src/task/function.c
    src/task/generator.c
    src/task/group.c
    src/task/group_calls.c
    src/task/guard.c
    src/task/helpers.c
    src/task/inspect.c
    src/task/keeper.c
    src/task/keeper_commands.c
    src/task/keeper_crews.c
    src/task/keeper_guards.c
    src/task/keeper_hands.c
    src/task/keeper_main.c
    src/task/keeper_runs.c
    src/task/keeper_start.c
    src/task/keeper_tasks.c
    src/task/keeper_words.c
    src/task/live.c
    src/task/local.c
    src/task/method.c
    src/task/beginning.c
    src/task/order.c
    src/task/overflow.c
    src/task/loop_calls.c
    src/task/process.c
    src/task/process_child.c
    src/task/process_start.c
    src/task/reexec.c
    src/task/start_forkserver.c
    src/task/start_spawn.c
    src/task/task.c
    src/task/task_calls.c
    src/task/thread.c
    src/task/timer.c
    src/task/verdict.c
    src/task/version.c
    src/task/watchdog.c
    # subprocess: other programs, fed and drained
    src/subprocess/life.c
    src/subprocess/run.c
    src/subprocess/spawn.c
    src/subprocess/start.c
    src/subprocess/talk.c
    # pool: pools, futures, maps
    src/pool/bell.c
    src/pool/create.c
    src/pool/deque.c
    src/pool/future.c
    src/pool/future_select.c
    src/pool/futures.c
    src/pool/graph.c
    src/pool/graph_circle.c
    src/pool/graph_calls.c
    src/pool/group_crew.c
    src/pool/group_imap.c
    src/pool/group_map.c
    src/pool/hints.c
    src/pool/imap.c
    src/pool/imap_batch.c
    src/pool/lazy.c
    src/pool/map.c
    src/pool/map_calls.c
    src/pool/offload.c
    src/pool/pool.c
    src/pool/process.c
    src/pool/process_block.c
    src/pool/process_fill.c
    src/pool/process_keep.c
    src/pool/process_leave.c
    src/pool/process_results.c
    src/pool/process_run.c
    src/pool/process_side.c
    src/pool/process_worker.c
    src/pool/rows.c
    src/pool/running.c
    src/pool/share.c
    src/pool/submit.c
    src/pool/thread.c
    src/pool/thread_cells.c
    src/pool/thread_queue.c
    src/pool/thread_run.c
    src/pool/thread_worker.c
)

# The tool without its main.c, so that its tests can link the rest.
set(PLAIT_TOOL_SOURCES
    # cmd: what the verbs share, and the small verbs
    src/cmd/completion.c
    src/cmd/completion_bash.c
    src/cmd/completion_fish.c
    src/cmd/completion_zsh.c
    src/cmd/facts.c
    src/cmd/help.c
    src/cmd/help_verb.c
    src/cmd/info.c
    src/cmd/man.c
    src/cmd/options.c
    src/cmd/out.c
    src/cmd/suggest.c
    src/cmd/units.c
    src/cmd/verbs.c
    # cmd/map: the verb map
    src/cmd/map/bar.c
    src/cmd/map/codes.c
    src/cmd/map/command.c
    src/cmd/map/engine.c
    src/cmd/map/finish.c
    src/cmd/map/halt.c
    src/cmd/map/input.c
    src/cmd/map/input_batch.c
    src/cmd/map/input_columns.c
    src/cmd/map/input_cross.c
    src/cmd/map/input_delimiter.c
    src/cmd/map/input_stream.c
    src/cmd/map/joblog.c
    src/cmd/map/joblog_read.c
    src/cmd/map/map.c
    src/cmd/map/options_map.c
    src/cmd/map/options_page.c
    src/cmd/map/options_set.c
    src/cmd/map/options_table.c
    src/cmd/map/outcome.c
    src/cmd/map/print.c
    src/cmd/map/printable.c
    src/cmd/map/quote.c
    src/cmd/map/report.c
    src/cmd/map/results.c
    src/cmd/map/seqmap.c
    src/cmd/map/so.c
    src/cmd/map/so_load.c
    src/cmd/map/so_result.c
    src/cmd/map/so_run.c
    src/cmd/map/spool.c
    src/cmd/map/start.c
    src/cmd/map/stop.c
    src/cmd/map/summary.c
    src/cmd/map/template.c
    src/cmd/map/template_fill.c
    src/cmd/map/template_heredoc.c
    src/cmd/map/template_part.c
    src/cmd/map/template_scan.c
    src/cmd/map/template_snippet.c
    src/cmd/map/throttle.c
    src/cmd/map/values.c
    src/cmd/map/writer.c
)

# The optional dependencies: two files for each use, and what they share.
set(stand_in $<IF:$<BOOL:${PLAIT_HAS_URING}>,,_none>)
list(APPEND PLAIT_LIBRARY_SOURCES src/os/uring${stand_in}.c src/os/uring_setup${stand_in}.c)
set(stand_in $<IF:$<BOOL:${PLAIT_HAS_JANSSON}>,,_none>)
list(APPEND PLAIT_TOOL_SOURCES src/cmd/info_json${stand_in}.c src/cmd/map/json${stand_in}.c)
if(PLAIT_HAS_JANSSON)
    list(APPEND PLAIT_TOOL_SOURCES src/cmd/dump_json.c)
endif()

# A source that was forgotten here is said, and in the checks an error.
file(GLOB_RECURSE found RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} CONFIGURE_DEPENDS src/*.c)
list(FILTER found EXCLUDE REGEX "(_test|_fuzz|json|json_none|os/uring(_setup)?|os/uring(_setup)?_none|cmd/main)\\.c$")
list(REMOVE_ITEM found ${PLAIT_LIBRARY_SOURCES} ${PLAIT_TOOL_SOURCES})
set(severity WARNING)
if(PLAIT_WERROR)
    set(severity SEND_ERROR)
endif()
foreach(file ${found})
    message(${severity} "${file} is not listed in cmake/sources.cmake, so it is not built")
endforeach()
