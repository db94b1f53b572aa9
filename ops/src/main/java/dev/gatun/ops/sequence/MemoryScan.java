package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.LinearScan.linearScan;

import dev.gatun.engine.Backward;
import dev.gatun.engine.Composed;
import dev.gatun.engine.DType;
import dev.gatun.engine.Elementwise;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Sample;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * A Titans memory over a whole number of chunks: {@link MemoryChunk} after {@link MemoryChunk}, each token's gradient taken at the
 * weights its chunk starts with (Titans, arXiv 2501.00663, equations 13, 14 and section 3.2; layers.md 5.3). A token writes
 *
 * <pre>
 * S[t] = μ[t] S[t-1] - λ[t] ∇‖M(k[t]) - v[t]‖²       W[t] = r[t] W[t-1] + S[t]       y[t] = M(q[t]; W[t])
 * </pre>
 *
 * Inputs are q and k {@code [B, H, T, K]}, v {@code [B, H, T, V]}, the gates retain r, momentum μ and rate λ {@code [B, H, T]}, then every W
 * {@code [B, H, out, in]}, then every S; outputs y {@code [B, H, T, V]} and W and S after the last token. Within a chunk the rows
 * {@code m[t] = μ[t] m[t-1] + λ[t] e[t]} say what S holds of each token's gradient and of the S before, {@code g[t] = r[t] g[t-1] + m[t]} the same
 * of W. In F32 one (batch, head) is an item, whose weights stay in scratch memory from chunk to chunk.
 *
 * @param layers weights of the network, from 1 on
 * @param residual whether keys and queries are added to what the network gives for them
 * @param chunk tokens of a chunk, which T is a multiple of
 * @param traced whether there is one more output, W and S before each chunk, one behind the other {@code [B, H, T / chunk, *]}, which the
 *     gradient starts from
 */
public record MemoryScan(int layers, boolean residual, long chunk, boolean traced) implements Composed {

    private static final List<Kernel> KERNELS = MemoryScanTiles.forward();

    static final int WEIGHTS = 6;

    public MemoryScan {
        if (layers < 1 || chunk < 1) {
            throw new IllegalArgumentException("memoryScan: a network has at least one layer and a chunk one token, not " + layers + " and " + chunk);
        }
    }

    /** Chunks of so many tokens that meet these weights first. */
    public static MemoryChunk.Result memoryScan(Tensor q, Tensor k, Tensor v, Tensor retain, Tensor momentum, Tensor rate, List<Tensor> weights,
            List<Tensor> moments, boolean residual, long chunk) {
        List<Tensor> in = new ArrayList<>(List.of(q, k, v, retain, momentum, rate));
        in.addAll(weights);
        in.addAll(moments);
        int layers = weights.size();
        List<Tensor> out = new MemoryScan(layers, residual, chunk, in.stream().anyMatch(Tensor::tracked)).applyAll(in.toArray(Tensor[]::new));
        return new MemoryChunk.Result(out.getFirst(), out.subList(1, 1 + layers), out.subList(1 + layers, 1 + 2 * layers));
    }

    /** The rule inside one chunk. */
    MemoryChunk each() {
        return new MemoryChunk(layers, residual);
    }

    @Override
    public List<String> arguments() {
        List<String> names = new ArrayList<>(List.of("q", "k", "v", "retain", "momentum", "rate"));
        names.addAll(each().arguments().subList(MemoryChunk.WEIGHTS, MemoryChunk.WEIGHTS + 2 * layers));
        return names;
    }

    @Override
    public List<Spec> infer(Spec... in) {
        if (in.length != WEIGHTS + 2 * layers) {
            throw new ShapeException("a network of " + layers + " layers needs " + (WEIGHTS + 2 * layers) + " inputs, there are " + in.length);
        }
        Elementwise.real(Stream.of(in).map(Spec::dtype).toArray(DType[]::new));
        Shape q = in[0].shape();
        if (q.rank() != 4 || in[2].shape().rank() != 4) {
            throw new ShapeException("q and v have four axes, not " + q.rank() + " and " + in[2].shape().rank());
        }
        if (q.dim(2) % chunk != 0) {
            throw new ShapeException("tokens come by the chunk of " + chunk + ", there are " + q.dim(2));
        }
        long out = in[2].shape().last();
        MemoryChunk.require("k", in[1], q);
        MemoryChunk.require("v", in[2], q.with(3, out));
        for (int i = 3; i < WEIGHTS; i++) {
            MemoryChunk.require(arguments().get(i), in[i], q.drop(3));
        }
        each().weights(WEIGHTS, q, out, in);
        List<Spec> specs = new ArrayList<>(List.of(in[2]));
        specs.addAll(List.of(in).subList(WEIGHTS, in.length));
        if (traced) {
            specs.add(in[0].with(borders(in)));
        }
        return specs;
    }

    /** Shape of the weights before each chunk. */
    private Shape borders(Spec... in) {
        Shape q = in[0].shape();
        return q.with(2, q.dim(2) / chunk).with(3, Stream.of(in).skip(WEIGHTS).mapToLong(w -> w.shape().dim(2) * w.shape().last()).sum());
    }

    @Override
    public List<Kernel> kernels() {
        return KERNELS;
    }

    /** Gates of one chunk {@code [B, H, C]}, and what they make of it. */
    record Gates(Tensor retain, Tensor momentum, Tensor rate) {

        static Gates of(long from, long to, Tensor... gates) {
            return new Gates(gates[0].slice(2, from, to), gates[1].slice(2, from, to), gates[2].slice(2, from, to));
        }

        /** The rows m, with the share of the S before in the last column. */
        Tensor steps() {
            return carried(rate.insertAxis(-1).mul(diagonal()), momentum);
        }

        /** A matrix of ones on its diagonal. */
        Tensor diagonal() {
            int n = (int) rate.dim(2);
            double[] ones = new double[n * n];
            for (int i = 0; i < n; i++) {
                ones[i * (n + 1)] = 1;
            }
            return Tensor.of(rate.dtype(), ones).reshape(n, n);
        }
    }

    /**
     * Rows {@code y_t = gate_t y_{t-1} + b_t}, with a last column that starts at 1 and is only carried on: the share of what there
     * was before. {@code [B, H, n, N]} and {@code [B, H, n]} to {@code [B, H, n, N + 1]}; a gate of null is 1 throughout.
     */
    public static Tensor carried(Tensor b, Tensor gate) {
        Shape s = b.shape();
        Tensor all = Tensor.concat(3, List.of(b, Tensor.zeros(b.dtype(), s.with(3, 1))));
        Tensor gates = gate == null ? Tensor.ones(b.dtype(), all.shape()) : gate.insertAxis(-1).expand(all.shape());
        return linearScan(gates, all, first(b.dtype(), s.drop(2)));
    }

    /** What rows are carried on from: zeros, then a one. */
    static Tensor first(DType dtype, Shape zeros) {
        return Tensor.concat(2, List.of(Tensor.zeros(dtype, zeros), Tensor.ones(dtype, zeros.with(2, 1))));
    }

    static Tensor last(Tensor x) {
        return x.slice(2, x.dim(2) - 1, x.dim(2));
    }

    @Override
    public List<Tensor> compose(Tensor... in) {
        List<Tensor> state = List.of(in).subList(WEIGHTS, in.length);
        List<Tensor> ys = new ArrayList<>();
        List<Tensor> borders = new ArrayList<>();
        for (long t = 0; t < in[0].dim(2); t += chunk) {
            borders.add(Tensor.concat(3, state.stream().map(w -> w.reshape(w.dim(0), w.dim(1), 1, w.dim(2) * w.dim(3))).toList()));
            Gates gates = Gates.of(t, t + chunk, in[3], in[4], in[5]);
            Tensor steps = gates.steps();
            List<Tensor> given = new ArrayList<>(List.of(in[0].slice(2, t, t + chunk), in[1].slice(2, t, t + chunk), in[2].slice(2, t, t + chunk),
                    carried(steps, gates.retain), last(steps)));
            given.addAll(state);
            List<Tensor> found = each().compose(given.toArray(Tensor[]::new));
            ys.add(found.getFirst());
            state = found.subList(1, found.size());
        }
        List<Tensor> out = new ArrayList<>(List.of(ys.isEmpty() ? in[2] : Tensor.concat(2, ys)));
        out.addAll(state);
        if (traced) {
            Spec[] specs = Stream.of(in).map(Tensor::spec).toArray(Spec[]::new);
            out.add(borders.isEmpty() ? Tensor.zeros(in[0].dtype(), borders(specs)) : Tensor.concat(2, borders));
        }
        return out;
    }

    @Override
    public List<Tensor> gradient(Backward b) {
        Tensor[] in = new Tensor[b.inputs()];
        for (int i = 0; i < in.length; i++) {
            in[i] = b.in(i);
        }
        int end = 1 + 2 * layers;
        // Somebody who asked for no trace and wants a gradient after all pays for it here.
        Tensor borders = traced ? b.out(end) : new MemoryScan(layers, residual, chunk, true).applyAll(in).get(end);
        List<Tensor> given = new ArrayList<>(List.of(in).subList(0, WEIGHTS));
        given.add(borders);
        for (int i = 0; i < end; i++) {
            given.add(b.g(i));
        }
        if (traced && b.flows(end)) {
            given.add(b.g(end));
        }
        return new MemoryScanGrad(this).applyAll(given.toArray(Tensor[]::new));
    }

    public static List<Sample> samples() {
        return List.of(
                sample(new MemoryScan(1, false, 3, true), 2, 2, 2, 4, 3),
                sample(new MemoryScan(2, true, 4, true), 1, 2, 3, 4, 5, 4),
                sample(new MemoryScan(3, false, 1, false), 1, 1, 2, 3, 2, 4, 2),
                sample(new MemoryScan(2, true, 17, true), 1, 1, 2, 16, 33, 16));
    }

    /** Small numbers, as keys of length 1 are, and gates between 0 and 1. */
    private static Sample sample(MemoryScan op, long batch, long heads, long chunks, long... sizes) {
        long tokens = chunks * op.chunk;
        Shape keys = Shape.of(batch, heads, tokens, sizes[0]);
        Shape gates = keys.drop(3);
        List<Shape> shapes = new ArrayList<>(List.of(keys, keys, keys.with(3, sizes[sizes.length - 1]), gates, gates, gates));
        for (int twice = 0; twice < 2; twice++) {
            for (int i = 1; i < sizes.length; i++) {
                shapes.add(Shape.of(batch, heads, sizes[i], sizes[i - 1]));
            }
        }
        Sample sample = Sample.of(op, shapes.toArray(Shape[]::new));
        for (int i = 0; i < shapes.size(); i++) {
            sample = i < 3 || i >= WEIGHTS ? sample.range(i, -0.5, 0.5) : sample.range(i, 0, i == WEIGHTS - 1 ? 0.1 : 1);
        }
        return sample.slack(50); // a chain of products, each of whose errors the next ones multiply
    }
}
