package dev.gatun.ops.rows;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.gatun.engine.lanes.VectorApi;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import org.junit.jupiter.api.Test;

class RowStepsTest {

    /** A step on rows a, b and c of n floats that start anywhere; what it returns comes first in the result. */
    private interface Step {
        float on(RowSteps steps, MemorySegment m, long a, long b, long c, int n);
    }

    /** Lengths from nothing to several vectors, places off every alignment. */
    private static void assertAgree(Step step) {
        assumeTrue(VectorApi.present(), "the Vector API module is absent");
        for (int n = 0; n <= 100; n++) {
            assertAgree(n, n % 6, n, step);
        }
    }

    private static void assertAgree(int n, int shift, long seed, Step step) {
        try (Arena arena = Arena.ofConfined()) {
            long row = (n + 8) * 4L;
            MemorySegment first = arena.allocate(4 * row, 64);
            Random random = new Random(seed);
            for (long i = 0; i < first.byteSize() / 4; i++) {
                first.setAtIndex(ValueLayout.JAVA_FLOAT, i, random.nextFloat() * 8 - 4);
            }
            MemorySegment second = arena.allocate(4 * row, 64).copyFrom(first);
            float plain = step.on(RowSteps.plain(), first, shift * 4L, row + shift * 4L, 2 * row + shift * 4L, n);
            float vector = step.on(VectorRows.STEPS, second, shift * 4L, row + shift * 4L, 2 * row + shift * 4L, n);
            // sums of up to 100 products of up to 4³: a few roundings of the largest partial sum
            assertEquals(plain, vector, 64 * 100 * 0x1p-22);
            for (long i = 0; i < first.byteSize() / 4; i++) {
                float expected = first.getAtIndex(ValueLayout.JAVA_FLOAT, i);
                assertEquals(expected, second.getAtIndex(ValueLayout.JAVA_FLOAT, i), Math.abs(expected) * 0x1p-21 + 0x1p-18, "element " + i);
            }
        }
    }

    @Test
    void sums_agree_at_every_length_and_place() {
        assertAgree((s, m, a, b, c, k) -> s.max(m, a, k));
        assertAgree((s, m, a, b, c, k) -> s.sum(m, a, k));
        assertAgree((s, m, a, b, c, k) -> s.squares(m, a, 0.5f, k));
        assertAgree((s, m, a, b, c, k) -> s.dot(m, a, m, b, k));
        assertAgree((s, m, a, b, c, k) -> s.dot(m, a, m, b, m, c, 0.5f, k));
    }

    @Test
    void rows_agree_at_every_length_and_place() {
        assertAgree((s, m, a, b, c, k) -> s.exp(m, a, 2, 0.5f, -1, m, b, k));
        assertAgree((s, m, a, b, c, k) -> done(() -> s.affine(m, a, 2, 1, m, b, k)));
        assertAgree((s, m, a, b, c, k) -> done(() -> s.add(m, a, m, b, k)));
        assertAgree((s, m, a, b, c, k) -> done(() -> s.multiply(m, a, m, b, m, c, k)));
        assertAgree((s, m, a, b, c, k) -> done(() -> s.multiplyAdd(m, a, m, b, m, c, m, c, k)));
        assertAgree((s, m, a, b, c, k) -> done(() -> s.silu(m, a, k)));
        assertAgree((s, m, a, b, c, k) -> done(() -> s.share(m, a, m, b, 0.5f, m, c, k)));
        assertAgree((s, m, a, b, c, k) -> done(() -> s.norm(m, a, 0.5f, 2, m, b, m, c, k)));
        assertAgree((s, m, a, b, c, k) -> done(() -> s.normGradient(m, a, 0.5f, 2, m, b, m, b, 0.1f, 0.2f, m, c, k)));
        assertAgree((s, m, a, b, c, k) -> done(() -> s.weightGradient(m, a, 0.5f, 2, m, b, m, c, k)));
    }

    private static float done(Runnable step) {
        step.run();
        return 0;
    }

    @Test
    void the_exponential_is_right_to_a_unit_in_the_last_place_and_at_its_ends() {
        RowSteps steps = VectorApi.present() ? VectorRows.STEPS : RowSteps.plain();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment x = arena.allocate(4 * 4, 64);
            for (float value = -87; value < 88; value += 0.0137f) {
                x.setAtIndex(ValueLayout.JAVA_FLOAT, 0, value);
                float y = steps.exp(x, 0, 0, 1, 0, x, 4, 1);
                double exact = Math.exp(value);
                assertEquals(exact, y, exact * 0x1.4p-23);
            }
            float[] ends = {Float.NEGATIVE_INFINITY, 0, -1000, 0, 1000, Float.POSITIVE_INFINITY, Float.NaN, Float.NaN};
            for (int i = 0; i < ends.length; i += 2) {
                for (RowSteps each : new RowSteps[] {steps, RowSteps.plain()}) {
                    x.setAtIndex(ValueLayout.JAVA_FLOAT, 0, ends[i]);
                    each.exp(x, 0, 0, 1, 0, x, 4, 1);
                    assertEquals(ends[i + 1], x.getAtIndex(ValueLayout.JAVA_FLOAT, 1));
                }
            }
        }
    }
}
