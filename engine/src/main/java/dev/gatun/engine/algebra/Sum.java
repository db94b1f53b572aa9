package dev.gatun.engine.algebra;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.DType;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Op;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.lanes.Lanes;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorSpecies;

/**
 * Sum over the axes {@code from, …, to - 1}, which stay with size one.
 *
 * <p>Floats are summed in blocks whose sizes follow from the shape alone, and the blocks' sums in
 * order: the error grows with the square root of the length at most, and threads change nothing.
 */
public record Sum(int from, int to) implements Op {

    private static final Steps PLAIN = new Steps(Sum::line, Sum::columns);
    /** Room for the widest vector. */
    private static final long LANES_BYTES = 64;

    private static final List<Kernel> KERNELS = List.of(
            Kernel.vector(Blocks::count, (a, from, to) -> blocks(a, from, to, Fast.STEPS)).when(Sum::isF32)
                    .workspace(Blocks::bytes).then(Args::elements, Sum::joinBlocks),
            Kernel.scalar(Blocks::count, (a, from, to) -> blocks(a, from, to, PLAIN)).when(Sum::isF32)
                    .workspace(Blocks::bytes).then(Args::elements, Sum::joinBlocks),
            Kernel.reference(Args::elements, Sum::elements),
            AlgebraLaunch.of(AlgebraLaunch::sum, DType.F32, DType.F64, DType.I32, DType.I64).workspace(AlgebraLaunch::sumWorkspace));

    @Override
    public List<Spec> infer(Spec... in) {
        Reductions.requireNumbers(in[0]);
        if (from < 0 || to > in[0].shape().rank() || from > to) {
            throw new ShapeException("axes " + from + " to " + to + " of " + in[0].shape().rank());
        }
        long[] dims = in[0].shape().dims();
        Arrays.fill(dims, from, to, 1);
        return List.of(in[0].with(Shape.of(dims)));
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    @Override
    public List<Tensor> gradient(Backward b) {
        return List.of(b.g().expand(b.in(0).shape()));
    }

    public static List<Sample> samples() {
        return List.of(Sample.of(new Sum(1, 2), Shape.of(3, 40)), Sample.of(new Sum(0, 2), Shape.of(5, 7, 3)),
                Sample.of(new Sum(1, 2), Shape.of(2, 65, 17)), Sample.of(new Sum(0, 3), Shape.of(2, 3, 100)),
                Sample.of(new Sum(0, 1), Shape.of(300, 37)), Sample.of(new Sum(0, 1), Shape.of(9)).integers(0, -5, 5));
    }

    /** One output element after the other, in double. */
    static void elements(Args a, long first, long end) {
        Sum op = a.op(Sum.class);
        Runs x = Runs.of(a.shape(0), op.from, op.to);
        boolean whole = !a.dtype(0).isFloat();
        for (long i = first; i < end; i++) {
            long at = i / x.inner() * x.size() * x.inner() + i % x.inner();
            double sum = 0;
            long count = 0;
            for (long j = 0; j < x.size(); j++) {
                if (whole) {
                    count += a.getLong(0, at + j * x.inner());
                } else {
                    sum += a.get(0, at + j * x.inner());
                }
            }
            if (whole) {
                a.setLong(0, i, count);
            } else {
                a.set(0, i, sum);
            }
        }
    }

    private static boolean isF32(Args a) {
        return a.isF32() && a.dtype(0).isFloat() && a.shape(0).elements() > 0;
    }

    /**
     * How a sum is cut. Along a line of neighbours (inner 1) a block is a run of it; otherwise it is
     * a number of rows times a panel of columns, whose sums stand side by side.
     */
    private record Blocks(Runs x, long length, long blocks, long panel, long panels) {

        static Blocks of(Args a) {
            Sum op = a.op(Sum.class);
            Runs x = Runs.of(a.shape(0), op.from, op.to);
            if (x.inner() == 1) {
                long length = 8192;
                return new Blocks(x, length, Math.max(1, Math.ceilDiv(x.size(), length)), 1, 1);
            }
            long length = Math.clamp(Long.highestOneBit((long) Math.sqrt(x.size())) * 2, 64, 4096);
            long panel = Math.min(x.inner(), 1024);
            return new Blocks(x, length, Math.max(1, Math.ceilDiv(x.size(), length)), panel, Math.ceilDiv(x.inner(), panel));
        }

        static long count(Args a) {
            Blocks b = of(a);
            return b.x.outer() * b.blocks * b.panels;
        }

        /** A double for each block's sum of a line, a float for each column of a block of rows. */
        static long bytes(Args a) {
            Blocks b = of(a);
            return b.x.outer() * b.blocks * (b.x.inner() == 1 ? 8 : b.x.inner() * 4);
        }
    }

    /** How the numbers of one block are added; {@code lanes} is room for a vector. */
    private record Steps(Line line, Columns columns) {

        interface Line {
            double sum(MemorySegment line, int n, MemorySegment lanes);
        }

        interface Columns {
            void sum(MemorySegment first, long rowBytes, int rows, int columns, MemorySegment sums);
        }
    }

    private static void blocks(Args a, long from, long to, Steps steps) {
        Blocks b = Blocks.of(a);
        Runs x = b.x;
        MemorySegment lanes = a.scratch(LANES_BYTES);
        for (long item = from; item < to; item++) {
            long panel = item % b.panels;
            long block = item / b.panels % b.blocks;
            long outer = item / b.panels / b.blocks;
            long start = block * b.length;
            int rows = (int) Math.min(b.length, x.size() - start);
            if (x.inner() == 1) {
                MemorySegment line = a.in(0).asSlice((outer * x.size() + start) * 4, rows * 4L);
                a.workspace().setAtIndex(JAVA_DOUBLE, outer * b.blocks + block, steps.line.sum(line, rows, lanes));
            } else {
                long column = panel * b.panel;
                int columns = (int) Math.min(b.panel, x.inner() - column);
                MemorySegment sums = a.workspace().asSlice(((outer * b.blocks + block) * x.inner() + column) * 4, columns * 4L);
                MemorySegment first = a.in(0).asSlice(((outer * x.size() + start) * x.inner() + column) * 4,
                        ((rows - 1) * x.inner() + columns) * 4);
                steps.columns.sum(first, x.inner() * 4, rows, columns, sums);
            }
        }
    }

    private static double line(MemorySegment line, int n, MemorySegment lanes) {
        double even = 0;
        double odd = 0;
        int i = 0;
        for (; i + 1 < n; i += 2) {
            even += line.get(JAVA_FLOAT_UNALIGNED, i * 4L);
            odd += line.get(JAVA_FLOAT_UNALIGNED, i * 4L + 4);
        }
        return even + odd + (i < n ? line.get(JAVA_FLOAT_UNALIGNED, i * 4L) : 0);
    }

    private static void columns(MemorySegment first, long rowBytes, int rows, int columns, MemorySegment sums) {
        sums.asSlice(0, columns * 4L).fill((byte) 0);
        for (int row = 0; row < rows; row++) {
            MemorySegment line = first.asSlice(row * rowBytes);
            for (int i = 0; i < columns; i++) {
                sums.set(JAVA_FLOAT_UNALIGNED, i * 4L, sums.get(JAVA_FLOAT_UNALIGNED, i * 4L) + line.get(JAVA_FLOAT_UNALIGNED, i * 4L));
            }
        }
    }

    /** The blocks of one output element, added in order. */
    private static void joinBlocks(Args a, long from, long to) {
        Blocks b = Blocks.of(a);
        for (long i = from; i < to; i++) {
            double sum = 0;
            if (b.x.inner() == 1) {
                for (long block = 0; block < b.blocks; block++) {
                    sum += a.workspace().getAtIndex(JAVA_DOUBLE, i * b.blocks + block);
                }
            } else {
                long outer = i / b.x.inner();
                long column = i % b.x.inner();
                for (long block = 0; block < b.blocks; block++) {
                    sum += a.workspace().getAtIndex(JAVA_FLOAT, (outer * b.blocks + block) * b.x.inner() + column);
                }
            }
            a.out().setAtIndex(JAVA_FLOAT, i, (float) sum);
        }
    }

    /** The same with the Vector API. */
    private static final class Fast {

        private static final VectorSpecies<Float> S = Lanes.F32;
        private static final int STEP = S.length();
        private static final ByteOrder NATIVE = ByteOrder.nativeOrder();
        static final Steps STEPS = new Steps(Fast::line, Fast::columns);

        /**
         * Four sums side by side, so that an addition need not wait for the one before. Lanes are added
         * from memory: {@code reduceLanes} has one order while it is interpreted and another once compiled.
         */
        private static float line(MemorySegment line, int n, MemorySegment lanes) {
            int full = S.loopBound(n);
            int quads = n / (4 * STEP) * 4 * STEP;
            FloatVector s0 = FloatVector.zero(S);
            FloatVector s1 = s0;
            FloatVector s2 = s0;
            FloatVector s3 = s0;
            int i = 0;
            for (; i < quads; i += 4 * STEP) {
                s0 = s0.add(FloatVector.fromMemorySegment(S, line, i * 4L, NATIVE));
                s1 = s1.add(FloatVector.fromMemorySegment(S, line, (i + STEP) * 4L, NATIVE));
                s2 = s2.add(FloatVector.fromMemorySegment(S, line, (i + 2 * STEP) * 4L, NATIVE));
                s3 = s3.add(FloatVector.fromMemorySegment(S, line, (i + 3 * STEP) * 4L, NATIVE));
            }
            for (; i < full; i += STEP) {
                s0 = s0.add(FloatVector.fromMemorySegment(S, line, i * 4L, NATIVE));
            }
            s1 = s1.add(FloatVector.fromMemorySegment(S, line, full * 4L, NATIVE, S.indexInRange(full, n)));
            s0.add(s1).add(s2.add(s3)).intoMemorySegment(lanes, 0, NATIVE);
            float a0 = 0;
            float a1 = 0;
            float a2 = 0;
            float a3 = 0;
            for (int lane = 0; lane < STEP; lane += 4) {
                a0 += lanes.getAtIndex(JAVA_FLOAT, lane);
                a1 += lanes.getAtIndex(JAVA_FLOAT, lane + 1);
                a2 += lanes.getAtIndex(JAVA_FLOAT, lane + 2);
                a3 += lanes.getAtIndex(JAVA_FLOAT, lane + 3);
            }
            return (a0 + a1) + (a2 + a3);
        }

        /** Four rows a round, so that a column's sum is loaded and stored once for four additions. */
        private static void columns(MemorySegment x, long rowBytes, int rows, int columns, MemorySegment sums) {
            int full = S.loopBound(columns);
            VectorMask<Float> rest = S.indexInRange(full, columns);
            int row = rows % 4;
            int firstRows = row == 0 ? 4 : row;
            for (int i = 0; i < columns; i += STEP) {
                VectorMask<Float> m = i < full ? S.maskAll(true) : rest;
                FloatVector sum = FloatVector.fromMemorySegment(S, x, i * 4L, NATIVE, m);
                for (int r = 1; r < firstRows && r < rows; r++) {
                    sum = sum.add(FloatVector.fromMemorySegment(S, x, r * rowBytes + i * 4L, NATIVE, m));
                }
                sum.intoMemorySegment(sums, i * 4L, NATIVE, m);
            }
            for (row = Math.min(firstRows, rows); row < rows; row += 4) {
                long r0 = row * rowBytes;
                long r1 = r0 + rowBytes;
                long r2 = r1 + rowBytes;
                long r3 = r2 + rowBytes;
                for (int i = 0; i < full; i += STEP) {
                    long at = i * 4L;
                    FloatVector.fromMemorySegment(S, sums, at, NATIVE)
                            .add(FloatVector.fromMemorySegment(S, x, r0 + at, NATIVE).add(FloatVector.fromMemorySegment(S, x, r1 + at, NATIVE)))
                            .add(FloatVector.fromMemorySegment(S, x, r2 + at, NATIVE).add(FloatVector.fromMemorySegment(S, x, r3 + at, NATIVE)))
                            .intoMemorySegment(sums, at, NATIVE);
                }
                if (full < columns) {
                    long at = full * 4L;
                    FloatVector.fromMemorySegment(S, sums, at, NATIVE, rest)
                            .add(FloatVector.fromMemorySegment(S, x, r0 + at, NATIVE, rest).add(FloatVector.fromMemorySegment(S, x, r1 + at, NATIVE, rest)))
                            .add(FloatVector.fromMemorySegment(S, x, r2 + at, NATIVE, rest).add(FloatVector.fromMemorySegment(S, x, r3 + at, NATIVE, rest)))
                            .intoMemorySegment(sums, at, NATIVE, rest);
                }
            }
        }
    }
}
