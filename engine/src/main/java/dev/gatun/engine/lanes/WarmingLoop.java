package dev.gatun.engine.lanes;

import dev.gatun.engine.DType;
import dev.gatun.engine.Warmup;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.function.Consumer;

/**
 * A vector loop whose scalar twin, which gives the same bits, answers until the compiler has it. To warm one takes about
 * half a second of processor time, so that begins only when the twin has had some work to do.
 */
final class WarmingLoop implements Loop {

    /** Steps of single elements: about ten milliseconds. */
    private static final long WORTHWHILE = 100_000_000;
    /** Loads, stores and counting, in steps. */
    private static final int OVERHEAD = 8;

    private final Loop plain;
    private final Warmup<Loop> warmup;
    private final int steps;
    private long work; // done so far; threads may lose a little of each other's

    WarmingLoop(LaneCompiler.Form form) {
        String name = form.lanes() + " loop of " + form.program().steps().size() + " steps, " + form.access();
        plain = SteppedLoop.takes(form) ? SteppedLoop.of(form) : LaneCompiler.scalar(form);
        steps = form.program().steps().size() + OVERHEAD;
        warmup = Warmup.of(name, plain, () -> LaneCompiler.vector(form), new Exercise(form));
    }

    @Override
    public void run(
            MemorySegment[] blocks, long[] byteOffsets, long[] rowBytes, long[] strides, double[] parameters,
            int rows, int n) {
        Loop loop = plain;
        if (work < WORTHWHILE) {
            work += (long) rows * n * steps;
        } else {
            loop = warmup.now();
        }
        loop.run(blocks, byteOffsets, rowBytes, strides, parameters, rows, n);
    }

    /**
     * Rows long and short, one and several, so that no branch is new to the compiler later: what it never saw it leaves
     * out, and meeting it then throws the compiled code away. The memory is made when the warm-up starts.
     */
    private static final class Exercise implements Consumer<Loop> {

        private static final int LONG = 64 * 16 + 5;
        /** One of them often: the scalar loop must be compiled as well before the two are compared. */
        private static final int[] LENGTHS = {LONG, 24 * 16, 19, 16, 3, LONG, LONG, LONG};
        private static final int ROWS = 3;

        private final LaneCompiler.Form form;
        private MemorySegment[] blocks;
        private double[] parameters;

        Exercise(LaneCompiler.Form form) {
            this.form = form;
        }

        @Override
        public void accept(Loop loop) {
            if (blocks == null) {
                prepare();
            }
            long[] zeros = new long[blocks.length];
            long[] rowBytes = new long[blocks.length];
            for (int n : LENGTHS) {
                for (int k = 0; k < blocks.length; k++) {
                    boolean repeated = k < form.in().size() && form.access().get(k) == Access.REPEATED;
                    rowBytes[k] = (repeated ? 1L : n) * form.lanes().bytes();
                }
                loop.run(blocks, zeros, rowBytes, zeros, parameters, n == LONG ? 1 : ROWS, n);
            }
        }

        private void prepare() {
            MemorySegment[] made = new MemorySegment[form.in().size() + form.out().size()];
            for (int k = 0; k < made.length; k++) {
                made[k] = Arena.ofAuto().allocate((long) ROWS * LONG * form.lanes().bytes(), 64);
                for (int i = 0; i < ROWS * LONG; i++) {
                    double value = 0.25 + i % 7;
                    if (form.lanes() == DType.F32) {
                        made[k].setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) value);
                    } else {
                        made[k].setAtIndex(ValueLayout.JAVA_DOUBLE, i, value);
                    }
                }
            }
            int most = form.program().steps().stream()
                    .filter(s -> s.op() == Expr.Op.PARAMETER).mapToInt(Program.Step::a).max().orElse(-1);
            parameters = new double[most + 1];
            Arrays.fill(parameters, 0.5);
            blocks = made;
        }
    }
}
