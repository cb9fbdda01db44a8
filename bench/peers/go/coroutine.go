// Go's goroutines; the protocol is that of bench.h, the scenarios those of coroutines.h. One runs at a time.
// SPDX-License-Identifier: MIT
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	many   = 1000
	timers = 10000
	tree   = 10
)

var (
	done  int64     // what they did
	begin time.Time // when the clock starts
)

// Runs the function in two goroutines, until both have ended.
func runTwo(function func(which, times int), count int) {
	var both sync.WaitGroup

	both.Add(2)
	for which, times := range []int{(count + 1) / 2, count / 2} {
		go func(which, times int) {
			function(which, times)
			atomic.AddInt64(&done, int64(times))
			both.Done()
		}(which, times)
	}
	both.Wait()
}

func yields(which, times int) {
	for i := 0; i < times; i++ {
		runtime.Gosched()
	}
}

func spawnJoin(count int) {
	ended := make(chan int64)
	for i := 0; i < count; i++ {
		go func() { ended <- 1 }()
		done += <-ended
	}
}

func spawnJoinMany(count int) {
	var all sync.WaitGroup

	for left := count; left > 0; left -= many {
		for i := 0; i < left && i < many; i++ {
			all.Add(1)
			go func() {
				atomic.AddInt64(&done, 1)
				all.Done()
			}()
		}
		all.Wait()
	}
}

func hop(count int) {
	channels := [2]chan int{make(chan int), make(chan int)}
	rounds := (count + 1) / 2

	runTwo(func(which, times int) {
		for i := 0; i < rounds; i++ {
			if which == 0 {
				channels[0] <- i
			}
			if <-channels[1-which] != i {
				fail("a wrong number")
			}
			if which == 1 {
				channels[1] <- i
			}
		}
	}, count)
}

func lock(count int) {
	var mutex sync.Mutex
	guarded := 0

	runTwo(func(which, times int) {
		for i := 0; i < times; i++ {
			mutex.Lock()
			seen := guarded
			runtime.Gosched() // the other one comes to wait
			guarded = seen + 1
			mutex.Unlock()
			runtime.Gosched() // and gets it
		}
	}, count)
	if guarded != count {
		fail("the lock did not hold")
	}
}

// A channel is closed to wake all that wait for it; the next one is there by then.
func wakeAll(event *atomic.Value) {
	old := event.Load().(chan int)
	event.Store(make(chan int))
	close(old)
}

func waitWithDeadlines(count int) {
	var event atomic.Value
	var waiting int64

	n := count
	if n > timers {
		n = timers
	}
	event.Store(make(chan int))
	waits := func(random uint32) {
		timer := time.NewTimer(time.Hour)
		for {
			random = random*1664525 + 1013904223
			timer.Stop()
			timer.Reset(time.Duration(60000+random>>16) * time.Millisecond)
			wake := event.Load().(chan int)
			atomic.AddInt64(&waiting, 1)
			select {
			case <-wake:
			case <-timer.C:
				fail("a deadline came")
			}
		}
	}
	awaitAll := func(rounds int) {
		for atomic.LoadInt64(&waiting) < int64(rounds*n) {
			runtime.Gosched()
		}
	}
	for i := 1; i <= n; i++ {
		go waits(uint32(i) * 2654435761)
	}
	awaitAll(1)
	begin = time.Now()
	rounds := 0
	for ; rounds*n < count; rounds++ {
		wakeAll(&event)
		awaitAll(rounds + 2)
	}
	// Whole rounds are measured.
	seconds := time.Since(begin).Seconds() * float64(count) / float64(rounds*n)
	begin = time.Now().Add(-time.Duration(seconds * 1e9))
	done = int64(count)
}

func park(count int) {
	event := make(chan int)
	for i := 1; i <= count; i++ {
		go func() {
			atomic.AddInt64(&done, 1)
			<-event
		}()
		for i%many == 0 && atomic.LoadInt64(&done) < int64(i) {
			runtime.Gosched()
		}
	}
	for atomic.LoadInt64(&done) < int64(count) {
		runtime.Gosched()
	}
}

func sum(first, leaves int, ret chan<- int) {
	if leaves == 1 {
		ret <- first
		return
	}
	share, all := leaves/tree, 0
	sums := make(chan int)
	for i := 0; i < tree; i++ {
		go sum(first+i*share, share, sums)
	}
	for i := 0; i < tree; i++ {
		all += <-sums
	}
	ret <- all
}

func skynet(count int) {
	ret := make(chan int)
	go sum(0, count, ret)
	if <-ret != count*(count-1)/2 {
		fail("a wrong sum")
	}
	done = int64(count)
}

// Bytes of this process in memory: its pages, and the tables that say where they are.
func bytes() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		fail(err.Error())
	}
	kib := 0.0
	for _, line := range strings.Split(string(status), "\n") {
		var one float64
		if strings.HasPrefix(line, "VmRSS:") || strings.HasPrefix(line, "VmPTE:") {
			if _, err := fmt.Sscan(line[6:], &one); err != nil {
				fail(err.Error())
			}
			kib += one
		}
	}
	return kib * 1024
}

func fail(words string) {
	fmt.Fprintln(os.Stderr, os.Args[0]+":", words)
	os.Exit(1)
}

func main() {
	known := map[string]func(int){
		"coroutine/switch":          func(count int) { runTwo(yields, count) },
		"coroutine/spawn-join":      spawnJoin,
		"coroutine/spawn-join-1000": spawnJoinMany,
		"coroutine/hop":             hop,
		"coroutine/lock":            lock,
		"coroutine/timers":          waitWithDeadlines,
		"coroutine/parked":          park,
		"coroutine/skynet":          skynet,
	}
	if len(os.Args) != 3 {
		fail("SCENARIO COUNT")
	}
	run := known[os.Args[1]]
	count, err := strconv.Atoi(os.Args[2])
	if run == nil || err != nil || count <= 0 {
		fail("SCENARIO COUNT")
	}
	runtime.GOMAXPROCS(1)
	before := bytes()
	begin = time.Now()
	run(count)
	figure := time.Since(begin).Seconds()
	if os.Args[1] == "coroutine/parked" {
		figure = bytes() - before
	}
	if done != int64(count) {
		fail(fmt.Sprintf("%d of %d were done", done, count))
	}
	fmt.Printf("%.9f\n", figure)
}
