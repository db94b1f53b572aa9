package dev.gatun.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.gatun.engine.lanes.FirstCompiler;
import dev.gatun.engine.lanes.VectorApi;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class WarmupTest {

    private static final Runnable PLAIN = () -> LockSupport.parkNanos(200_000);
    private static final Runnable QUICK = () -> LockSupport.parkNanos(1_000);
    private static final Runnable SLOW = () -> LockSupport.parkNanos(2_000_000);

    @Test
    @Tag("once")
    void the_plain_form_answers_until_the_fast_one_is_up_to_speed() {
        assumeTrue(VectorApi.present(), "without the Vector API the plain form answers for good");
        assumeFalse(Boolean.getBoolean("gatun.deterministic"), "a deterministic run waits instead");
        CountDownLatch asked = new CountDownLatch(1);
        Warmup<Runnable> warmup = Warmup.of("test: quick", PLAIN, () -> QUICK, form -> {
            awaits(asked);
            form.run();
        });
        assertEquals(Warmup.State.COLD, warmup.report().state());
        assertSame(PLAIN, warmup.get());
        assertEquals(Warmup.State.WARMING, warmup.report().state());
        asked.countDown();
        Warmup.awaitAll();
        assertSame(QUICK, warmup.get());
        Warmup.Report report = warmup.report();
        assertEquals(Warmup.State.FAST, report.state());
        assertEquals(1, report.made());
        assertTrue(report.fastNanos() < report.plainNanos(), report.toString());
        assertTrue(Warmup.reports().contains(report));
    }

    @Test
    @Tag("once")
    void a_form_that_stays_slow_is_made_anew() {
        assumeTrue(VectorApi.present(), "without the Vector API no fast form is made");
        AtomicInteger made = new AtomicInteger();
        Warmup<Runnable> warmup = new Warmup<>(
                "test: anew", PLAIN, () -> made.incrementAndGet() < 3 ? SLOW : QUICK, Runnable::run, 60, 1_000_000);
        warmup.get();
        Warmup.awaitAll();
        assertSame(QUICK, warmup.get());
        assertEquals(3, warmup.report().made());
    }

    @Test
    @Tag("once")
    void a_form_that_loses_by_little_is_compiled_and_used() {
        assumeTrue(VectorApi.present(), "without the Vector API no fast form is made");
        Runnable close = () -> LockSupport.parkNanos(320_000);
        Warmup<Runnable> warmup = new Warmup<>("test: close", PLAIN, () -> close, Runnable::run, 60, 1_000_000);
        warmup.get();
        Warmup.awaitAll();
        assertSame(close, warmup.get());
        assertEquals(1, warmup.report().made());
    }

    @Test
    @Tag("once")
    void a_form_that_is_slow_whenever_it_is_made_is_not_used() {
        assumeTrue(VectorApi.present(), "without the Vector API no fast form is made");
        Warmup<Runnable> warmup = new Warmup<>("test: slow", PLAIN, () -> SLOW, Runnable::run, 60, 1_000_000);
        warmup.get();
        Warmup.awaitAll();
        assertSame(PLAIN, warmup.get());
        assertEquals(Warmup.State.PLAIN, warmup.report().state());
        assertTrue(warmup.report().reason().startsWith("the fast form stayed slow: "), warmup.report().reason());
    }

    @Test
    @Tag("once")
    void a_form_that_fails_is_not_used_and_the_reason_is_kept() {
        assumeTrue(VectorApi.present(), "without the Vector API no fast form is made");
        Warmup<Runnable> warmup = Warmup.of("test: fails", PLAIN, () -> {
            throw new IllegalStateException("no such instruction");
        }, Runnable::run);
        warmup.get();
        Warmup.awaitAll();
        assertSame(PLAIN, warmup.get());
        assertEquals("the warm-up failed: java.lang.IllegalStateException: no such instruction", warmup.report().reason());
    }

    @Test
    void without_the_vector_api_the_plain_form_answers_for_good() {
        assumeFalse(VectorApi.present(), "the Vector API is here");
        Warmup<Runnable> warmup = Warmup.of("test: missing", PLAIN, () -> QUICK, Runnable::run);
        assertSame(PLAIN, warmup.get());
        assertEquals(Warmup.State.PLAIN, warmup.report().state());
        assertEquals(VectorApi.missing(), warmup.report().reason());
    }

    @Test
    @Tag("once")
    void the_first_compiler_is_kept_off_where_the_management_module_is() {
        boolean management = ModuleLayer.boot().findModule("java.management").isPresent()
                && ModuleLayer.boot().findModule("jdk.management").isPresent();
        assumeTrue(management, "java.management and jdk.management are not both here");
        assertEquals("", FirstCompiler.keepOff());
    }

    private static void awaits(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
