package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.DecaySteps.BLOCK;
import static dev.gatun.ops.sequence.DecaySteps.ROW;
import static dev.gatun.ops.sequence.DecaySteps.SIDE;

import dev.gatun.engine.Warmup;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * What kernels of sums that fade are made of: products, copies and row steps of attention, and steps of their own. Both have a plain and a
 * vector form, which are brought up to speed together, the way these kernels use them.
 */
record DecayForms(AttentionSteps products, DecaySteps steps, ChannelSteps channels) {

    static final DecayForms PLAIN = new DecayForms(AttentionPlain.STEPS, DecayPlain.STEPS, ChannelPlain.STEPS);

    static final Warmup<DecayForms> WARM = Warmup.of("decay", PLAIN, DecayForms::fast, DecayForms::exercise);

    /** Whether the vector forms are up to speed, or nobody is there to stand in for them. */
    static boolean answers() {
        return WARM.answers();
    }

    private static DecayForms fast() {
        return new DecayForms(FreshForm.of(AttentionSteps.class), FreshForm.of(DecaySteps.class), FreshForm.of(ChannelSteps.class));
    }

    /** Some tiles of scratch that nobody reads. */
    private static final class Practice {
        static final MemorySegment S = Arena.global().allocate(6 * BLOCK, 64);
    }

    private static void exercise(DecayForms forms) {
        MemorySegment s = Practice.S;
        AttentionSteps products = forms.products;
        DecaySteps steps = forms.steps;
        long other = BLOCK;
        long tile = 2 * BLOCK;
        long rows = 3 * BLOCK;
        long memory = 5 * BLOCK;
        for (long i = 0; i < SIDE * SIDE; i++) {
            s.set(AttentionSteps.F, i * 4, i % 7 - 3);
            s.set(AttentionSteps.F, rows + i * 4, -(i % 5) / 8f);
            s.set(AttentionSteps.F, memory + i * 4, 1 - i % 3 / 8f);
        }
        // Steps are short, and the compiler counts calls: one pass is no exercise.
        for (int pass = 0; pass < 16; pass++) {
            int n = pass % 4 == 3 ? SIDE / 2 - 3 : SIDE / 2;
            products.pack(s, memory, ROW, n, SIDE, s, 0);
            products.pack(s, memory, ROW, n, SIDE - 3, s, other);
            steps.turn(s, 0, n, SIDE, other);
            steps.rise(s, rows, rows + ROW * 2, n, rows + ROW * 4);
            steps.weights(s, rows, rows + ROW * 2, rows + ROW * 4, n, tile);
            steps.weigh(s, 0, rows, tile, n);
            steps.crossing(s, tile, other, rows, n, rows + ROW * 20);
            steps.advance(s, s, 0, s, tile, rows, rows + ROW, rows + ROW * 2, rows + ROW * 3, rows + ROW * 22, SIDE, SIDE);
            steps.sums(s, tile, n, rows + ROW * 6);
            steps.exp(s, rows + ROW * 8, n);
            steps.dots(s, 0, other, ROW, n, SIDE, rows + ROW * 10);
            steps.blend(s, other, rows, rows + ROW * 2, 0, ROW, n, SIDE);
            steps.gather(s, 0, rows, n, SIDE, rows + ROW * 12);
            products.fill(s, rows + ROW * 14, SIDE, 1);
            products.fade(s, other, rows + ROW * 14, n, SIDE);
            products.dots(s, 0, other, SIDE, rows + ROW * 16);
            for (int d = 0; d < SIDE; d += products.strip()) {
                for (int r = 0; r < SIDE / 2; r += 8) {
                    products.rows(s, r * ROW, other + d * 4L, tile + r * ROW + d * 4L, SIDE);
                    products.columns(s, r * 4L, other + d * 4L, rows + BLOCK + r * ROW + d * 4L, n);
                }
            }
            int few = n / 2;
            forms.channels.running(s, memory, few, SIDE, other, tile);
            forms.channels.multiply(s, 0, other, few, SIDE, tile);
            forms.channels.pairs(s, 0, other, memory, few, SIDE, tile);
            forms.channels.pairSlopes(s, 0, other, memory, tile, few, SIDE, rows + BLOCK, rows + BLOCK + BLOCK / 2);
            forms.channels.decaySlopes(s, 0, other, 0, rows + BLOCK, rows + BLOCK + BLOCK / 2, rows + ROW * 18, few, SIDE, tile);
            for (int r = 0; r < n; r++) {
                products.unpack(s, tile + r * ROW, 0.5f, SIDE - pass % 2, s, memory + r * ROW);
            }
        }
    }
}
