package dev.gatun.ops.sequence;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Op;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.lanes.Lanes;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorSpecies;

/**
 * Rotary positions (Su et al. 2021): pairs of features of x {@code [..., T, K]} are turned by angles that grow with the
 * position. Pair i of the {@code rotated / 2} pairs at position p is turned by {@code p base^(-2i / rotated)}:
 * {@code (a, b) -> (a cos - b sin, b cos + a sin)}. Features from {@code rotated} on stay as they are.
 *
 * @param position position of the first token
 * @param base base of the wavelengths
 * @param rotated how many first features are turned, an even number
 * @param interleaved whether a pair is the features {@code (2i, 2i + 1)}, and not {@code (i, i + rotated / 2)}
 * @param back whether pairs are turned the other way, which undoes it
 */
public record Rope(long position, double base, long rotated, boolean interleaved, boolean back) implements Op {

    /** Tokens whose angles follow from one another. */
    private static final int BLOCK = 64;

    private static final List<Kernel> KERNELS = List.of(
            Kernel.vector(Rope::tableItems, Rope::table).then(Rope::rowsOf, (a, from, to) -> Fast.rowsF32(a, from, to))
                    .workspace(Rope::tableBytes).when(a -> rowsLieWell(a) && !a.op(Rope.class).interleaved).strided(),
            Kernel.scalar(Rope::tableItems, Rope::table).then(Rope::rowsOf, Rope::rowsF32)
                    .workspace(Rope::tableBytes).when(Rope::rowsLieWell).strided(),
            Kernel.reference(Args::rows, Rope::rows),
            RopeLaunch.strided(Rope::rowsLieWell), RopeLaunch.dense());

    /** The first and second halves of all features turned against each other. */
    public static Tensor rope(Tensor x, long position, double base) {
        return rope(x, position, base, x.shape().last());
    }

    /** The halves of the first {@code rotated} features turned against each other. */
    public static Tensor rope(Tensor x, long position, double base, long rotated) {
        return new Rope(position, base, rotated, false, false).apply(x);
    }

    /** Neighbours among the first {@code rotated} features turned against each other. */
    public static Tensor ropeInterleaved(Tensor x, long position, double base, long rotated) {
        return new Rope(position, base, rotated, true, false).apply(x);
    }

    @Override
    public List<Spec> infer(Spec... in) {
        Elementwise.real(in[0].dtype());
        Shape x = in[0].shape();
        if (x.rank() < 2) {
            throw new ShapeException("x is [..., T, K], two axes or more and not " + x.rank());
        }
        if (rotated < 0 || rotated % 2 != 0 || rotated > x.last()) {
            throw new ShapeException("an even number of features is turned, at most " + x.last() + " and not " + rotated);
        }
        return List.of(in[0]);
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    // A rotation's adjoint is the rotation back.
    @Override
    public List<Tensor> gradient(Backward b) {
        return List.of(new Rope(position, base, rotated, interleaved, !back).apply(b.g()));
    }

    public static List<Sample> samples() {
        return List.of(
                Sample.of(new Rope(0, 10_000, 8, false, false), Shape.of(2, 2, 5, 8)),
                Sample.of(new Rope(1000, 500_000, 6, false, true), Shape.of(3, 4, 9)),
                Sample.of(new Rope(7, 100, 64, false, false), Shape.of(2, 3, 66)),
                Sample.of(new Rope(3, 10_000, 6, true, false), Shape.of(2, 3, 7)),
                Sample.of(new Rope(100_000, 10_000, 10, false, true), Shape.of(150, 10)),
                Sample.of(new Rope(3, 10_000, 0, false, false), Shape.of(1, 5)));
    }

    private double angle(long token, long pair) {
        return (position + token) * Math.pow(base, -2.0 * pair / rotated);
    }

    /** Features of a pair: the first is at {@code first(i)}, the second {@code apart()} behind it. */
    private long first(long pair) {
        return interleaved ? 2 * pair : pair;
    }

    private long apart() {
        return interleaved ? 1 : rotated / 2;
    }

    /** What it means, one row at a time and in double. */
    static void rows(Args a, long from, long to) {
        Rope op = a.op(Rope.class);
        long width = a.shape(0).last();
        long time = a.shape(0).dim(-2);
        for (long row = from; row < to; row++) {
            for (long pair = 0; pair < op.rotated / 2; pair++) {
                long at = row * width + op.first(pair);
                double angle = op.angle(row % time, pair);
                double sin = op.back ? -Math.sin(angle) : Math.sin(angle);
                double x = a.get(0, at);
                double y = a.get(0, at + op.apart());
                a.set(0, at, x * Math.cos(angle) - y * sin);
                a.set(0, at + op.apart(), y * Math.cos(angle) + x * sin);
            }
            for (long i = op.rotated; i < width; i++) {
                a.set(0, row * width + i, a.get(0, row * width + i));
            }
        }
    }

    // ---- F32: cosines and sines of all positions first, which all heads share ----

    private static long rowsOf(Args a) {
        return a.rows();
    }

    private static boolean rowsLieWell(Args a) {
        return a.isF32() && (a.shape(0).last() == 1 || a.strides(0)[a.shape(0).rank() - 1] == 1);
    }

    private static long tableItems(Args a) {
        return a.op(Rope.class).rotated == 0 ? 0 : Math.ceilDiv(a.shape(0).dim(-2), BLOCK);
    }

    private static long tableBytes(Args a) {
        return a.shape(0).dim(-2) * a.op(Rope.class).rotated * Float.BYTES;
    }

    /**
     * Per token {@code rotated / 2} cosines and as many sines. Sines and cosines are dear, so only each block's first ones are
     * computed, in double; the others follow by turning on, too few times for rounding to show in a float.
     */
    private static void table(Args a, long from, long to) {
        Rope op = a.op(Rope.class);
        MemorySegment table = a.workspace();
        long half = op.rotated / 2;
        for (long block = from; block < to; block++) {
            long end = Math.min((block + 1) * BLOCK, a.shape(0).dim(-2));
            for (long pair = 0; pair < half; pair++) {
                double step = op.angle(1 - op.position, pair);
                double stepCos = Math.cos(step);
                double stepSin = Math.sin(step);
                double cos = Math.cos(op.angle(block * BLOCK, pair));
                double sin = Math.sin(op.angle(block * BLOCK, pair));
                for (long token = block * BLOCK; token < end; token++) {
                    table.set(ValueLayout.JAVA_FLOAT, (token * 2 * half + pair) * 4, (float) cos);
                    table.set(ValueLayout.JAVA_FLOAT, ((token * 2 + 1) * half + pair) * 4, (float) (op.back ? -sin : sin));
                    double next = cos * stepCos - sin * stepSin;
                    sin = sin * stepCos + cos * stepSin;
                    cos = next;
                }
            }
        }
    }

    /** Where a row of the input starts, in bytes. */
    private static long rowStart(Shape shape, long[] strides, long row) {
        long at = 0;
        for (int axis = strides.length - 2; axis >= 0; axis--) {
            at += row % shape.dim(axis) * strides[axis];
            row /= shape.dim(axis);
        }
        return at * Float.BYTES;
    }

    private static void rowsF32(Args a, long from, long to) {
        Rope op = a.op(Rope.class);
        Shape shape = a.shape(0);
        long[] strides = a.strides(0);
        long time = shape.dim(-2);
        int width = (int) shape.last();
        int half = (int) op.rotated / 2;
        int step = op.interleaved ? 2 : 1;
        int apart = (int) op.apart();
        ValueLayout.OfFloat number = ValueLayout.JAVA_FLOAT_UNALIGNED;
        for (long row = from; row < to; row++) {
            MemorySegment x = a.in(0).asSlice(rowStart(shape, strides, row), width * 4L);
            MemorySegment y = a.out().asSlice(row * width * 4L, width * 4L);
            MemorySegment turn = a.workspace().asSlice(row % time * half * 8L, half * 8L);
            for (int pair = 0; pair < half; pair++) {
                float first = x.get(number, pair * step * 4L);
                float second = x.get(number, (pair * step + apart) * 4L);
                float cos = turn.get(number, pair * 4L);
                float sin = turn.get(number, (half + pair) * 4L);
                y.set(number, pair * step * 4L, first * cos - second * sin);
                y.set(number, (pair * step + apart) * 4L, second * cos + first * sin);
            }
            MemorySegment.copy(x, half * 8L, y, half * 8L, (width - 2L * half) * 4);
        }
    }

    /** Vector loops; the products and sums are those of the plain ones, so the bits are, too. */
    private static final class Fast {
        private static final VectorSpecies<Float> S = Lanes.F32;
        private static final ByteOrder NATIVE = ByteOrder.nativeOrder();

        static void rowsF32(Args a, long from, long to) {
            Rope op = a.op(Rope.class);
            Shape shape = a.shape(0);
            long[] strides = a.strides(0);
            long time = shape.dim(-2);
            int width = (int) shape.last();
            int half = (int) op.rotated / 2;
            int full = S.loopBound(half);
            VectorMask<Float> rest = S.indexInRange(full, half);
            for (long row = from; row < to; row++) {
                MemorySegment x = a.in(0).asSlice(rowStart(shape, strides, row), width * 4L);
                MemorySegment y = a.out().asSlice(row * width * 4L, width * 4L);
                MemorySegment turn = a.workspace().asSlice(row % time * half * 8L, half * 8L);
                for (int i = 0; i < full; i += S.length()) {
                    FloatVector first = FloatVector.fromMemorySegment(S, x, i * 4L, NATIVE);
                    FloatVector second = FloatVector.fromMemorySegment(S, x, (half + i) * 4L, NATIVE);
                    FloatVector cos = FloatVector.fromMemorySegment(S, turn, i * 4L, NATIVE);
                    FloatVector sin = FloatVector.fromMemorySegment(S, turn, (half + i) * 4L, NATIVE);
                    first.mul(cos).sub(second.mul(sin)).intoMemorySegment(y, i * 4L, NATIVE);
                    second.mul(cos).add(first.mul(sin)).intoMemorySegment(y, (half + i) * 4L, NATIVE);
                }
                if (full < half) {
                    FloatVector first = FloatVector.fromMemorySegment(S, x, full * 4L, NATIVE, rest);
                    FloatVector second = FloatVector.fromMemorySegment(S, x, (half + full) * 4L, NATIVE, rest);
                    FloatVector cos = FloatVector.fromMemorySegment(S, turn, full * 4L, NATIVE, rest);
                    FloatVector sin = FloatVector.fromMemorySegment(S, turn, (half + full) * 4L, NATIVE, rest);
                    first.mul(cos).sub(second.mul(sin)).intoMemorySegment(y, full * 4L, NATIVE, rest);
                    second.mul(cos).add(first.mul(sin)).intoMemorySegment(y, (half + full) * 4L, NATIVE, rest);
                }
                MemorySegment.copy(x, half * 8L, y, half * 8L, (width - 2L * half) * 4);
            }
        }
    }
}
