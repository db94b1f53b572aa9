package dev.gatun.layers.optim;

import static dev.gatun.ops.sequence.NewtonSchulz.newtonSchulz;

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
 * Momentum whose direction is made orthogonal (Jordan 2024, {@code KellerJordan/Muon}), for the matrices
 * inside a network; AdamW moves the rest. For a matrix {@code [rows, columns]}:
 * {@code b = momentum b + (1 - momentum) g}, {@code u = (1 - momentum) g + momentum b}, and
 * {@code p = p (1 - rate decay) - rate sqrt(max(1, rows / columns)) NS5(u)}.
 */
public final class Muon implements Optimizer {

    /** Matrices that are neither the embedding nor the head, by the names {@code LanguageModel} gives them. */
    public static final BiPredicate<String, Tensor> HIDDEN = (name, parameter) ->
            parameter.shape().rank() == 2 && !name.startsWith("embed.") && !name.startsWith("head.");

    /**
     * The numbers of the rule. {@code restRate} is what AdamW's learning rate is of Muon's, whose steps
     * are larger by nature.
     */
    public record Settings(double momentum, boolean nesterov, int newtonSchulzSteps, double decay, double restRate) {

        /** 0.95 with Nesterov's look ahead, five steps of Newton-Schulz, decay 0.01, and AdamW at a tenth of the rate. */
        public static final Settings DEFAULT = new Settings(0.95, true, 5, 0.01, 0.1);
    }

    /** What keeps a gradient of zeros finite. */
    private static final double EPS = 1e-7;

    private final Settings settings;
    private final SequencedMap<String, Tensor> parameters;
    private final SequencedMap<String, Tensor> matrices = new LinkedHashMap<>();
    private final Moments moments = new Moments("muon");
    private final List<Tensor> momenta;
    private final AdamW rest;

    /** For all parameters that are not frozen: the hidden matrices by Muon, the rest by AdamW. */
    public Muon(Params params, Settings settings, AdamW.Settings rest) {
        this(params.trainable(), HIDDEN, settings, rest);
    }

    /** For these parameters, with a rule on name and value that says which ones are Muon's. */
    public Muon(SequencedMap<String, Tensor> parameters, BiPredicate<String, Tensor> hidden, Settings settings, AdamW.Settings rest) {
        this.settings = settings;
        this.parameters = new LinkedHashMap<>(parameters);
        SequencedMap<String, Tensor> others = new LinkedHashMap<>();
        parameters.forEach((name, parameter) -> (hidden.test(name, parameter) ? matrices : others).put(name, parameter));
        this.momenta = moments.each("muon.m", matrices);
        this.rest = new AdamW(others, rest, AdamW.MATRICES);
    }

    @Override
    public void step(List<Tensor> gradients, double rate) {
        Moments.check("muon", gradients, parameters);
        List<Tensor> others = new ArrayList<>();
        int i = 0;
        int m = 0;
        for (String name : parameters.keySet()) {
            Tensor g = gradients.get(i++);
            if (matrices.containsKey(name)) {
                move(matrices.get(name), g, momenta.get(m++), rate);
            } else {
                others.add(g);
            }
        }
        rest.step(others, rate * settings.restRate);
        moments.next();
    }

    private void move(Tensor parameter, Tensor g, Tensor momentum, double rate) {
        Mix blend = new Mix(settings.momentum, 1 - settings.momentum);
        Dispatch.overwrite(blend, List.of(momentum, g), List.of(momentum));
        Dispatch.overwrite(new Mix(1 - rate * settings.decay, -rate), List.of(parameter, update(momentum, g, settings)), List.of(parameter));
    }

    /** What a step subtracts from a matrix, {@code rate} times: {@code sqrt(max(1, rows / columns)) NS5(u)}, from the momentum after g. */
    public static Tensor update(Tensor momentum, Tensor g, Settings settings) {
        Tensor u = settings.nesterov ? new Mix(settings.momentum, 1 - settings.momentum).apply(momentum, g) : momentum;
        double scale = Math.sqrt(Math.max(1, (double) g.dim(0) / g.dim(1)));
        return newtonSchulz(u, settings.newtonSchulzSteps, EPS).mul(scale);
    }

    @Override
    public SequencedMap<String, Tensor> state() {
        SequencedMap<String, Tensor> state = new LinkedHashMap<>(moments.all());
        state.putAll(rest.state());
        return state;
    }

    /** {@code a x + b y}. */
    public record Mix(double a, double b) implements Elementwise {

        @Override
        public Expr body(Expr... x) {
            return x[0].mul(Expr.parameter(0)).add(x[1].mul(Expr.parameter(1)));
        }

        @Override
        public double[] parameters() {
            return new double[] {a, b};
        }

        @Override
        public List<Tensor> gradient(Backward back) {
            return List.of(back.g().mul(a), back.g().mul(b));
        }

        public static List<Sample> samples() {
            return List.of(Sample.of(new Mix(0.95, 0.05), Shape.of(3, 37), Shape.of(3, 37)), Sample.of(new Mix(2, -0.5), Shape.of(5), Shape.of(5)));
        }
    }
}
