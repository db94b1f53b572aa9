package dev.gatun.ops.sequence;

import dev.gatun.engine.Args;
import dev.gatun.engine.Warmup;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The two forms of {@link MatrixSteps} and their warm-up, on matrices so small that it is over soon. */
final class MatrixForms {

    private static final Warmup<MatrixSteps> WARM =
            Warmup.of("small matrices", MatrixSteps.PLAIN, () -> FreshForm.of(MatrixSteps.class), MatrixForms::exercise);

    private static final int SIDE = 64;
    private static final long ROW = SIDE * 4L;
    private static final long BLOCK = SIDE * ROW;

    private MatrixForms() {}

    /** Whether the vector form answers for these arguments: it is up to speed, or nobody is there to stand in for it. */
    static boolean answers(Args a) {
        return a.isF32() && WARM.answers();
    }

    static MatrixSteps fast() {
        return WARM.fast();
    }

    /** Scratch that nobody reads. */
    private static final class Practice {
        static final MemorySegment S = Arena.global().allocate(4 * BLOCK, 64);
    }

    private static void exercise(MatrixSteps steps) {
        MemorySegment s = Practice.S;
        steps.rows().affine(s, 0, 0, 0.01f, s, 0, (int) (2 * BLOCK / 4));
        steps.transpose(s, 0, ROW, BLOCK, ROW, SIDE, SIDE);
        for (boolean adds : new boolean[] {false, true}) {
            steps.product(s, 0, ROW, 4, BLOCK, ROW, 2 * BLOCK, ROW, SIDE, SIDE, SIDE, 0.5f, adds);
            steps.product(s, 0, 4, ROW, BLOCK, ROW, 2 * BLOCK, ROW, SIDE, MatrixSteps.PAD, SIDE, 0.5f, adds);
        }
        for (int i = 0; i < SIDE; i++) {
            steps.rows().multiplyAdd(s, i * ROW, s, BLOCK + i * ROW, s, 3 * BLOCK, s, 3 * BLOCK, SIDE);
        }
        for (boolean adds : new boolean[] {false, true}) {
            steps.scaleColumns(s, 0, BLOCK, 2 * BLOCK, ROW, SIDE, SIDE, adds);
        }
        steps.addDots(s, 0, BLOCK, 3 * BLOCK, ROW, SIDE, SIDE);
        steps.reflect(s, 0, 0.5f, 2 * BLOCK, ROW, SIDE, SIDE);
        steps.rows().add(s, 0, s, 3 * BLOCK, SIDE * SIDE);
        steps.rows().dot(s, 0, s, BLOCK, SIDE);
        steps.rows().squares(s, 0, 0, SIDE * SIDE);
    }
}
