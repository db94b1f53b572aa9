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
 * {@code y[i] = x[i] - log(sum(exp(x)))} over the last axis: the logarithm of {@link Softmax}, without
 * its underflow. Of a row of nothing but {@code -inf} every logarithm is {@code -inf}.
 */
public record LogSoftmax() implements Op {

    private static final List<Kernel> KERNELS = List.of(
            Kernel.vector(Args::rows, (a, from, to) -> rowsF32(a, from, to, VectorRows.STEPS)),
            Kernel.scalar(Args::rows, (a, from, to) -> rowsF32(a, from, to, RowSteps.plain())),
            Kernel.reference(Args::rows, LogSoftmax::rows),
            RowsLaunch.plain("log_softmax"));

    /** Logarithms of the shares of {@code exp(x)} along an axis. */
    public static Tensor logSoftmax(Tensor x, int axis) {
        return Softmax.alongAxis(new LogSoftmax(), x, axis);
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
        return List.of(new LogSoftmaxGradient().apply(b.out(), b.g()));
    }

    public static List<Sample> samples() {
        return List.of(
                Sample.of(new LogSoftmax(), Shape.of(3, 5)),
                Sample.of(new LogSoftmax(), Shape.of(1, 1)),
                Sample.of(new LogSoftmax(), Shape.of(2, 7, 33)),
                Sample.of(new LogSoftmax(), Shape.of(4, 100)).range(0, -30, 30));
    }

    static void rows(Args a, long from, long to) {
        int n = (int) a.shape(0).last();
        for (long row = from; row < to; row++) {
            double max = Softmax.largest(a, row * n, n);
            double sum = 0;
            for (long i = row * n; i < (row + 1) * n; i++) {
                sum += Math.exp(a.get(0, i) - max);
            }
            double log = sum == 0 ? 0 : Math.log(sum);
            for (long i = row * n; i < (row + 1) * n; i++) {
                a.set(0, i, a.get(0, i) - max - log);
            }
        }
    }

    private static void rowsF32(Args a, long from, long to, RowSteps steps) {
        int n = (int) a.shape(0).last();
        MemorySegment x = a.in(0);
        MemorySegment y = a.out();
        for (long row = from; row < to; row++) {
            long at = row * n * 4;
            float max = Softmax.largest(x, at, n, steps);
            float sum = steps.exp(x, at, max, 1, 0, y, at, n);
            // max and the logarithm are taken off one after the other: their sum would round away digits of x - max
            steps.affine(x, at, 1, -max, y, at, n);
            steps.affine(y, at, 1, sum == 0 ? 0 : (float) -Math.log(sum), y, at, n);
        }
    }

    /** {@code dx = g - exp(y) sum(g)}. */
    public record LogSoftmaxGradient() implements Composed {

        private static final List<Kernel> KERNELS = List.of(
                Kernel.vector(Args::rows, (a, from, to) -> rowsF32(a, from, to, VectorRows.STEPS)),
                Kernel.scalar(Args::rows, (a, from, to) -> rowsF32(a, from, to, RowSteps.plain())),
                RowsLaunch.plain("log_softmax_gradient"));

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
                steps.exp(a.in(0), at, 0, -steps.sum(a.in(1), at, n), 0, a.out(), at, n);
                steps.add(a.in(1), at, a.out(), at, n);
            }
        }

        @Override
        public List<Tensor> compose(Tensor... in) {
            return List.of(in[1].sub(in[0].exp().mul(in[1].sum(-1))));
        }

        public static List<Sample> samples() {
            return List.of(
                    Sample.of(new LogSoftmaxGradient(), Shape.of(3, 5), Shape.of(3, 5)).range(0, -5, 0),
                    Sample.of(new LogSoftmaxGradient(), Shape.of(2, 7, 33), Shape.of(2, 7, 33)).range(0, -5, 0));
        }
    }
}
