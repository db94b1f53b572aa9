package dev.gatun.ops;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.Composed;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.util.List;

/**
 * {@code y = (x - mean) / sqrt(var + eps) * w + b} over the last axis, the variance taken about the
 * mean in a second pass: one pass would cancel where the mean is large. Weight and bias have the
 * shape of one or more of x's last axes, so heads may have weights of their own; the bias may be
 * left out.
 */
public record LayerNorm(double eps) implements Composed {

    private static final List<Kernel> KERNELS = NormRows.forward(LayerNorm::rows);

    /** Rows of mean 0 and variance 1, times {@code w}, plus {@code b}. */
    public static Tensor layerNorm(Tensor x, Tensor w, Tensor b, double eps) {
        return new LayerNorm(eps).apply(x, w, b);
    }

    /** Rows of mean 0 and variance 1, times {@code w}. */
    public static Tensor layerNorm(Tensor x, Tensor w, double eps) {
        return new LayerNorm(eps).apply(x, w);
    }

    @Override
    public List<String> arguments() {
        return List.of("x", "w", "b");
    }

    @Override
    public List<Spec> infer(Spec... in) {
        requireWeight(in[0], in[1], "weight");
        if (in.length > 2 && !in[2].equals(in[1])) {
            throw new ShapeException("the bias is " + in[2] + ", the weight " + in[1]);
        }
        return List.of(in[0]);
    }

    /** Refuses a weight that does not fit the last axes. */
    static void requireWeight(Spec x, Spec weight, String what) {
        Elementwise.real(x.dtype(), weight.dtype());
        int rank = weight.shape().rank();
        boolean fits = rank > 0 && rank <= x.shape().rank();
        for (int axis = 1; fits && axis <= rank; axis++) {
            fits = weight.shape().dim(-axis) == x.shape().dim(-axis);
        }
        if (!fits) {
            throw new ShapeException("the " + what + " is " + weight.shape() + " and does not fit the last axes of x, " + x.shape());
        }
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    static void rows(Args a, long from, long to) {
        int n = (int) a.shape(0).last();
        long weights = a.shape(1).elements();
        for (long row = from; row < to; row++) {
            double mean = 0;
            for (int i = 0; i < n; i++) {
                mean += a.get(0, row * n + i);
            }
            mean /= n;
            double variance = 0;
            for (int i = 0; i < n; i++) {
                double centred = a.get(0, row * n + i) - mean;
                variance += centred * centred;
            }
            double scale = 1 / Math.sqrt(variance / n + a.op(LayerNorm.class).eps);
            for (int i = 0; i < n; i++) {
                long at = (row * n + i) % weights;
                double bias = a.inputs() > 2 ? a.get(2, at) : 0;
                a.set(0, row * n + i, (a.get(0, row * n + i) - mean) * scale * a.get(1, at) + bias);
            }
        }
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        Tensor centred = in[0].sub(in[0].mean(-1));
        Tensor y = centred.mul(centred.square().mean(-1).add(eps).rsqrt()).mul(in[1]);
        return List.of(in.length > 2 ? y.add(in[2]) : y);
    }

    @Override
    public List<Tensor> gradient(Backward b) {
        List<Tensor> gradients = new LayerNormGradient(eps).applyAll(b.in(0), b.in(1), b.g());
        return gradients.subList(0, b.inputs());
    }

    public static List<Sample> samples() {
        return List.of(
                Sample.of(new LayerNorm(1e-5), Shape.of(3, 8), Shape.of(8), Shape.of(8)),
                Sample.of(new LayerNorm(1e-5), Shape.of(2, 5, 33), Shape.of(33), Shape.of(33)),
                Sample.of(new LayerNorm(1e-2), Shape.of(4, 3, 7), Shape.of(3, 7)));
    }

    /**
     * With {@code r = 1 / sqrt(var + eps)}, {@code x̂ = (x - mean) r} and {@code h = g w}: {@code dx = r (h - mean(h)
     * - x̂ mean(h x̂))}; dw and db are {@code g x̂} and {@code g}, summed over the rows that share them.
     */
    public record LayerNormGradient(double eps) implements Composed {

        private static final List<Kernel> KERNELS = NormRows.gradient();

        @Override
        public List<String> arguments() {
            return List.of("x", "w", "g");
        }

        @Override
        public List<Spec> infer(Spec... in) {
            requireWeight(in[0], in[1], "weight");
            in[0].require("g", in[2]);
            return List.of(in[0], in[1], in[1]);
        }

        @Override
        public List<Kernel> kernels() {
            return KERNELS;
        }

        @Override
        public List<Tensor> compose(Tensor... in) {
            Tensor centred = in[0].sub(in[0].mean(-1));
            Tensor scale = centred.square().mean(-1).add(eps).rsqrt();
            Tensor unit = centred.mul(scale);
            Tensor h = in[2].mul(in[1]);
            Tensor dx = h.sub(h.mean(-1)).sub(unit.mul(h.mul(unit).mean(-1))).mul(scale);
            return List.of(dx, in[2].mul(unit).sumTo(in[1].shape()), in[2].sumTo(in[1].shape()));
        }

        public static List<Sample> samples() {
            return List.of(
                    Sample.of(new LayerNormGradient(1e-5), Shape.of(3, 8), Shape.of(8), Shape.of(3, 8)),
                    Sample.of(new LayerNormGradient(1e-5), Shape.of(2, 5, 33), Shape.of(33), Shape.of(2, 5, 33)),
                    Sample.of(new LayerNormGradient(1e-2), Shape.of(4, 3, 7), Shape.of(3, 7), Shape.of(4, 3, 7)));
        }
    }
}
