package dev.gatun.engine.algebra;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.DType;
import dev.gatun.engine.DTypeException;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Op;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;

/** Picking and placing numbers by index. Whole-number indices are checked against the axis when they are read. */
public final class Indexing {

    private Indexing() {}

    private static void requireIndex(Spec x, Spec index, int axis) {
        if (index.dtype() != DType.I64 && index.dtype() != DType.I32) {
            throw new DTypeException("the index must be of whole numbers, not " + index.dtype());
        }
        if (!x.shape().with(axis, 0).equals(index.shape().with(axis, 0))) {
            throw new ShapeException("sizes besides axis " + axis + " differ: " + x.shape() + " and index " + index.shape());
        }
    }

    private static long checked(Args a, long at, long size) {
        long index = a.getLong(1, at);
        if (index < 0 || index >= size) {
            throw new IndexOutOfBoundsException(a.op().name() + ": index " + index + " on an axis of size " + size
                    + "\n  x: " + a.spec(0) + "\n  index: " + a.spec(1));
        }
        return index;
    }

    /** {@code y[o, i, n] = x[o, index[o, i, n], n]}. */
    public record Gather(int axis) implements Op {

        private static final List<Kernel> KERNELS = List.of(Kernel.reference(Args::elements, Gather::elements), AlgebraLaunch.of(AlgebraLaunch::gather));

        @Override
        public List<String> arguments() {
            return List.of("x", "index");
        }

        @Override
        public List<Spec> infer(Spec... in) {
            requireIndex(in[0], in[1], axis);
            return List.of(in[0].with(in[1].shape()));
        }

        @Override
        public List<Kernel> kernels() {
            return KERNELS;
        }

        static void elements(Args a, long from, long to) {
            Runs x = Runs.of(a.shape(0), a.op(Gather.class).axis);
            Runs y = Runs.of(a.shape(1), a.op(Gather.class).axis);
            for (long i = from; i < to; i++) {
                long outer = i / (y.size() * y.inner());
                long inner = i % y.inner();
                a.set(0, i, a.get(0, (outer * x.size() + checked(a, i, x.size())) * x.inner() + inner));
            }
        }

        @Override
        public List<Tensor> gradient(Backward b) {
            return List.of(b.g().scatterAdd(axis, b.in(1), b.in(0).dim(axis)), b.none());
        }

        public static List<Sample> samples() {
            return List.of(
                    Sample.of(new Gather(1), Shape.of(3, 5), Shape.of(3, 2)).integers(1, 0, 5),
                    Sample.of(new Gather(0), Shape.of(4, 3, 2), Shape.of(9, 3, 2)).integers(1, 0, 4));
        }
    }

    /** Zeros of {@code size} along an axis, then {@code y[o, index[o, i, n], n] += x[o, i, n]}, i in order. */
    public record ScatterAdd(int axis, long size) implements Op {

        private static final List<Kernel> KERNELS = List.of(Kernel.reference(a -> Runs.of(a.shape(0), a.op(ScatterAdd.class).axis).outer(), ScatterAdd::blocks),
                AlgebraLaunch.of(AlgebraLaunch::scatterAdd, DType.F32, DType.F64));

        @Override
        public List<String> arguments() {
            return List.of("x", "index");
        }

        @Override
        public List<Spec> infer(Spec... in) {
            requireIndex(in[0], in[1], axis);
            if (in[0].shape().dim(axis) != in[1].shape().dim(axis)) {
                throw new ShapeException("axis " + axis + " has size " + in[0].shape().dim(axis) + ", that of the index "
                        + in[1].shape().dim(axis));
            }
            return List.of(in[0].with(in[0].shape().with(axis, size)));
        }

        @Override
        public List<Kernel> kernels() {
            return KERNELS;
        }

        /** One item owns everything behind one position of the axes in front, so sums have one order. */
        static void blocks(Args a, long from, long to) {
            ScatterAdd op = a.op(ScatterAdd.class);
            Runs x = Runs.of(a.shape(0), op.axis);
            double[] sums = new double[Math.toIntExact(op.size * x.inner())];
            for (long outer = from; outer < to; outer++) {
                Arrays.fill(sums, 0);
                for (long i = 0; i < x.size() * x.inner(); i++) {
                    long at = outer * x.size() * x.inner() + i;
                    sums[(int) (checked(a, at, op.size) * x.inner() + i % x.inner())] += a.get(0, at);
                }
                for (int i = 0; i < sums.length; i++) {
                    a.set(0, outer * sums.length + i, sums[i]);
                }
            }
        }

        @Override
        public List<Tensor> gradient(Backward b) {
            return List.of(b.g().gather(axis, b.in(1)), b.none());
        }

        public static List<Sample> samples() {
            return List.of(
                    Sample.of(new ScatterAdd(1, 5), Shape.of(3, 7), Shape.of(3, 7)).integers(1, 0, 5),
                    Sample.of(new ScatterAdd(0, 4), Shape.of(9, 3), Shape.of(9, 3)).integers(1, 0, 4));
        }
    }

    /** The order along an axis turned round. */
    public record Flip(int axis) implements Op {

        private static final List<Kernel> KERNELS = List.of(Kernel.reference(
                a -> a.elements() / Math.max(1, Runs.of(a.shape(0), a.op(Flip.class).axis).inner()), Flip::runs),
                AlgebraLaunch.of(AlgebraLaunch::flip));

        @Override
        public List<Spec> infer(Spec... in) {
            in[0].shape().axis(axis);
            return List.of(in[0]);
        }

        @Override
        public List<Kernel> kernels() {
            return KERNELS;
        }

        @Override
        public boolean takesStorageTypes() {
            return true;
        }

        static void runs(Args a, long from, long to) {
            Runs x = Runs.of(a.shape(0), a.op(Flip.class).axis);
            long bytes = x.inner() * a.dtype(0).bytes();
            for (long item = from; item < to; item++) {
                long mirrored = item / x.size() * x.size() + (x.size() - 1 - item % x.size());
                MemorySegment.copy(a.in(0), mirrored * bytes, a.out(), item * bytes, bytes);
            }
        }

        @Override
        public List<Tensor> gradient(Backward b) {
            return List.of(b.g().flip(axis));
        }

        public static List<Sample> samples() {
            return List.of(Sample.of(new Flip(1), Shape.of(2, 5, 3)), Sample.of(new Flip(0), Shape.of(7)));
        }
    }

    /** Keeps {@code column <= row + diagonal} of the last two axes, zero elsewhere. */
    public record LowerTriangle(long diagonal) implements Op {

        private static final List<Kernel> KERNELS = List.of(Kernel.reference(Args::rows, LowerTriangle::rows), AlgebraLaunch.of(AlgebraLaunch::lowerTriangle));

        @Override
        public List<Spec> infer(Spec... in) {
            if (in[0].shape().rank() < 2) {
                throw new ShapeException("two axes are needed, there are " + in[0].shape().rank());
            }
            return List.of(in[0]);
        }

        @Override
        public List<Kernel> kernels() {
            return KERNELS;
        }

        @Override
        public boolean takesStorageTypes() {
            return true;
        }

        static void rows(Args a, long from, long to) {
            long columns = a.shape(0).last();
            long height = a.shape(0).dim(-2);
            int bytes = a.dtype(0).bytes();
            for (long row = from; row < to; row++) {
                long kept = Math.clamp(row % height + a.op(LowerTriangle.class).diagonal + 1, 0, columns);
                MemorySegment.copy(a.in(0), row * columns * bytes, a.out(), row * columns * bytes, kept * bytes);
                a.out().asSlice((row * columns + kept) * bytes, (columns - kept) * bytes).fill((byte) 0);
            }
        }

        @Override
        public List<Tensor> gradient(Backward b) {
            return List.of(b.g().lowerTriangle(diagonal));
        }

        public static List<Sample> samples() {
            return List.of(Sample.of(new LowerTriangle(0), Shape.of(2, 5, 4)), Sample.of(new LowerTriangle(-1), Shape.of(5, 5)),
                    Sample.of(new LowerTriangle(2), Shape.of(3, 9)));
        }
    }
}
