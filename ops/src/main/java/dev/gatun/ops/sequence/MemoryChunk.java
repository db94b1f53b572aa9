package dev.gatun.ops.sequence;

import static dev.gatun.ops.Activations.gelu;
import static dev.gatun.ops.Activations.geluDerivative;

import dev.gatun.engine.Backward;
import dev.gatun.engine.Composed;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * One chunk of a Titans memory in dual form: products with masks, no weights per token (Titans, section 3.2; layers.md 5.3). The
 * memory is a network of {@code layers} weights with gelu between them. For N keys k and values v and C queries q, with
 * {@code x_i} the input of weight {@code W_i} for the keys and {@code δ_i} its outer gradient under {@code ‖M(k) - v‖²},
 *
 * <pre>
 * r_0 = q      z_i = β ⊙ (r_i W_iᵀ) + f ⊙ (r_i S_iᵀ) - (G ⊙ (r_i x_iᵀ)) δ_i      r_{i+1} = gelu(z_i)      y = z_last
 * W_i' = β_C W_i + f_C S_i - δ_iᵀ diag(G_C) x_i           S_i' = ν S_i - δ_iᵀ diag(m) x_i
 * </pre>
 *
 * Inputs are q {@code [B, H, C, K]}, k {@code [B, H, N, K]}, v {@code [B, H, N, V]}, what each query's weights hold of the keys'
 * gradients, of S and of W, {@code shares = [G | f | β] [B, H, C, N + 2]}, the same of the last momentum, {@code last = [m | ν]
 * [B, H, 1, N + 1]}, then every W {@code [B, H, out, in]}, then every S. Outputs are y {@code [B, H, C, V]} and the new W and S. All
 * gradients are taken at the W that is given. In F32 one (batch, head) is an item and the inside stays in scratch memory;
 * the gradient, {@link MemoryChunkGrad}, makes it again.
 *
 * @param layers weights of the network, from 1 on
 * @param residual whether keys and queries are added to what the network gives for them
 */
public record MemoryChunk(int layers, boolean residual) implements Composed {

    private static final List<Kernel> KERNELS = MemoryChunkTiles.forward();

    static final int WEIGHTS = 5;

    public MemoryChunk {
        if (layers < 1) {
            throw new IllegalArgumentException("memoryChunk: a network has at least one layer, not " + layers);
        }
    }

    /** Outputs, and weights and momentum after the chunk. */
    public record Result(Tensor y, List<Tensor> weights, List<Tensor> momentum) {}

    /** A chunk that meets these weights. */
    public static Result memoryChunk(Tensor q, Tensor k, Tensor v, Tensor shares, Tensor last, List<Tensor> weights, List<Tensor> momentum,
            boolean residual) {
        List<Tensor> in = new ArrayList<>(List.of(q, k, v, shares, last));
        in.addAll(weights);
        in.addAll(momentum);
        int layers = weights.size();
        List<Tensor> out = new MemoryChunk(layers, residual).applyAll(in.toArray(Tensor[]::new));
        return new Result(out.getFirst(), out.subList(1, 1 + layers), out.subList(1 + layers, 1 + 2 * layers));
    }

    @Override
    public List<String> arguments() {
        List<String> names = new ArrayList<>(List.of("q", "k", "v", "shares", "last"));
        for (String kind : List.of("w", "s")) {
            for (int i = 1; i <= layers; i++) {
                names.add(kind + i);
            }
        }
        return names;
    }

    @Override
    public List<Spec> infer(Spec... in) {
        if (in.length != WEIGHTS + 2 * layers) {
            throw new ShapeException("a network of " + layers + " layers needs " + (WEIGHTS + 2 * layers) + " inputs, there are " + in.length);
        }
        for (int i = 1; i < in.length; i++) {
            Elementwise.real(in[0].dtype(), in[i].dtype());
        }
        Shape q = in[0].shape();
        if (q.rank() != 4 || in[1].shape().rank() != 4 || in[2].shape().rank() != 4) {
            throw new ShapeException("q, k and v have four axes, not " + q.rank() + ", " + in[1].shape().rank() + " and " + in[2].shape().rank());
        }
        if (q.dim(2) == 0) {
            throw new ShapeException("a chunk has at least one query, q is " + q);
        }
        long keys = in[1].shape().dim(2);
        long out = in[2].shape().last();
        require("k", in[1], q.with(2, keys));
        require("v", in[2], q.with(2, keys).with(3, out));
        require("shares", in[3], q.with(3, keys + 2));
        require("last", in[4], q.with(2, 1).with(3, keys + 1));
        weights(WEIGHTS, q, out, in);
        List<Spec> specs = new ArrayList<>(List.of(in[0].with(q.with(3, out))));
        for (int i = 0; i < 2 * layers; i++) {
            specs.add(in[WEIGHTS + i]);
        }
        return specs;
    }

    /** Refuses weights and momenta, of which the first is that input, that do not lead from queries to values. */
    void weights(int first, Shape q, long out, Spec... in) {
        long width = q.last();
        for (int i = 0; i < layers; i++) {
            Shape w = in[first + i].shape();
            long rows = i == layers - 1 ? out : w.rank() == 4 ? w.dim(2) : -1;
            require("w" + (i + 1), in[first + i], q.with(2, rows).with(3, width));
            require("s" + (i + 1), in[first + layers + i], in[first + i].shape());
            width = rows;
        }
        if (residual && out != q.last()) {
            throw new ShapeException("a residual adds keys to values, which differ in size: " + q.last() + " and " + out);
        }
    }

    static void require(String what, Spec spec, Shape shape) {
        if (!spec.shape().equals(shape)) {
            throw new ShapeException(what + " must be " + shape + ", is " + spec.shape());
        }
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    /** What composition and gradient both need: the network on the keys at W, and its outer gradients. */
    record Inside(List<Tensor> x, List<Tensor> z, List<Tensor> delta, List<Tensor> p) {

        static Inside of(MemoryChunk op, Tensor k, Tensor v, List<Tensor> w) {
            List<Tensor> x = new ArrayList<>(List.of(k));
            List<Tensor> z = new ArrayList<>();
            for (int i = 0; i < op.layers; i++) {
                z.add(x.get(i).matmul(w.get(i).transpose()));
                x.add(gelu(z.get(i)));
            }
            Tensor out = op.residual ? z.getLast().add(k) : z.getLast();
            List<Tensor> delta = new ArrayList<>(List.of(out.sub(v).mul(2)));
            List<Tensor> p = new ArrayList<>();
            for (int i = op.layers - 1; i > 0; i--) {
                p.addFirst(delta.getFirst().matmul(w.get(i)));
                delta.addFirst(p.getFirst().mul(geluDerivative(z.get(i - 1))));
            }
            return new Inside(x, z, delta, p);
        }
    }

    /** The three kinds of shares, and the two of the last momentum. */
    record Shares(Tensor g, Tensor f, Tensor beta, Tensor m, Tensor nu) {

        static Shares of(Tensor shares, Tensor last) {
            long keys = shares.dim(3) - 2;
            return new Shares(shares.slice(3, 0, keys), shares.slice(3, keys, keys + 1), shares.slice(3, keys + 1, keys + 2),
                    last.slice(3, 0, keys), last.slice(3, keys, keys + 1));
        }

        /** Those of the last query. */
        static Tensor end(Tensor x) {
            return x.slice(2, x.dim(2) - 1, x.dim(2));
        }
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        List<Tensor> w = List.of(in).subList(WEIGHTS, WEIGHTS + layers);
        List<Tensor> s = List.of(in).subList(WEIGHTS + layers, WEIGHTS + 2 * layers);
        Shares c = Shares.of(in[3], in[4]);
        Inside inside = Inside.of(this, in[1], in[2], w);
        Tensor r = in[0];
        List<Tensor> weights = new ArrayList<>();
        List<Tensor> momentum = new ArrayList<>();
        for (int i = 0; i < layers; i++) {
            Tensor x = inside.x.get(i);
            Tensor delta = inside.delta.get(i);
            r = i == 0 ? r : gelu(r);
            r = r.matmul(w.get(i).transpose()).mul(c.beta).add(r.matmul(s.get(i).transpose()).mul(c.f))
                    .sub(r.matmul(x.transpose()).mul(c.g).matmul(delta));
            weights.add(w.get(i).mul(Shares.end(c.beta)).add(s.get(i).mul(Shares.end(c.f)))
                    .sub(delta.mul(Shares.end(c.g).transpose()).transpose().matmul(x)));
            momentum.add(s.get(i).mul(c.nu).sub(delta.mul(c.m.transpose()).transpose().matmul(x)));
        }
        List<Tensor> out = new ArrayList<>(List.of(residual ? r.add(in[0]) : r));
        out.addAll(weights);
        out.addAll(momentum);
        return out;
    }

    @Override
    public List<Tensor> gradient(Backward b) {
        List<Tensor> in = new ArrayList<>();
        for (int i = 0; i < b.inputs(); i++) {
            in.add(b.in(i));
        }
        for (int i = 0; i < 1 + 2 * layers; i++) {
            in.add(b.g(i));
        }
        return new MemoryChunkGrad(this).applyAll(in.toArray(Tensor[]::new));
    }

    public static List<Sample> samples() {
        return List.of(
                sample(new MemoryChunk(1, false), 2, 2, 3, 5, 4, 3),
                sample(new MemoryChunk(2, true), 1, 2, 3, 3, 4, 5, 4),
                sample(new MemoryChunk(3, false), 1, 1, 2, 3, 3, 2, 4, 2),
                sample(new MemoryChunk(2, true), 1, 1, 17, 19, 16, 33, 16));
    }

    /** Small numbers, as keys of length 1 and decays are. */
    private static Sample sample(MemoryChunk op, long batch, long heads, long queries, long keys, long... sizes) {
        List<Shape> shapes = new ArrayList<>(List.of(Shape.of(batch, heads, queries, sizes[0]), Shape.of(batch, heads, keys, sizes[0]),
                Shape.of(batch, heads, keys, sizes[sizes.length - 1]), Shape.of(batch, heads, queries, keys + 2), Shape.of(batch, heads, 1, keys + 1)));
        for (int twice = 0; twice < 2; twice++) {
            for (int i = 1; i < sizes.length; i++) {
                shapes.add(Shape.of(batch, heads, sizes[i], sizes[i - 1]));
            }
        }
        Sample sample = Sample.of(op, shapes.toArray(Shape[]::new));
        for (int i = 0; i < shapes.size(); i++) {
            sample = sample.range(i, -0.7, 0.7);
        }
        return sample.slack(20); // a chain of products, each of whose errors the next ones multiply
    }
}
