package dev.gatun.engine.algebra;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.DType;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Op;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.lanes.Lanes;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/** The largest number along an axis; NaN when there is one. Equal largest ones share the gradient. */
public record Max(int axis) implements Op {

    private static final List<Kernel> KERNELS = List.of(
            Kernel.vector(Max::lines, (a, from, to) -> Fast.lines(a, from, to)).when(Max::takesF32),
            Kernel.scalar(Max::lines, Max::lines).when(Max::takesF32),
            Kernel.reference(Args::elements, Max::elements),
            AlgebraLaunch.of(AlgebraLaunch::max, DType.F32, DType.F64, DType.I32, DType.I64));

    @Override
    public List<Spec> infer(Spec... in) {
        return Reductions.largest(in[0], axis, in[0].dtype());
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    @Override
    public List<Tensor> gradient(Backward b) {
        Tensor largest = b.in(0).eq(b.out()).to(b.g().dtype());
        return List.of(largest.div(largest.sum(axis)).mul(b.g()));
    }

    public static List<Sample> samples() {
        return List.of(Sample.of(new Max(1), Shape.of(3, 40)), Sample.of(new Max(0), Shape.of(5, 21)),
                Sample.of(new Max(1), Shape.of(2, 5, 3)), Sample.of(new Max(-1), Shape.of(2, 131)));
    }

    static void elements(Args a, long from, long to) {
        Runs x = Runs.of(a.shape(0), a.op(Max.class).axis);
        for (long i = from; i < to; i++) {
            long at = i / x.inner() * x.size() * x.inner() + i % x.inner();
            double max = a.get(0, at);
            for (long j = 1; j < x.size(); j++) {
                max = Math.max(max, a.get(0, at + j * x.inner()));
            }
            a.set(0, i, max);
        }
    }

    private static boolean takesF32(Args a) {
        return a.isF32() && a.dtype(0).isFloat();
    }

    /** An item is a line when the axis is the last one, else all the lines that run side by side. */
    private static long lines(Args a) {
        return Runs.of(a.shape(0), a.op(Max.class).axis).outer();
    }

    private static void lines(Args a, long from, long to) {
        Runs x = Runs.of(a.shape(0), a.op(Max.class).axis);
        for (long item = from; item < to; item++) {
            MemorySegment in = a.in(0).asSlice(item * x.size() * x.inner() * 4);
            MemorySegment out = a.out().asSlice(item * x.inner() * 4);
            for (long i = 0; i < x.inner(); i++) {
                float max = in.get(JAVA_FLOAT_UNALIGNED, i * 4);
                for (long j = 1; j < x.size(); j++) {
                    max = Math.max(max, in.get(JAVA_FLOAT_UNALIGNED, (j * x.inner() + i) * 4));
                }
                out.set(JAVA_FLOAT_UNALIGNED, i * 4, max);
            }
        }
    }

    private static final class Fast {

        private static final VectorSpecies<Float> S = Lanes.F32;
        private static final int STEP = S.length();
        private static final ByteOrder NATIVE = ByteOrder.nativeOrder();

        static void lines(Args a, long from, long to) {
            Runs x = Runs.of(a.shape(0), a.op(Max.class).axis);
            for (long item = from; item < to; item++) {
                MemorySegment in = a.in(0).asSlice(item * x.size() * x.inner() * 4, x.size() * x.inner() * 4);
                MemorySegment out = a.out().asSlice(item * x.inner() * 4, x.inner() * 4);
                if (x.inner() == 1) {
                    out.set(JAVA_FLOAT_UNALIGNED, 0, line(in, (int) x.size()));
                } else {
                    sideBySide(in, (int) x.size(), (int) x.inner(), out);
                }
            }
        }

        private static float line(MemorySegment in, int n) {
            int full = S.loopBound(n);
            int pairs = n / (2 * STEP) * 2 * STEP;
            FloatVector m0 = FloatVector.broadcast(S, Float.NEGATIVE_INFINITY);
            FloatVector m1 = m0;
            int i = 0;
            for (; i < pairs; i += 2 * STEP) {
                m0 = m0.max(FloatVector.fromMemorySegment(S, in, i * 4L, NATIVE));
                m1 = m1.max(FloatVector.fromMemorySegment(S, in, (i + STEP) * 4L, NATIVE));
            }
            for (; i < full; i += STEP) {
                m0 = m0.max(FloatVector.fromMemorySegment(S, in, i * 4L, NATIVE));
            }
            VectorMask<Float> rest = S.indexInRange(full, n);
            m1 = m1.lanewise(VectorOperators.MAX, FloatVector.fromMemorySegment(S, in, full * 4L, NATIVE, rest), rest);
            return m0.max(m1).reduceLanes(VectorOperators.MAX);
        }

        private static void sideBySide(MemorySegment in, int size, int inner, MemorySegment out) {
            MemorySegment.copy(in, 0, out, 0, inner * 4L);
            int full = S.loopBound(inner);
            VectorMask<Float> rest = S.indexInRange(full, inner);
            for (int j = 1; j < size; j++) {
                long row = (long) j * inner * 4;
                for (int i = 0; i < full; i += STEP) {
                    FloatVector.fromMemorySegment(S, out, i * 4L, NATIVE)
                            .max(FloatVector.fromMemorySegment(S, in, row + i * 4L, NATIVE))
                            .intoMemorySegment(out, i * 4L, NATIVE);
                }
                FloatVector.fromMemorySegment(S, out, full * 4L, NATIVE, rest)
                        .max(FloatVector.fromMemorySegment(S, in, row + full * 4L, NATIVE, rest))
                        .intoMemorySegment(out, full * 4L, NATIVE, rest);
            }
        }
    }
}
