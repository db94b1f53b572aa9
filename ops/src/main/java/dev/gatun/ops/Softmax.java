package dev.gatun.ops;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.Composed;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Op;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.rows.RowSteps;
import dev.gatun.ops.rows.VectorRows;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * {@code y[i] = exp(x[i]) / sum(exp(x))} over the last axis: each row becomes a set of shares. A row
 * of nothing but {@code -inf} has nothing to share: it becomes zeros.
 */
public record Softmax() implements Op {

    private static final List<Kernel> KERNELS = List.of(
            OneDnnRows.SOFTMAX,
            Kernel.vector(Args::rows, (a, from, to) -> rowsF32(a, from, to, VectorRows.STEPS)),
            Kernel.scalar(Args::rows, (a, from, to) -> rowsF32(a, from, to, RowSteps.plain())),
            Kernel.reference(Args::rows, Softmax::rows),
            RowsLaunch.plain("softmax"));

    /** Shares of {@code exp(x)} along an axis. */
    public static Tensor softmax(Tensor x, int axis) {
        return alongAxis(new Softmax(), x, axis);
    }

    /** An op over the last axis, applied along another one. */
    static Tensor alongAxis(Op op, Tensor x, int axis) {
        int from = x.axis(op.name(), axis);
        return from == x.shape().rank() - 1 ? op.apply(x) : op.apply(x.swap(from, -1)).swap(from, -1);
    }

    @Override
    public List<Spec> infer(Spec... in) {
        Elementwise.real(in[0].dtype());
        return List.of(in[0]);
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    @Override
    public List<Tensor> gradient(Backward b) {
        return List.of(new SoftmaxGradient().apply(b.out(), b.g()));
    }

    public static List<Sample> samples() {
        return List.of(
                Sample.of(new Softmax(), Shape.of(3, 5)),
                Sample.of(new Softmax(), Shape.of(1, 1)),
                Sample.of(new Softmax(), Shape.of(2, 7, 33)),
                Sample.of(new Softmax(), Shape.of(4, 100)).range(0, -30, 30));
    }

    /** What softmax means, one element at a time and in double. */
    static void rows(Args a, long from, long to) {
        int n = (int) a.shape(0).last();
        for (long row = from; row < to; row++) {
            double max = largest(a, row * n, n);
            double sum = 0;
            for (long i = row * n; i < (row + 1) * n; i++) {
                sum += Math.exp(a.get(0, i) - max);
            }
            for (long i = row * n; i < (row + 1) * n; i++) {
                a.set(0, i, sum == 0 ? 0 : Math.exp(a.get(0, i) - max) / sum);
            }
        }
    }

    private static void rowsF32(Args a, long from, long to, RowSteps steps) {
        int n = (int) a.shape(0).last();
        MemorySegment x = a.in(0);
        MemorySegment y = a.out();
        for (long row = from; row < to; row++) {
            long at = row * n * 4;
            float sum = steps.exp(x, at, largest(x, at, n, steps), 1, 0, y, at, n);
            steps.affine(y, at, sum == 0 ? 0 : 1 / sum, 0, y, at, n);
        }
    }

    /** As {@link #largest(Args, long, int)}, in float. */
    static float largest(MemorySegment x, long at, int n, RowSteps steps) {
        float max = steps.max(x, at, n);
        return max == Float.NEGATIVE_INFINITY ? 0 : max;
    }

    /**
     * The largest of a row, taken off before an exponential so that none overflows. For a row of
     * {@code -inf} it is 0: taken off, it leaves {@code -inf} and not NaN.
     */
    static double largest(Args a, long at, int n) {
        double max = Double.NEGATIVE_INFINITY;
        for (int i = 0; i < n; i++) {
            max = Math.max(max, a.get(0, at + i));
        }
        return max == Double.NEGATIVE_INFINITY ? 0 : max;
    }

    /** {@code dx = y (g - sum(g y))}: the sum is what keeps a row adding up to one. */
    public record SoftmaxGradient() implements Composed {

        private static final List<Kernel> KERNELS = List.of(
                Kernel.vector(Args::rows, (a, from, to) -> rowsF32(a, from, to, VectorRows.STEPS)),
                Kernel.scalar(Args::rows, (a, from, to) -> rowsF32(a, from, to, RowSteps.plain())),
                RowsLaunch.plain("softmax_gradient"));

        @Override
        public List<String> arguments() {
            return List.of("y", "g");
        }

        @Override
        public List<Spec> infer(Spec... in) {
            Elementwise.real(in[0].dtype());
            in[0].require("g", in[1]);
            return List.of(in[0]);
        }

        @Override
        public List<Kernel> kernels() {
            return KERNELS;
        }

        private static void rowsF32(Args a, long from, long to, RowSteps steps) {
            int n = (int) a.shape(0).last();
            for (long row = from; row < to; row++) {
                long at = row * n * 4;
                float mean = steps.dot(a.in(0), at, a.in(1), at, n);
                steps.share(a.in(0), at, a.in(1), at, mean, a.out(), at, n);
            }
        }

        @Override
        public List<Tensor> compose(Tensor... in) {
            Tensor y = in[0];
            Tensor g = in[1];
            return List.of(y.mul(g.sub(g.mul(y).sum(-1))));
        }

        public static List<Sample> samples() {
            return List.of(
                    Sample.of(new SoftmaxGradient(), Shape.of(3, 5), Shape.of(3, 5)),
                    Sample.of(new SoftmaxGradient(), Shape.of(2, 7, 33), Shape.of(2, 7, 33)));
        }
    }
}
