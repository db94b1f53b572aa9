package dev.gatun.layers.memory;

import static dev.gatun.ops.Activations.gelu;
import static dev.gatun.ops.Activations.geluDerivative;

import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * The small network that a memory is: its weights {@code [H, out, in]} are written while a sequence is read.
 *
 * <pre>
 * mlp    W_L g(… g(W_1 x))             one layer is the linear memory W_1 x
 * gated  W_2 (g(W_1 x) ⊙ W_3 x)         the memory of Atlas++
 * postnorm: layer norm of that, times slow weights γ, plus β (TTT's choice)        residual: plus x
 * </pre>
 *
 * g is the exact gelu. Titans, section 3.1; the residual and g: ATLAS, equation 42.
 *
 * @param layers weights of an mlp, one behind the other; 0 for the gated network
 * @param residual whether the input is added to the output; it is the token itself where features are lifted (our reading)
 * @param postnorm whether the network's output passes a layer norm, whose weights are learned by the outer loop only
 */
public record Network(long layers, boolean residual, boolean postnorm) {

    /** {@code W x}. */
    public static final Network LINEAR = mlp(1);
    /** Two layers and the residual: what Titans and ATLAS train. */
    public static final Network DEEP = mlp(2).withResidual();
    /** The gated network with the residual, of Atlas++. */
    public static final Network GATED = new Network(0, true, false);

    /** What keeps a constant vector finite in the post-norm. */
    private static final double EPS = 1e-5;

    public Network {
        if (layers < 0) {
            throw new IllegalArgumentException("network: layers must not be negative, there are " + layers);
        }
    }

    /** So many layers without residual and norm. */
    public static Network mlp(long layers) {
        return new Network(layers, false, false);
    }

    /** The same, its input added. */
    public Network withResidual() {
        return new Network(layers, true, postnorm);
    }

    /** The same with a layer norm behind it. */
    public Network withPostnorm() {
        return new Network(layers, residual, true);
    }

    /** How a weight meets the vectors it is applied to, {@code [B, H, T, in]} to {@code [B, H, T, out]}. */
    @FunctionalInterface
    interface Weights {
        Tensor apply(int weight, Tensor x);
    }

    /** The gradient of one weight for every token: {@code delta xᵀ}, of rank one; {@code [B, H, T, out]} and {@code [B, H, T, in]}. */
    record Slope(Tensor delta, Tensor x) {}

    /** Weight and bias of the post-norm, {@code [H, 1, out]}; null without one. */
    record Norm(Tensor weight, Tensor bias) {}

    private boolean gated() {
        return layers == 0;
    }

    /** {@code [out, in]} of each weight. */
    List<Shape> shapes(long in, long hidden, long out) {
        if (gated()) {
            return List.of(Shape.of(hidden, in), Shape.of(out, hidden), Shape.of(hidden, in));
        }
        List<Shape> shapes = new ArrayList<>();
        for (long i = 1; i <= layers; i++) {
            shapes.add(Shape.of(i == layers ? out : hidden, i == 1 ? in : hidden));
        }
        return shapes;
    }

    /** The output for vectors x; {@code token} is what the residual adds. */
    Tensor read(Tensor x, Tensor token, Norm norm, Weights w) {
        Tensor y;
        if (gated()) {
            y = w.apply(1, gelu(w.apply(0, x)).mul(w.apply(2, x)));
        } else {
            y = w.apply(0, x);
            for (int i = 1; i < layers; i++) {
                y = w.apply(i, gelu(y));
            }
        }
        if (postnorm) {
            y = Centred.of(y).shares.mul(norm.weight).add(norm.bias);
        }
        return residual ? y.add(token) : y;
    }

    /** With these weights for all tokens. */
    static Weights fixed(List<Tensor> weights) {
        return (i, x) -> x.matmul(weights.get(i).transpose());
    }

    /**
     * Gradients of the loss of every token with respect to each weight: of {@code ‖M(x) - v‖²}, a sum of squares and hence
     * with a factor 2, or of {@code -<M(x), v>}. Layers.md 5.2, written with ops, so that the outer gradient flows through.
     */
    List<Slope> slopes(List<Tensor> weights, Tensor x, Tensor token, Tensor v, Norm norm, Loss loss) {
        Weights w = fixed(weights);
        if (gated()) {
            Tensor z = w.apply(0, x);
            Tensor gate = w.apply(2, x);
            Tensor a = gelu(z);
            Tensor hidden = a.mul(gate);
            Tensor e = outer(w.apply(1, hidden), token, v, norm, loss);
            Tensor p = e.matmul(weights.get(1));
            return List.of(new Slope(p.mul(gate).mul(geluDerivative(z)), x), new Slope(e, hidden), new Slope(p.mul(a), x));
        }
        List<Tensor> inputs = new ArrayList<>(List.of(x));
        List<Tensor> sums = new ArrayList<>(List.of(w.apply(0, x)));
        for (int i = 1; i < layers; i++) {
            inputs.add(gelu(sums.getLast()));
            sums.add(w.apply(i, inputs.getLast()));
        }
        Tensor delta = outer(sums.getLast(), token, v, norm, loss);
        List<Slope> slopes = new ArrayList<>();
        for (int i = (int) layers - 1; i >= 0; i--) {
            slopes.addFirst(new Slope(delta, inputs.get(i)));
            delta = i == 0 ? null : delta.matmul(weights.get(i)).mul(geluDerivative(sums.get(i - 1)));
        }
        return slopes;
    }

    /** The loss's gradient with respect to what the last weight gives. */
    private Tensor outer(Tensor y, Tensor token, Tensor v, Norm norm, Loss loss) {
        if (!postnorm) {
            return loss.slope(residual ? y.add(token) : y, v);
        }
        Centred c = Centred.of(y);
        Tensor out = c.shares.mul(norm.weight).add(norm.bias);
        Tensor g = loss.slope(residual ? out.add(token) : out, v).mul(norm.weight);
        return g.sub(g.mean(-1)).sub(c.shares.mul(g.mul(c.shares).mean(-1))).mul(c.scale);
    }

    /** A vector with mean 0 and variance 1, and the factor that made it so. */
    private record Centred(Tensor shares, Tensor scale) {

        static Centred of(Tensor y) {
            Tensor centred = y.sub(y.mean(-1));
            Tensor scale = centred.square().mean(-1).add(EPS).rsqrt();
            return new Centred(centred.mul(scale), scale);
        }
    }
}
