package dev.gatun.layers.optim;

import dev.gatun.engine.Backward;
import dev.gatun.engine.Dispatch;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.lanes.Expr;
import dev.gatun.layers.Params;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.BiPredicate;

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter 2017, arXiv 1711.05101, algorithm 2): the
 * moments {@code m, v} are running means of the gradient and its square, and
 * {@code p = p (1 - rate decay) - rate m̂ / (sqrt(v̂) + eps)} with both corrected for their start at zero.
 * One loop over each parameter reads and overwrites all three.
 */
public final class AdamW implements Optimizer {

    /** Decay for what has two axes or more: matrices and embeddings, but not norms, biases or gates. */
    public static final BiPredicate<String, Tensor> MATRICES = (name, parameter) -> parameter.shape().rank() >= 2;

    /** The numbers of the rule. */
    public record Settings(double beta1, double beta2, double eps, double decay) {

        /** What small language models are trained with: 0.9, 0.95, 1e-8, 0.1. */
        public static final Settings DEFAULT = new Settings(0.9, 0.95, 1e-8, 0.1);

        public Settings {
            if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1 && eps >= 0 && decay >= 0)) {
                throw new IllegalArgumentException("adamW: betas lie in [0, 1), eps and decay are not negative, but these are "
                        + beta1 + ", " + beta2 + ", " + eps + ", " + decay);
            }
        }
    }

    private final SequencedMap<String, Tensor> parameters;
    private final Settings settings;
    private final List<Boolean> decays = new ArrayList<>();
    private final Moments moments = new Moments("adamw");
    private final List<Tensor> means;
    private final List<Tensor> squares;

    /** For all parameters that are not frozen. */
    public AdamW(Params params, Settings settings) {
        this(params.trainable(), settings, MATRICES);
    }

    /** For these parameters, with a rule on name and value that says which ones decay. */
    public AdamW(SequencedMap<String, Tensor> parameters, Settings settings, BiPredicate<String, Tensor> decays) {
        this.parameters = new LinkedHashMap<>(parameters);
        this.settings = settings;
        this.means = moments.each("adamw.m", parameters);
        this.squares = moments.each("adamw.v", parameters);
        parameters.forEach((name, parameter) -> this.decays.add(decays.test(name, parameter)));
    }

    @Override
    public void step(List<Tensor> gradients, double rate) {
        Moments.check("adamW", gradients, parameters);
        long step = moments.next();
        int i = 0;
        for (Tensor parameter : parameters.values()) {
            Update update = Update.of(settings, decays.get(i), rate, step);
            List<Tensor> kept = List.of(parameter, means.get(i), squares.get(i));
            Dispatch.overwrite(update, List.of(kept.get(0), gradients.get(i), kept.get(1), kept.get(2)), kept);
            i++;
        }
    }

    @Override
    public SequencedMap<String, Tensor> state() {
        return moments.all();
    }

    /**
     * The rule for one element: {@code (p, g, m, v) -> (p, m, v)}, where
     * {@code m = beta1 m + (1 - beta1) g}, {@code v = beta2 v + (1 - beta2) g²} and
     * {@code p = keep p - pace m / (sqrt(v) widen + eps)}.
     */
    public record Update(double beta1, double beta2, double keep, double pace, double widen, double eps) implements Elementwise {

        static Update of(Settings s, boolean decays, double rate, long step) {
            // m̂ = m / (1 - beta1^t) and v̂ = v / (1 - beta2^t), folded into two numbers of the step
            return new Update(s.beta1, s.beta2, decays ? 1 - rate * s.decay : 1,
                    rate / (1 - Math.pow(s.beta1, step)), 1 / Math.sqrt(1 - Math.pow(s.beta2, step)), s.eps);
        }

        @Override
        public List<String> arguments() {
            return List.of("parameter", "gradient", "mean", "square");
        }

        @Override
        public List<Expr> bodies(Expr... x) {
            Expr mean = x[2].mul(Expr.parameter(0)).add(x[1].mul(Expr.parameter(1)));
            Expr square = x[3].mul(Expr.parameter(2)).add(x[1].square().mul(Expr.parameter(3)));
            Expr width = square.sqrt().mul(Expr.parameter(6)).add(Expr.parameter(7));
            Expr moved = x[0].mul(Expr.parameter(4)).sub(mean.mul(Expr.parameter(5)).div(width));
            return List.of(moved, mean, square);
        }

        @Override
        public Expr body(Expr... x) {
            return bodies(x).getFirst();
        }

        @Override
        public int outputs(int inputs) {
            return 3;
        }

        @Override
        public double[] parameters() {
            return new double[] {beta1, 1 - beta1, beta2, 1 - beta2, keep, pace, widen, eps};
        }

        // The step itself has a gradient, for those who learn through it.
        @Override
        public List<Tensor> gradient(Backward b) {
            return b.through(this::compose);
        }

        private List<Tensor> compose(Tensor... x) {
            Tensor mean = x[2].mul(beta1).add(x[1].mul(1 - beta1));
            Tensor square = x[3].mul(beta2).add(x[1].square().mul(1 - beta2));
            Tensor moved = x[0].mul(keep).sub(mean.mul(pace).div(square.sqrt().mul(widen).add(eps)));
            return List.of(moved, mean, square);
        }

        public static List<Sample> samples() {
            Update first = of(Settings.DEFAULT, true, 1e-2, 1);
            Shape shape = Shape.of(3, 37);
            return List.of(Sample.of(first, shape, shape, shape, shape).range(3, 0.1, 2),
                    Sample.of(of(Settings.DEFAULT, false, 1e-3, 7), Shape.of(5), Shape.of(5), Shape.of(5), Shape.of(5)).range(3, 0.1, 2));
        }
    }
}
