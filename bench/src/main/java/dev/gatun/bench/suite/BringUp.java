package dev.gatun.bench.suite;

import dev.gatun.engine.Warmup;
import java.lang.management.CompilationMXBean;
import java.lang.management.ManagementFactory;
import java.time.Duration;

/** Brings what our engine computes up to speed, so that no compilation falls into a measurement. */
public final class BringUp {

    /** Rounds that ask for all kernels: one is first asked for when those before it are fast. */
    private static final int ROUNDS = 3;
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    /** For so long nothing may have become faster and nothing been compiled; but the wait has an end. */
    private static final long STILL_NANOS = 300_000_000;
    private static final long MOST_NANOS = 6_000_000_000L;

    private BringUp() {}

    /** Runs something until it is as fast as it gets. Scalar kernels must be let run: they stand in until then. */
    public static void run(Runnable work) {
        for (int i = 0; i < ROUNDS; i++) {
            work.run();
            Warmup.awaitAll(PATIENCE);
        }
        CompilationMXBean compiler = ManagementFactory.getCompilationMXBean();
        long compiled = compiler.getTotalCompilationTime();
        long best = Long.MAX_VALUE;
        long start = System.nanoTime();
        long moved = start;
        for (long before = start; before - moved < STILL_NANOS && before - start < MOST_NANOS;) {
            work.run();
            long after = System.nanoTime();
            if (after - before < 0.9 * best || compiler.getTotalCompilationTime() != compiled) {
                moved = after;
            }
            best = Math.min(best, after - before);
            compiled = compiler.getTotalCompilationTime();
            before = after;
        }
    }
}
