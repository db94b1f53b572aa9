package dev.gatun.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

class ParallelTest {

    private static final double DEAR = 1e9;

    @Test
    void every_item_is_done_once_with_any_number_of_threads() {
        for (int threads : new int[] {1, 2, 5}) {
            for (int items : new int[] {1, 2, 3, 7, 100, 1001}) {
                AtomicIntegerArray seen = new AtomicIntegerArray(items);
                try (Parallel.Limit limit = Parallel.limit(threads)) {
                    Parallel.run(null, (a, from, to) -> {
                        for (long i = from; i < to; i++) {
                            seen.incrementAndGet((int) i);
                        }
                    }, items, DEAR);
                }
                int[] once = new int[items];
                Arrays.fill(once, 1);
                int[] counts = new int[items];
                Arrays.setAll(counts, seen::get);
                assertArrayEquals(once, counts, threads + " threads, " + items + " items");
            }
        }
    }

    @Test
    void no_more_threads_than_allowed_work_on_a_loop() throws InterruptedException {
        Set<Thread> seen = ConcurrentHashMap.newKeySet();
        CountDownLatch both = new CountDownLatch(2);
        try (Parallel.Limit limit = Parallel.limit(2)) {
            Parallel.run(null, (a, from, to) -> {
                seen.add(Thread.currentThread());
                both.countDown();
                try {
                    both.await();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            }, 100, DEAR);
        }
        assertEquals(2, seen.size());
    }

    @Test
    void small_work_stays_on_the_caller() {
        AtomicReference<Thread> seen = new AtomicReference<>();
        Parallel.run(null, (a, from, to) -> seen.set(Thread.currentThread()), 1000, 1);
        assertSame(Thread.currentThread(), seen.get());
    }

    @Test
    void a_failure_reaches_the_caller_and_the_pool_goes_on() {
        try (Parallel.Limit limit = Parallel.limit(3)) {
            IllegalStateException e = assertThrows(IllegalStateException.class, () -> Parallel.run(null, (a, from, to) -> {
                throw new IllegalStateException("item " + (from >= 0 ? "bad" : ""));
            }, 50, DEAR));
            assertEquals("item bad", e.getMessage());
        }
        every_item_is_done_once_with_any_number_of_threads();
    }

    @Test
    void virtual_threads_call_but_do_not_compute() throws InterruptedException {
        Set<Boolean> virtual = ConcurrentHashMap.newKeySet();
        Thread caller = Thread.ofVirtual().start(() -> Parallel.run(null,
                (a, from, to) -> virtual.add(Thread.currentThread().isVirtual()), 10, 1));
        caller.join();
        assertEquals(Set.of(false), virtual);
    }
}
