package dev.gatun.ops;

import dev.gatun.engine.Backward;
import dev.gatun.engine.DType;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.lanes.Expr;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Functions applied to each number by itself, between the layers of a network. */
public final class Activations {

    private static final Shape X = Shape.of(3, 37);

    private Activations() {}

    /** {@code x σ(x)}. */
    public static Tensor silu(Tensor x) { return new Activation(Curve.SILU, 0).apply(x); }

    /** {@code x Φ(x)}, exact (by the error function). */
    public static Tensor gelu(Tensor x) { return new Activation(Curve.GELU, 0).apply(x); }

    /** {@code x/2 (1 + tanh(sqrt(2/π) (x + 0.044715 x³)))}: a function of its own, up to 5e-4 from {@link #gelu}. */
    public static Tensor geluTanh(Tensor x) { return new Activation(Curve.GELU_TANH, 0).apply(x); }

    /** The slope of {@link #silu}, with derivatives of its own. */
    public static Tensor siluDerivative(Tensor x) { return new Activation(Curve.SILU, 1).apply(x); }

    /** The slope of {@link #gelu}, with derivatives of its own. */
    public static Tensor geluDerivative(Tensor x) { return new Activation(Curve.GELU, 1).apply(x); }

    /** The slope of {@link #geluTanh}, with derivatives of its own. */
    public static Tensor geluTanhDerivative(Tensor x) { return new Activation(Curve.GELU_TANH, 1).apply(x); }

    /** {@code log(1 + e^x)}. */
    public static Tensor softplus(Tensor x) { return new Activation(Curve.SOFTPLUS, 0).apply(x); }

    /** {@code log σ(x)}. */
    public static Tensor logSigmoid(Tensor x) { return new Activation(Curve.LOG_SIGMOID, 0).apply(x); }

    /** {@code max(x, 0)}; the gradient at 0 is 0. */
    public static Tensor relu(Tensor x) { return x.max(0.0); }

    /** {@code x + 1} above zero, {@code e^x} below: positive and smooth. */
    public static Tensor eluPlusOne(Tensor x) { return new EluPlusOne().apply(x); }

    /** {@code c tanh(x / c)}: nearly x around zero, never beyond c. */
    public static Tensor softcap(Tensor x, double cap) { return new Softcap(cap).apply(x); }

    /** {@code silu(gate) * up}. */
    public static Tensor swiglu(Tensor gate, Tensor up) { return new Swiglu().apply(gate, up); }

    /** A curve or one of its derivatives. */
    public record Activation(Curve curve, int order) implements Elementwise {
        public String name() { return nameOf(curve, order); }
        public Expr body(Expr... x) { return curve.derivative(order, x[0]); }
        public Object form() { return this; }
        public DType result(DType... in) { return Elementwise.real(in); }
        public List<Tensor> gradient(Backward b) {
            return List.of(new ActivationGradient(curve, order + 1).apply(b.in(0), b.g()));
        }
        public static List<Sample> samples() {
            List<Sample> samples = new ArrayList<>();
            for (Curve curve : Curve.values()) {
                samples.add(Sample.of(new Activation(curve, 0), X).range(0, -6, 6));
                samples.add(Sample.of(new Activation(curve, 1), X).range(0, -6, 6));
            }
            return samples;
        }
    }

    /** {@code g f⁽ⁿ⁾(x)} in one loop: how a gradient passes a curve. */
    public record ActivationGradient(Curve curve, int order) implements Elementwise {
        public String name() { return nameOf(curve, order) + "Gradient"; }
        public List<String> arguments() { return List.of("x", "g"); }
        public Expr body(Expr... x) { return x[1].mul(curve.derivative(order, x[0])); }
        public Object form() { return this; }
        public DType result(DType... in) { return Elementwise.real(in); }
        public List<Tensor> gradient(Backward b) {
            return List.of(
                    b.needs(0) ? new ActivationGradient(curve, order + 1).apply(b.in(0), b.g().mul(b.in(1))) : b.none(),
                    b.needs(1) ? new ActivationGradient(curve, order).apply(b.in(0), b.g()) : b.none());
        }
        public static List<Sample> samples() {
            List<Sample> samples = new ArrayList<>();
            for (Curve curve : Curve.values()) {
                samples.add(Sample.of(new ActivationGradient(curve, 1), X, X).range(0, -6, 6));
                samples.add(Sample.of(new ActivationGradient(curve, 2), X, X).range(0, -6, 6));
            }
            return samples;
        }
    }

    private static String nameOf(Curve curve, int order) {
        String words = curve.name().toLowerCase(Locale.ROOT);
        int bar = words.indexOf('_');
        String name = bar < 0 ? words : words.substring(0, bar) + Character.toUpperCase(words.charAt(bar + 1)) + words.substring(bar + 2);
        return name + (order == 0 ? "" : "Derivative" + (order == 1 ? "" : order));
    }

    /** {@code x + 1} where x is above 0, else {@code e^x}. */
    public record EluPlusOne() implements Elementwise {
        public Expr body(Expr... x) { return x[0].gt(0).select(x[0].add(1), x[0].min(0).exp()); }
        public DType result(DType... in) { return Elementwise.real(in); }
        // The slope below zero is the value, above it is 1, which the value has passed.
        public List<Tensor> gradient(Backward b) { return List.of(b.g().mul(b.out().min(1.0))); }
        public static List<Sample> samples() {
            return List.of(Sample.of(new EluPlusOne(), X).range(0, 0.1, 3), Sample.of(new EluPlusOne(), X).range(0, -5, -0.1));
        }
    }

    /** {@code c tanh(x / c)}. */
    public record Softcap(double cap) implements Elementwise {
        public Softcap {
            if (!(cap > 0)) {
                throw new IllegalArgumentException("softcap: the cap must be positive, is " + cap);
            }
        }
        public Expr body(Expr... x) { return x[0].div(Expr.parameter(0)).tanh().mul(Expr.parameter(0)); }
        public double[] parameters() { return new double[] {cap}; }
        public DType result(DType... in) { return Elementwise.real(in); }
        // 1 - tanh²
        public List<Tensor> gradient(Backward b) {
            return List.of(b.g().mul(b.out().div(cap).square().neg().add(1)));
        }
        public static List<Sample> samples() { return List.of(Sample.of(new Softcap(1.5), X), Sample.of(new Softcap(15), X)); }
    }

    /** {@code silu(gate) * up}. */
    public record Swiglu() implements Elementwise {
        public List<String> arguments() { return List.of("gate", "up"); }
        public Expr body(Expr... x) { return Curve.SILU.derivative(0, x[0]).mul(x[1]); }
        public DType result(DType... in) { return Elementwise.real(in); }
        public List<Tensor> gradient(Backward b) {
            return new SwigluGradient().applyAll(b.in(0), b.in(1), b.g());
        }
        public static List<Sample> samples() {
            return List.of(Sample.of(new Swiglu(), X, X), Sample.of(new Swiglu(), Shape.of(2, 3, 17), Shape.of(17)));
        }
    }

    /** Gradients of gate and up: {@code g up silu'(gate)} and {@code g silu(gate)}, which share their exponential. */
    public record SwigluGradient() implements Elementwise {
        public List<String> arguments() { return List.of("gate", "up", "g"); }
        public Expr body(Expr... x) { return bodies(x).getFirst(); }
        public List<Expr> bodies(Expr... x) {
            return List.of(x[2].mul(x[1]).mul(Curve.SILU.derivative(1, x[0])), x[2].mul(Curve.SILU.derivative(0, x[0])));
        }
        public int outputs(int inputs) { return 2; }
        public DType result(DType... in) { return Elementwise.real(in); }
        public List<Tensor> gradient(Backward b) {
            return b.through(in -> List.of(
                    new ActivationGradient(Curve.SILU, 1).apply(in[0], in[2].mul(in[1])), silu(in[0]).mul(in[2])));
        }
        public static List<Sample> samples() { return List.of(Sample.of(new SwigluGradient(), X, X, X)); }
    }
}
