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
import java.util.List;

/**
 * {@code y[i] = x[i] - log(sum(exp(x)))} over the last axis: the logarithm of {@link Softmax}, without
 * its underflow. Of a row of nothing but {@code -inf} every logarithm is {@code -inf}.
 */
public record LogSoftmax() implements Op {

    private static final List<Kernel> KERNELS = List.of(Kernel.reference(Args::rows, LogSoftmax::rows));

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

    /** {@code dx = g - exp(y) sum(g)}. */
    public record LogSoftmaxGradient() implements Composed {

        @Override
        public List<String> arguments() {
            return List.of("y", "g");
        }

        @Override
        public List<Spec> infer(Spec... in) {
            return List.of(in[0]);
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
