package dev.gatun.ops;

import dev.gatun.engine.Args;
import dev.gatun.engine.Backward;
import dev.gatun.engine.Composed;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.util.List;

/**
 * {@code y = x / sqrt(mean(x²) + eps) * w} over the last axis. The weight has the shape of one or more
 * of x's last axes.
 */
public record RmsNorm(double eps) implements Composed {

    private static final List<Kernel> KERNELS = NormRows.forward(RmsNorm::rows);

    /** Rows of mean square 1, times {@code w}. */
    public static Tensor rmsNorm(Tensor x, Tensor w, double eps) {
        return new RmsNorm(eps).apply(x, w);
    }

    @Override
    public List<String> arguments() {
        return List.of("x", "w");
    }

    @Override
    public List<Spec> infer(Spec... in) {
        LayerNorm.requireWeight(in[0], in[1], "weight");
        return List.of(in[0]);
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    static void rows(Args a, long from, long to) {
        int n = (int) a.shape(0).last();
        long weights = a.shape(1).elements();
        for (long row = from; row < to; row++) {
            double squares = 0;
            for (int i = 0; i < n; i++) {
                squares += a.get(0, row * n + i) * a.get(0, row * n + i);
            }
            double scale = 1 / Math.sqrt(squares / n + a.op(RmsNorm.class).eps);
            for (int i = 0; i < n; i++) {
                a.set(0, row * n + i, a.get(0, row * n + i) * scale * a.get(1, (row * n + i) % weights));
            }
        }
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        return List.of(in[0].mul(in[0].square().mean(-1).add(eps).rsqrt()).mul(in[1]));
    }

    @Override
    public List<Tensor> gradient(Backward b) {
        return new RmsNormGradient(eps).applyAll(b.in(0), b.in(1), b.g());
    }

    public static List<Sample> samples() {
        return List.of(
                Sample.of(new RmsNorm(1e-5), Shape.of(3, 8), Shape.of(8)),
                Sample.of(new RmsNorm(1e-5), Shape.of(2, 5, 33), Shape.of(33)),
                Sample.of(new RmsNorm(1e-2), Shape.of(4, 3, 7), Shape.of(3, 7)));
    }

    /**
     * With {@code r = 1 / sqrt(mean(x²) + eps)}, {@code x̂ = x r} and {@code h = g w}: {@code dx = r (h - x̂ mean(h x̂))};
     * dw is {@code g x̂}, summed over the rows that share a weight.
     */
    public record RmsNormGradient(double eps) implements Composed {

        private static final List<Kernel> KERNELS = NormRows.gradient();

        @Override
        public List<String> arguments() {
            return List.of("x", "w", "g");
        }

        @Override
        public List<Spec> infer(Spec... in) {
            LayerNorm.requireWeight(in[0], in[1], "weight");
            in[0].require("g", in[2]);
            return List.of(in[0], in[1]);
        }

        @Override
        public List<Kernel> kernels() {
            return KERNELS;
        }

        @Override
        public List<Tensor> compose(Tensor... in) {
            Tensor scale = in[0].square().mean(-1).add(eps).rsqrt();
            Tensor unit = in[0].mul(scale);
            Tensor h = in[2].mul(in[1]);
            Tensor dx = h.sub(unit.mul(h.mul(unit).mean(-1))).mul(scale);
            return List.of(dx, in[2].mul(unit).sumTo(in[1].shape()));
        }

        public static List<Sample> samples() {
            return List.of(
                    Sample.of(new RmsNormGradient(1e-5), Shape.of(3, 8), Shape.of(8), Shape.of(3, 8)),
                    Sample.of(new RmsNormGradient(1e-5), Shape.of(2, 5, 33), Shape.of(33), Shape.of(2, 5, 33)),
                    Sample.of(new RmsNormGradient(1e-2), Shape.of(4, 3, 7), Shape.of(3, 7), Shape.of(4, 3, 7)));
        }
    }
}
