package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.AttentionSteps.BLOCK;
import static dev.gatun.ops.sequence.AttentionSteps.F;
import static dev.gatun.ops.sequence.AttentionSteps.ROW;
import static dev.gatun.ops.sequence.AttentionSteps.SIDE;

import dev.gatun.engine.Warmup;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The two forms of the steps of attention, and their warm-up: all steps at once, whatever the first call needs. */
final class AttentionForms {

    static final Warmup<AttentionSteps> WARM =
            Warmup.of("attention", AttentionPlain.STEPS, () -> FreshForm.of(AttentionSteps.class), AttentionForms::exercise);

    private AttentionForms() {}

    /** Whether the vector form is up to speed, or nobody is there to stand in for it. */
    static boolean answers() {
        return WARM.answers();
    }

    /** Two tiles' worth of scratch that nobody reads. */
    private static final class Practice {
        static final MemorySegment S = Arena.global().allocate(7 * BLOCK, 64);
    }

    private static void exercise(AttentionSteps steps) {
        MemorySegment s = Practice.S;
        long other = BLOCK;
        long scores = 2 * BLOCK;
        long slopes = 3 * BLOCK;
        long sums = 4 * BLOCK;
        long rest = 5 * BLOCK;
        long memory = 6 * BLOCK;
        for (long i = 0; i < SIDE * SIDE; i++) {
            s.set(F, i * 4, i % 7 - 3);
            s.set(F, memory + i * 4, i % 5 - 2);
        }
        steps.fill(s, sums, SIDE * SIDE, 0);
        steps.fill(s, rest, SIDE, Float.NEGATIVE_INFINITY);
        steps.pack(s, memory, ROW, SIDE, SIDE, s, other);
        steps.pack(s, memory, ROW, SIDE, SIDE - 1, s, other);
        steps.transpose(s, memory, ROW, SIDE, SIDE, 0.1f, s, 0);
        for (int i = 0; i < SIDE; i += steps.strip()) {
            for (int j = 0; j < SIDE; j += 8) {
                steps.rows(s, other + j * ROW, i * 4L, scores + j * ROW + i * 4L, SIDE);
                steps.rows(s, other + j * ROW, i * 4L, slopes + j * ROW + i * 4L, SIDE);
                steps.columns(s, j * 4L, other + i * 4L, sums + j * ROW + i * 4L, SIDE);
            }
        }
        steps.cap(s, scores, SIDE * SIDE, 30);
        steps.outside(s, scores, 3, SIDE - 3);
        steps.rise(s, scores, SIDE, SIDE, rest, rest + ROW);
        steps.weigh(s, scores, SIDE, SIDE, rest, rest + 2 * ROW, rest + ROW);
        steps.fade(s, sums, rest + ROW, SIDE, SIDE);
        steps.dots(s, 0, other, SIDE, rest + 3 * ROW);
        steps.slopes(s, scores, slopes, SIDE, rest, rest + 3 * ROW, 0.1f);
        steps.addTo(s, slopes, 0.5f, SIDE, SIDE - 1, s, memory, ROW);
        for (int i = 0; i < SIDE; i++) {
            steps.unpack(s, sums + i * ROW, 0.5f, SIDE - 1, s, memory + i * ROW);
        }
        steps.scores(s, 0, s, memory, ROW, SIDE, SIDE, scores);
        steps.scores(s, 0, s, memory, ROW, SIDE, 5, scores);
        steps.mix(s, scores, s, memory, ROW, SIDE, SIDE, sums);
        steps.mix(s, scores, s, memory, ROW, SIDE, 5, sums);
    }
}
